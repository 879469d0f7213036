// Notifications: what was asked for, what became of it, and a way to try one.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "./ask.ts";
import { Blocked, Stale, Teach } from "./blocked.tsx";
import { useCell } from "./hooks.ts";
import { Bones, Live } from "./live.tsx";
import { wear } from "./lazy.tsx";
import { usePoll } from "./poll.ts";
import { link, route } from "./router.ts";
import { Send } from "./send.tsx";
import { Split } from "./split.tsx";
import { State } from "./state.tsx";
import { merge, summarize, type Summary, type Timeline } from "./story.ts";
import css from "./style/notifications.sheet.css";
import { Story } from "./timeline.tsx";
import { moment } from "./when.ts";

wear(css);

/** Row is one of GET /v1/notifications. */
interface Row {
  id: string;
  at: string;
  category: string;
  severity: string;
  title?: string;
  template?: string;
  to: string[];
  due?: string;
  repeats?: boolean;
}

interface Page {
  notifications: Row[];
  next?: number;
}

const POLL_MS = 1_500;
const PAGE = 50;
/** SUMS is how many summaries are asked for at once, and SUM_MS how often: each is a timeline. */
const SUMS = 4;
const SUM_MS = 1_500;
/** NEW is what stands in the address for the form. */
const NEW = "new";

/** Notifications is the view. */
export function Notifications({ mailbox, user }: { mailbox: boolean; user: string }) {
  const { query } = useCell(route);
  const id = query.id ?? "";
  const poll = usePoll<Page>(`/v1/notifications?limit=${PAGE}`, POLL_MS);
  const { rows, more } = useRows(poll.data);
  const sums = useSums(rows);
  const sent = (one: string) => {
    poll.again();
    location.hash = link("notifications", { id: one });
  };
  return (
    <Split title="Notifications" open={id} back={link("notifications")}
      head={<><span class="facts wide-only">what was asked for, and what became of it</span><span class="push" /><a class="button" href={link("notifications", { id: NEW })}>Send one</a></>}
      note={<Stale problem={poll.data && poll.problem} />}
      list={
        <Live label="Notifications, newest first" name="all" rows={rows} keyOf={(r) => r.id} chosen={id} more={more} href={(r) => link("notifications", { id: r.id })}
          draw={(r) => <Line row={r} sum={sums.get(r.id)} />}>
          {poll.data ? <Nothing /> : poll.problem ? <Blocked problem={poll.problem} again={poll.again} /> : <Bones />}
        </Live>
      }
      foot={<><span class="fact">notifications <b>{poll.data ? `${rows.length}${more ? "+" : ""}` : "–"}</b></span><span class="push" /><span class="keys"><kbd>↑</kbd><kbd>↓</kbd> walk <kbd>enter</kbd> open</span></>}>
      {id === "" || id === NEW
        ? <Send user={user} sent={sent} />
        : <Story key={id} id={id} mailbox={mailbox} learned={(t) => sums.note(t)} />}
    </Split>
  );
}

function Nothing() {
  return (
    <Teach title="No notification yet" command={`curl -d '{"to":["ann"],"title":"Hello"}' ${location.origin}/v1/notify`}>
      Send one with the form, or from a program; it appears here at once:
    </Teach>
  );
}

function Line({ row, sum }: { row: Row; sum: Summary | undefined }) {
  const [tone, words] = sum?.look ?? ["off", ""];
  return (
    <>
      <b>{row.title ?? `Template ${row.template ?? ""}`}</b>
      <time dateTime={row.at}>{moment(row.at)}</time>
      <span class="under">
        {row.severity !== "normal" && <><span class={`badge ${row.severity}`}>{row.severity}</span> </>}
        {row.category} · {row.to.join(", ")}
      </span>
      {words ? <State tone={tone} words={words} /> : <span class="under">…</span>}
    </>
  );
}

/** useRows keeps the newest page and those that were asked for beside it. */
function useRows(page: Page | undefined): { rows: Row[]; more: (() => void) | undefined } {
  const [older, setOlder] = useState<{ rows: Row[]; next: number | undefined }>();
  const known = useRef<{ page?: Page | undefined; rows: Row[] }>({ rows: [] });
  if (page && page !== known.current.page) {
    known.current = { page, rows: merge(known.current.rows, page.notifications, page.next !== undefined, (r) => r.id, (a, b) => a.at <= b.at) };
  }
  const head = known.current.rows;
  const seen = new Set(head.map((r) => r.id));
  const rows = [...head, ...(older?.rows ?? []).filter((r) => !seen.has(r.id))];
  const next = older ? older.next : page?.next;
  if (next === undefined) return { rows, more: undefined };
  const more = async () => {
    const p = await ask<Page>(`/v1/notifications?limit=${PAGE}&before=${next}`).catch(() => undefined);
    if (p) setOlder({ rows: [...(older?.rows ?? []), ...p.notifications], next: p.next });
  };
  return { rows, more: () => void more() };
}

/** Sums are the summaries of rows, by id. */
interface Sums {
  get(id: string): Summary | undefined;
  note(t: Timeline): void;
}

/** useSums asks for what became of rows, newest first, a few at a time, and of those that are under
 * way again and again. */
function useSums(rows: Row[]): Sums {
  const known = useRef(new Map<string, Summary>());
  const [, again] = useState(0);
  const list = useRef(rows);
  list.current = rows;
  const note = (t: Timeline) => {
    const sum = summarize(t, Date.now());
    const before = known.current.get(t.id);
    known.current.set(t.id, sum);
    if (before?.look[1] !== sum.look[1] || before.look[0] !== sum.look[0]) again((n) => n + 1);
  };
  const ids = rows.map((r) => r.id).join();
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      const unknown = list.current.filter((r) => !known.current.has(r.id));
      const moving = list.current.filter((r) => known.current.get(r.id)?.last === false);
      if (!document.hidden) {
        await Promise.all([...unknown, ...moving].slice(0, SUMS).map(async ({ id }) => {
          try {
            note(await ask<Timeline>(`/v1/notifications/${encodeURIComponent(id)}`, undefined, abort.signal));
          } catch {
            // It is asked for again; what is wrong with all of them, the list says.
          }
        }));
      }
      if (!abort.signal.aborted) timer = setTimeout(run, unknown.length > SUMS ? 0 : SUM_MS);
    };
    if (ids) void run();
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [ids]);
  return { get: (id) => known.current.get(id), note };
}
