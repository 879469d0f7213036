// The connections: who is there, with which topics, how far behind; and the knife.

import "./kit.ts";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "./ask.ts";
import { Blocked, Stale, Teach } from "./blocked.tsx";
import { CutDialog, type Victim } from "./cut.tsx";
import { Choice, Field } from "./field.tsx";
import { clock, count, span, text } from "./format.ts";
import { useCell, useClock, useLater } from "./hooks.ts";
import { Right } from "./icons.tsx";
import { usePoll } from "./poll.ts";
import { amend, link, route } from "./router.ts";
import { settle, type Kept } from "./settle.ts";
import { State, type Tone } from "./state.tsx";

/** Connection is one of GET connections. */
interface Connection {
  conn: string;
  node: string;
  user: string;
  ip: string;
  transport: string;
  encoding: string;
  sink: string;
  topics: string[];
  cursor: string;
  lag: number;
  state: string;
  since: string;
}

interface Page {
  connections: Connection[];
  total: number;
  next: string;
  silent: { node: string; reason: string }[];
}

/** PAGE is how many are asked for, MOST how many are listed: what comes while a page is looked at
 * is added at its end, what goes stays as a trace. */
const PAGE = 50;
const MOST = 80;
/** POLL_MS is how often the page is asked for; DEBOUNCE_MS lets a word be typed to its end. */
const POLL_MS = 2_000;
const DEBOUNCE_MS = 250;

const TONES: Record<string, Tone> = { live: "good", "catching-up": "busy", stalled: "warn" };
const WORDS: Record<string, string> = { live: "Live", "catching-up": "Catching up", stalled: "Stalled" };
const FILTERS = ["user", "ip", "topic", "state"];

/** Connections is the view. own names the connections of this page. */
export function Connections({ own }: { own: string[] }) {
  const { query } = useCell(route);
  const typed = Object.fromEntries(FILTERS.map((f) => [f, query[f] ?? ""]));
  const asked = useLater(JSON.stringify(typed), DEBOUNCE_MS);
  const [back, setBack] = useState<string[]>([]); // where the pages before this one began
  const [after, setAfter] = useState("");
  const [victim, cut] = useState<Victim>();
  const path = api("connections", { ...(JSON.parse(asked) as object), limit: PAGE, after });
  const poll = usePoll<Page>(path, POLL_MS);
  const { rows, over } = useSettled(poll.data, poll.path);
  useEffect(() => turn([], ""), [asked]);

  const turn = (pages: string[], to: string) => {
    setBack(pages);
    setAfter(to);
  };
  const field = (label: string, placeholder: string, hint: string) => {
    const name = label.toLowerCase();
    return <Field label={label} placeholder={placeholder} hint={hint} mono value={typed[name]!} input={(v) => amend({ [name]: v })} />;
  };
  return (
    <section class="panel" aria-labelledby="view-title">
      <header class="panel-head">
        <h2 id="view-title">Connections</h2>
        <form class="filters" onSubmit={(e) => e.preventDefault()}>
          {field("User", "id", "The user's id, as in the token")}
          {field("IP", "address", "The client's address")}
          {field("Topic", "room.ops", "Who gets events of this topic, by whatever pattern")}
          <Choice label="State" value={typed.state!} input={(state) => amend({ state })} options={[["", "any"], ...Object.entries(WORDS)]} />
        </form>
      </header>
      <Stale problem={poll.data && poll.problem} />
      <div class="list-frame">
        <div class="scroll" tabIndex={-1}>
          {rows.length > 0 && <Table rows={rows} own={own} cut={cut} />}
          {!poll.data && poll.problem && <Blocked problem={poll.problem} again={poll.again} />}
          {poll.data && rows.length === 0 && <Nobody filtered={FILTERS.some((f) => typed[f])} />}
        </div>
      </div>
      <footer class="panel-foot">
        <span class="fact">connections <b class="total">{poll.data ? poll.data.total.toLocaleString("en") : "–"}</b></span>
        {over > 0 && <span>more came: {over}</span>}
        {poll.data?.silent.map((s) => <span class="late" key={s.node} title={s.reason}>{s.node} did not answer</span>)}
        <span class="push" />
        <button type="button" class="button quiet" disabled={!back.length} onClick={() => turn(back.slice(0, -1), back.at(-1)!)}>Previous</button>
        <button type="button" class="button quiet" disabled={!poll.data?.next} onClick={() => turn([...back, after], poll.data!.next)}>Next</button>
      </footer>
      {victim && <CutDialog victim={victim} close={() => cut(undefined)} done={poll.again} />}
    </section>
  );
}

/** useSettled keeps the rows of a page in their places while it is refreshed. */
function useSettled(page: Page | undefined, path: string): { rows: Kept<Connection>[]; over: number } {
  const kept = useRef<{ page?: Page | undefined; path: string; rows: Kept<Connection>[]; over: number }>({ path: "", rows: [], over: 0 });
  if (page && page !== kept.current.page) {
    const list = page.connections;
    const end = page.next && list.at(-1)?.conn;
    // A page that is full ends where the next begins: what is beyond may live on.
    const absent = (key: string) => !end || key <= end;
    const old = kept.current.path === path ? kept.current.rows : [];
    kept.current = { page, path, ...settle(old, list, (c) => c.conn, MOST, absent) };
  }
  return kept.current;
}

function Nobody({ filtered }: { filtered: boolean }) {
  if (filtered) return <p class="empty">No connection matches. Ids and addresses have to be whole; a topic may be a pattern.</p>;
  return (
    <Teach title="Nobody is connected" command={`curl -N ${location.origin}/v1/events?topics=room.ops -H "Authorization: Bearer $(tidings token)"`}>
      Open a stream, and it appears here within two seconds:
    </Teach>
  );
}

function Table({ rows, own, cut }: { rows: Kept<Connection>[]; own: string[]; cut(v: Victim): void }) {
  const now = useClock(1000);
  const [open, setOpen] = useState("");
  return (
    <table class="grid connections">
      <thead>
        <tr><th>User</th><th>State</th><th>IP</th><th title="Transport and encoding">Via</th><th>Topics</th><th class="n" title="Entries of the log between the connection and the newest">Lag</th><th class="n">Age</th></tr>
      </thead>
      <tbody>
        {rows.map(({ key, row, gone }) => {
          const shown = open === key;
          return [
            <tr key={key} class={`${gone ? "gone" : ""} ${shown ? "open" : ""}`} onClick={() => setOpen(shown ? "" : key)}>
              <td class="user">
                <button type="button" class="opener" aria-expanded={shown}><Right /><span class="clip">{row.user || "anonymous"}</span></button>
                {own.includes(key) && <span class="badge">this page</span>}
              </td>
              <td class="st">{gone ? <State tone="bad" words="Ended" /> : <State tone={TONES[row.state] ?? "warn"} words={WORDS[row.state] ?? row.state} />}</td>
              <td class="ip mono">{row.ip || "–"}</td>
              <td class="tr">{row.transport}{row.encoding && row.encoding !== "identity" && ` · ${row.encoding}`}</td>
              <td class="topics mono" title={row.topics.join("\n")}>{row.topics.join(", ")}</td>
              <td class="n lag">{text(count(row.lag))}</td>
              <td class="n age">{span(now - Date.parse(row.since))}</td>
            </tr>,
            shown && <tr key={`${key} detail`} class="more"><td colSpan={7}><Detail row={row} gone={gone} cut={cut} /></td></tr>,
          ];
        })}
      </tbody>
    </table>
  );
}

function Detail({ row, gone, cut }: { row: Connection; gone: boolean; cut(v: Victim): void }) {
  const pairs = [["connection", row.conn], ["node", row.node], ["sink", row.sink], ["encoding", row.encoding], ["cursor", row.cursor], ["since", clock(Date.parse(row.since))]];
  return (
    <div class="detail-grid">
      <dl class="pairs">{pairs.map(([k, v]) => v && <><dt key={k}>{k}</dt><dd>{v}</dd></>)}</dl>
      <div>
        <h3 class="small">{row.topics.length} {row.topics.length === 1 ? "topic" : "topics"}</h3>
        <p class="chips">{row.topics.map((t) => <a key={t} class="tag mono" href={link("events", { topics: t })} title="Watch its events">{t}</a>)}</p>
      </div>
      <p class="actions">
        <button type="button" class="button danger" disabled={gone} onClick={() => cut({ conn: row.conn, user: row.user })}>Cut…</button>
        {row.user && <button type="button" class="button danger" onClick={() => cut({ user: row.user })}>Cut all of this user…</button>}
        {row.user && <a class="button quiet" href={link("connections", { user: row.user })}>Only this user</a>}
      </p>
    </div>
  );
}
