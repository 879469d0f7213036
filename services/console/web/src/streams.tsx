// The streams of NATS: how full, how old, and how far their readers are.

import "./kit.ts";
import { useRef, useState } from "preact/hooks";
import { api } from "./ask.ts";
import { Blocked, Stale, Teach } from "./blocked.tsx";
import { bytes, count, span, text } from "./format.ts";
import { Right } from "./icons.tsx";
import { usePoll } from "./poll.ts";
import { settle, type Kept } from "./settle.ts";
import { State } from "./state.tsx";

interface StreamView {
  name: string;
  subjects: string[];
  storage: string;
  replicas: number;
  messages: number;
  bytes: number;
  first: number;
  last: number;
  first_time: string | null;
  last_time: string | null;
  /** limits are -1 or 0 for none. */
  max_bytes: number;
  max_messages: number;
  max_per_subject: number;
  max_age_s: number;
  consumers: Consumer[];
  more_consumers: boolean;
}

interface Consumer {
  name: string;
  durable: boolean;
  delivered: number;
  pending: number;
  ack_pending: number;
  redelivered: number;
  last_active: string | null;
}

interface Answer {
  at: string;
  streams: StreamView[];
}

const POLL_MS = 2_000;
/** FULL is the share of a limit from which its bar warns. */
const FULL = 0.9;
const MOST = 200;

/** Streams is the view. */
export function Streams({ prefix }: { prefix: string }) {
  const { data, problem, again } = usePoll<Answer>(api("streams"), POLL_MS);
  const [chosen, choose] = useState<string>();
  const open = chosen ?? `${prefix}_EVENTS`;
  const kept = useRef<{ data?: Answer; rows: Kept<StreamView>[] }>({ rows: [] });
  if (data && data !== kept.current.data) {
    kept.current = { data, rows: settle(kept.current.rows, data.streams, (s) => s.name, MOST, () => true).rows };
  }
  const { rows } = kept.current;
  return (
    <section class="panel" aria-labelledby="view-title">
      <header class="panel-head"><h2 id="view-title">Streams</h2><span class="facts">of NATS JetStream, with their limits</span></header>
      <Stale problem={data && problem} />
      <div class="list-frame">
        <div class="scroll" tabIndex={-1}>
          {rows.length > 0 && (
            <table class="grid streams">
              <thead><tr><th>Stream</th><th class="n">Messages</th><th>Size</th><th>Age</th><th class="n">Consumers</th><th class="n" title="Messages the slowest consumer has not seen">Lag</th></tr></thead>
              <tbody>{rows.map((k) => <Row key={k.key} kept={k} at={Date.parse(data!.at)} open={open === k.key} toggle={() => choose(open === k.key ? "" : k.key)} />)}</tbody>
            </table>
          )}
          {!data && problem && <Blocked problem={problem} again={again} />}
          {data && rows.length === 0 && <Teach title="No streams" command="tidings doctor">The streams are made by the first process that starts. See what keeps it from that:</Teach>}
        </div>
      </div>
      <footer class="panel-foot">
        <span class="fact short">streams <b>{data ? rows.length : "–"}</b></span>
        <span class="fact">in all <b>{data ? text(bytes(data.streams.reduce((n, s) => n + s.bytes, 0))) : "–"}</b></span>
      </footer>
    </section>
  );
}

function Row({ kept: { row, gone }, at, open, toggle }: { kept: Kept<StreamView>; at: number; open: boolean; toggle(): void }) {
  const lag = Math.max(0, ...row.consumers.map((c) => c.pending));
  const age = row.messages > 0 && row.first_time ? at - Date.parse(row.first_time) : 0;
  return (
    <>
      <tr class={`${gone ? "gone" : ""} ${open ? "open" : ""}`} onClick={toggle}>
        <td class="name"><button type="button" class="opener" aria-expanded={open}><Right /><span class="clip">{row.name}</span></button></td>
        <td class="n msgs">{text(count(row.messages))}</td>
        <td class="size"><Meter label="Size" value={row.bytes} limit={row.max_bytes} format={(v) => text(bytes(v))} /></td>
        <td class="agebar"><Meter label="Age of the oldest message" value={age} limit={row.max_age_s * 1000} format={span} quiet /></td>
        <td class="n cons">{row.consumers.length}{row.more_consumers && "+"}</td>
        <td class="n lag">{row.consumers.length ? text(count(lag)) : "–"}</td>
      </tr>
      {open && <tr class="more"><td colSpan={6}><Detail row={row} at={at} /></td></tr>}
    </>
  );
}

/** Meter is a number and how much of a limit it is. A stream that keeps by age is always as old as
 * it may be: quiet does not warn of that. */
function Meter({ label, value, limit, format, quiet }: { label: string; value: number; limit: number; format(v: number): string; quiet?: boolean }) {
  const share = limit > 0 ? Math.min(1, value / limit) : 0;
  return (
    <span class="meter">
      <span>{`${value > 0 ? format(value) : "–"} ${limit > 0 ? `of ${format(limit)}` : "· no limit"}`}</span>
      {limit > 0 && (
        <i class={share >= FULL && !quiet ? "bar full" : "bar"} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}>
          {value > 0 && <i style={{ width: `${share * 100}%` }} />}
        </i>
      )}
    </span>
  );
}

function Detail({ row, at }: { row: StreamView; at: number }) {
  const kept = useRef<Kept<Consumer>[]>([]);
  const seen = useRef<Consumer[] | undefined>(undefined);
  if (seen.current !== row.consumers) {
    seen.current = row.consumers;
    kept.current = settle(kept.current, row.consumers, (c) => c.name, MOST, () => true).rows;
  }
  const limit = (n: number) => (n > 0 ? n.toLocaleString("en") : "none");
  const pairs = [
    ["subjects", row.subjects.join(", ")], ["sequences", `${row.first} – ${row.last}`], ["messages at most", limit(row.max_messages)],
    ["per subject", limit(row.max_per_subject)], ["storage", `${row.storage}, ${row.replicas} ${row.replicas === 1 ? "replica" : "replicas"}`],
  ];
  return (
    <div class="detail-grid wide">
      <dl class="pairs">{pairs.map(([k, v]) => <><dt key={k}>{k}</dt><dd>{v}</dd></>)}</dl>
      {kept.current.length === 0 ? <p class="small">No consumer reads it.</p> : (
        <table class="grid inner">
          <thead><tr><th>Consumer</th><th>State</th><th class="n">Lag</th><th class="n" title="Delivered and not yet acknowledged">Unacked</th><th class="n" title="Delivered more than once">Again</th></tr></thead>
          <tbody>
            {kept.current.map(({ key, row: c, gone }) => (
              <tr key={key} class={gone ? "gone" : ""}>
                <td class="name mono" title={key}>{key}</td>
                <td>{gone ? <State tone="bad" words="Gone" /> : <State tone={c.pending > 0 ? "busy" : "good"} words={c.pending > 0 ? "Behind" : "Up to date"} why={c.last_active ? `Active ${span(at - Date.parse(c.last_active))} ago` : undefined} />}</td>
                <td class="n">{text(count(c.pending))}</td>
                <td class="n">{text(count(c.ack_pending))}</td>
                <td class="n">{text(count(c.redelivered))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
