// Dead letters: jobs that were given up, why, and how to have them tried again.

import { useRef, useState } from "preact/hooks";
import { act, api, ask, problemOf, type Problem } from "./ask.ts";
import { Blocked, Stale } from "./blocked.tsx";
import { Confirm } from "./confirm.tsx";
import { Choice, Field } from "./field.tsx";
import { useCell, useLater } from "./hooks.ts";
import { Bones, Live } from "./live.tsx";
import { useLoad } from "./load.ts";
import { usePoll } from "./poll.ts";
import { amend, link, route } from "./router.ts";
import { Said } from "./said.tsx";
import { Split } from "./split.tsx";
import { State } from "./state.tsx";
import { moment } from "./when.ts";

/** Letter is one of GET dead. */
interface Letter {
  seq: number;
  key: string;
  channel: string;
  reason: string;
  died: string;
  attempts: number;
  error: string;
  unsure: boolean;
  notification: string;
  recipient: string;
  queued?: string;
  expires?: string;
  critical: boolean;
  payload?: unknown;
  /** raw is what came, in base64, if that was no job. */
  raw?: string;
}

interface Page {
  letters: Letter[];
  next: number;
}

const POLL_MS = 2_000;
const PAGE = 50;
const DEBOUNCE_MS = 250;
const FILTERS = ["channel", "notification", "reason"];
const REASONS: Record<string, string> = { attempts: "All attempts failed", permanent: "Refused for good", unsure: "May have got through", malformed: "No job" };

/** Dead is the view. */
export function Dead() {
  const { query } = useCell(route);
  const typed = Object.fromEntries(FILTERS.map((f) => [f, query[f] ?? ""]));
  const asked = JSON.parse(useLater(JSON.stringify(typed), DEBOUNCE_MS)) as Record<string, string>;
  const [all, setAll] = useState<"redrive" | "drop">();
  const [told, tell] = useState("");
  const path = api("dead", { ...asked, limit: PAGE });
  const poll = usePoll<Page>(path, POLL_MS);
  const { rows, more, next } = useRows(poll.data, poll.path, path);
  const seq = query.seq ?? "";
  const filtered = FILTERS.some((f) => typed[f]);
  const open = (to: string) => link("dead", { ...typed, seq: to });
  const done = (words: string) => {
    tell(words);
    poll.again();
    location.hash = open("");
  };
  const { data, problem } = poll;
  return (
    <Split title="Dead letters" open={seq} back={open("")}
      head={
        <form class="filters" onSubmit={(e) => e.preventDefault()}>
          <Field label="Channel" placeholder="mail" mono value={typed.channel!} input={(channel) => amend({ channel })} />
          <Field label="Notification" placeholder="id" mono value={typed.notification!} input={(notification) => amend({ notification })} />
          <Choice label="Reason" value={typed.reason!} input={(reason) => amend({ reason })} options={[["", "any"], ...Object.entries(REASONS)]} />
        </form>
      }
      note={<Stale problem={data && problem} />}
      list={
        <Live label="Dead letters, oldest first" name={path} rows={rows} keyOf={(l) => String(l.seq)} chosen={seq} more={more} href={(l) => open(String(l.seq))} draw={(l) => <Line letter={l} />}>
          {data && poll.path === path ? <None filtered={filtered} /> : problem ? <Blocked problem={problem} again={poll.again} /> : <Bones />}
        </Live>
      }
      foot={
        <>
          <span class="fact">letters <b class="total">{data ? `${rows.length}${next ? "+" : ""}` : "–"}</b></span>
          <span role="status">{told}</span>
          <span class="push" />
          <button type="button" class="button quiet" disabled={rows.length === 0} onClick={() => setAll("redrive")}>Redrive all…</button>
          <button type="button" class="button quiet danger" disabled={rows.length === 0} onClick={() => setAll("drop")}>Drop all…</button>
        </>
      }>
      {seq
        ? <One key={seq} seq={seq} done={done} />
        : <p class="empty">{rows.length > 0 ? "Choose a letter to see what it says and why it was given up." : "What dies can be looked at here, and sent again when the reason is gone."}</p>}
      {all && (
        <Confirm title={all === "redrive" ? "Redrive all of them?" : "Drop all of them?"} go={all === "redrive" ? "Redrive all" : "Drop all"} kill={all === "drop"} close={() => setAll(undefined)}
          act={() => (all === "redrive" ? act("POST", api("dead/redrive", asked)) : act("DELETE", api("dead", asked)))}
          done={(a) => done(sum(a as Done))}>
          {filtered ? "Every letter that the filter shows, on all pages, " : "Every dead letter "}
          {all === "redrive" ? "is tried again, with all its attempts." : "is removed for good: what it says is not sent to anybody."}
        </Confirm>
      )}
    </Split>
  );
}

/** Done is what was done with all. */
interface Done {
  redriven?: number;
  skipped?: number;
  dropped?: number;
  more: boolean;
}

function sum({ redriven, skipped, dropped, more }: Done): string {
  const words = dropped !== undefined ? `${dropped} dropped` : `${redriven} redriven${skipped ? `, ${skipped} can't be` : ""}`;
  return more ? `${words}, and there are more` : words;
}

function None({ filtered }: { filtered: boolean }) {
  if (filtered) return <p class="empty">No dead letter matches. Channels and ids have to be whole.</p>;
  return (
    <div class="notice" role="status">
      <h2>No dead letters</h2>
      <p>Every job was sent, or is still being tried. One that has had all its attempts, or is refused for good, comes here.</p>
    </div>
  );
}

function Line({ letter: l }: { letter: Letter }) {
  return (
    <>
      <b>{l.recipient || l.key}</b>
      <time dateTime={l.died}>{moment(l.died)}</time>
      <span class="under" title={l.error}>{l.channel} · {l.error || "no reason was given"}</span>
      <State tone={l.unsure ? "warn" : "bad"} words={REASONS[l.reason] ?? l.reason} />
    </>
  );
}

/** useRows keeps the first page fresh, and the pages after it as they were asked for. */
function useRows(page: Page | undefined, of: string, path: string): { rows: Letter[]; next: number; more: (() => void) | undefined } {
  const kept = useRef<{ path: string; older: Letter[]; next: number | undefined }>({ path: "", older: [], next: undefined });
  const [, again] = useState(0);
  if (kept.current.path !== path) kept.current = { path, older: [], next: undefined };
  if (!page || of !== path) return { rows: [], next: 0, more: undefined };
  const last = page.letters.at(-1)?.seq ?? 0;
  const rows = [...page.letters, ...kept.current.older.filter((l) => l.seq > last)];
  const next = kept.current.next ?? page.next;
  const more = async () => {
    const p = await ask<Page>(`${path}&after=${next}`).catch(() => undefined);
    if (!p || kept.current.path !== path) return;
    kept.current = { path, older: [...kept.current.older, ...p.letters], next: p.next };
    again((n) => n + 1);
  };
  return { rows, next, more: next ? () => void more() : undefined };
}

/** One is a letter; done is called after it was redriven or dropped. */
function One({ seq, done }: { seq: string; done(words: string): void }) {
  const { data: l, problem, again } = useLoad<Letter>(api(`dead/${encodeURIComponent(seq)}`));
  const [failed, fail] = useState<Problem>();
  const [asking, setAsking] = useState(false);
  if (!l) return problem ? <Blocked problem={problem} again={again} /> : <Bones n={3} />;
  const redrive = async () => {
    try {
      await act("POST", api(`dead/${l.seq}/redrive`));
      done("1 redriven");
    } catch (e) {
      fail(problemOf(e));
    }
  };
  const pairs: [string, string | number | undefined][] = [
    ["error", l.error], ["attempts", l.attempts], ["died", moment(l.died)], ["queued", l.queued && moment(l.queued)], ["expires", l.expires && moment(l.expires)],
    ["channel", l.channel], ["recipient", l.recipient], ["notification", l.notification], ["job", l.key], ["letter", l.seq],
  ];
  return (
    <article aria-labelledby="letter-title">
      <div class="one-head">
        <h3 id="letter-title">{l.channel} to {l.recipient || "nobody"}</h3>
        <p class="line-up">
          <State tone={l.unsure ? "warn" : "bad"} words={REASONS[l.reason] ?? l.reason} />
          {l.unsure && l.reason !== "unsure" && <span>An attempt may have got through unnoticed.</span>}
          {l.critical && <span class="badge critical">critical</span>}
        </p>
        {failed && <p class="problem" role="alert"><Said problem={failed} /></p>}
        <div class="one-acts">
          <button type="button" class="button" disabled={l.reason === "malformed"} onClick={() => void redrive()}>Redrive</button>
          <button type="button" class="button danger" onClick={() => setAsking(true)}>Drop…</button>
          {l.notification && <a class="button quiet" href={link("notifications", { id: l.notification })}>Its timeline</a>}
        </div>
      </div>
      <dl class="pairs">{pairs.map(([k, v]) => v !== undefined && v !== "" && <><dt key={k}>{k}</dt><dd>{v}</dd></>)}</dl>
      {l.payload !== undefined && <><h4>What it says</h4><pre class="words" tabIndex={0}>{JSON.stringify(l.payload, null, 2)}</pre></>}
      {l.raw && <><h4>What came, in base64</h4><pre class="words" tabIndex={0}>{l.raw}</pre></>}
      {asking && (
        <Confirm title="Drop this letter?" go="Drop it" close={() => setAsking(false)} act={() => act("DELETE", api(`dead/${l.seq}`))} done={() => done("1 dropped")}>
          It is removed for good: what it says is not sent to <b>{l.recipient || "anybody"}</b>.
        </Confirm>
      )}
    </article>
  );
}
