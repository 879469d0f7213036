// The mailbox of development: every mail that was sent, as it comes, and failures on purpose.

import { useEffect, useRef, useState } from "preact/hooks";
import { act, api, ask } from "./ask.ts";
import { Blocked, Stale, Teach } from "./blocked.tsx";
import { Confirm } from "./confirm.tsx";
import { Faults } from "./faults.tsx";
import type { Feed } from "./feed.ts";
import { Field } from "./field.tsx";
import { bytes, text } from "./format.ts";
import { useCell, useLater } from "./hooks.ts";
import { Trash } from "./icons.tsx";
import { wear } from "./lazy.tsx";
import { Bones, Live } from "./live.tsx";
import { Mail } from "./mail.tsx";
import { usePoll } from "./poll.ts";
import { amend, link, route } from "./router.ts";
import { Split } from "./split.tsx";
import { State, type Tone } from "./state.tsx";
import { merge } from "./story.ts";
import css from "./style/mailbox.sheet.css";
import { moment } from "./when.ts";

wear(css);

/** Row is one of GET mailbox, and the data of mail.received. */
export interface Row {
  id: number;
  at: string;
  from: string;
  to: string[];
  subject: string;
  size: number;
  message_id: string;
  key: string;
  attachments: number;
  result: string;
  accepted: boolean;
  kept: boolean;
}

interface Page {
  mails: Row[];
  next?: number;
  total: number;
  bytes: number;
  faults: number;
  smtp: string;
}

/** POLL_MS is how often the list is read beside the stream, which loses mails while NATS is away. */
const POLL_MS = 10_000;
const PAGE = 50;
const DEBOUNCE_MS = 250;
/** FAULTS is what stands in the address for the form of failures. */
const FAULTS = "faults";

/** outcome is how an attempt ended, in shape and words. */
export function outcome(r: Row): readonly [Tone, string] {
  if (r.accepted) return ["good", "Accepted"];
  return [r.kept ? "warn" : "bad", r.kept ? `Kept, ${r.result}` : r.result[0]!.toUpperCase() + r.result.slice(1)];
}

/** Mailbox is the view. */
export function Mailbox({ feed }: { feed: Feed }) {
  const { query } = useCell(route);
  const q = useLater(query.q ?? "", DEBOUNCE_MS);
  const [asking, setAsking] = useState(false);
  const path = api("mailbox", { limit: PAGE, q });
  const poll = usePoll<Page>(path, POLL_MS);
  const { rows, more } = useRows(feed, poll, path, q);
  // A link from elsewhere knows the job of a mail and not its number.
  const id = query.open === "first" ? String(rows.find((r) => r.kept)?.id ?? "") : query.id ?? "";
  const open = (to: string) => link("mailbox", { q: query.q ?? "", id: to });
  const { data, problem } = poll;
  return (
    <Split title="Mailbox" open={id} back={open("")}
      head={
        <form class="filters" onSubmit={(e) => e.preventDefault()}>
          <Field label="Find" placeholder="Find by sender, recipient, subject, result" icon value={query.q ?? ""} input={(v) => amend({ q: v, open: "" })} />
          <a class={data?.faults ? "button active" : "button"} href={open(FAULTS)}>{data?.faults ? `Failing: ${data.faults}` : "Fail the next…"}</a>
        </form>
      }
      note={<Stale problem={data && problem} />}
      list={
        <Live label="Mails, newest first" name={path} rows={rows} keyOf={(r) => String(r.id)} chosen={id} more={more} href={(r) => open(String(r.id))} draw={(r) => <Line row={r} />}>
          {data && poll.path === path ? <Empty searched={q !== ""} /> : problem ? <Blocked problem={problem} again={poll.again} /> : <Bones />}
        </Live>
      }
      foot={
        <>
          <span class="fact">mails <b class="total">{data ? data.total.toLocaleString("en") : "–"}</b></span>
          <span class="fact short">size <b>{data ? text(bytes(data.bytes)) : "–"}</b></span>
          <span class="smtp mono wide-only" title="What the mailer is given">{data?.smtp}</span>
          <span class="push" />
          <button type="button" class="button quiet" disabled={!data?.total} onClick={() => setAsking(true)}><Trash /> Empty…</button>
        </>
      }>
      {id === "" || id === FAULTS
        ? <Faults changed={poll.again} />
        : <Mail key={id} id={id} gone={() => { poll.again(); location.hash = open(""); }} />}
      {asking && (
        <Confirm title="Empty the mailbox?" go="Delete all mails" close={() => setAsking(false)} act={() => act("DELETE", api("mailbox"))} done={() => { poll.again(); location.hash = open(""); }}>
          Every mail that was caught is deleted. Nobody has got them, and nobody will.
        </Confirm>
      )}
    </Split>
  );
}

function Empty({ searched }: { searched: boolean }) {
  if (searched) return <p class="empty">No mail matches.</p>;
  return (
    <Teach title="No mail yet" command={`curl -d '{"to":[{"user":"ann","email":"ann@example.org"}],"title":"Hello"}' ${location.origin}/v1/notify`}>
      In development nobody gets mail: all of it is caught here. Send some:
    </Teach>
  );
}

function Line({ row }: { row: Row }) {
  const [tone, words] = outcome(row);
  return (
    <>
      <b>{row.subject || (row.kept ? "(no subject)" : "An attempt")}</b>
      <time dateTime={row.at}>{moment(row.at)}</time>
      <span class="under">to {row.to.join(", ") || "nobody"}{row.attachments > 0 && ` · ${row.attachments} attached`}</span>
      <State tone={tone} words={words} />
    </>
  );
}

/** useRows keeps the list: the pages that were asked for, and what the stream brings. */
function useRows(feed: Feed, poll: { data: Page | undefined; path: string; again(): void }, path: string, q: string): { rows: Row[]; more: (() => void) | undefined } {
  const kept = useRef<{ page?: Page; path: string; rows: Row[]; next?: number | undefined }>({ path: "", rows: [] });
  const [, again] = useState(0);
  if (poll.data && poll.path === path && poll.data !== kept.current.page) {
    const old = kept.current.path === path ? kept.current : undefined;
    const rows = merge(old?.rows ?? [], poll.data.mails, poll.data.next !== undefined, (r) => String(r.id), (a, b) => a.id < b.id);
    kept.current = { page: poll.data, path, rows, next: old && rows.length > poll.data.mails.length ? old.next : poll.data.next };
  }
  useEffect(() => {
    const off = [
      feed.on("mail.received", (data) => {
        const row = data as unknown as Row;
        const { rows, page } = kept.current;
        if (!page || typeof row.id !== "number" || row.id <= (rows[0]?.id ?? 0)) return;
        poll.again(); // the counts change, too
        if (q !== "") return;
        kept.current.rows = [row, ...rows];
        again((n) => n + 1);
      }),
      feed.on("gap", () => poll.again()),
    ];
    return () => off.forEach((f) => f());
  }, [feed, q, path]);
  const { rows, next } = kept.current.path === path ? kept.current : { rows: [], next: undefined };
  if (next === undefined) return { rows, more: undefined };
  const more = async () => {
    const p = await ask<Page>(api("mailbox", { limit: PAGE, q, before: next })).catch(() => undefined);
    if (!p || kept.current.path !== path) return;
    kept.current.rows = [...kept.current.rows, ...p.mails];
    kept.current.next = p.next;
    again((n) => n + 1);
  };
  return { rows, more: () => void more() };
}
