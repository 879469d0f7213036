// The topics as a tree, with what comes by them and who listens.

import "./kit.ts";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { api } from "./ask.ts";
import { Blocked, Stale, Teach } from "./blocked.tsx";
import { Choice, Field } from "./field.tsx";
import { count, NONE, rate, text } from "./format.ts";
import { useCell } from "./hooks.ts";
import { Down, Right } from "./icons.tsx";
import { usePoll } from "./poll.ts";
import { Rates } from "./rates.ts";
import { amend, go, link, route } from "./router.ts";
import { extend, grow, isPattern, rank, visible, type Node, type Order, type TopicRow } from "./tree.ts";

interface Answer {
  topics: TopicRow[];
  total: number;
  silent: { node: string }[];
}

/** POLL_MS is also what rates are measured over. LIMIT is the most that one answer holds. */
const POLL_MS = 2_000;
const LIMIT = 500;

const ORDERS: [Order, string][] = [["topic", "name"], ["rate", "rate"], ["subscribers", "subscribers"], ["held", "held"]];

/** Topics is the view. */
export function Topics() {
  const { query } = useCell(route);
  const prefix = query.prefix ?? "";
  const order = ORDERS.find(([o]) => o === query.sort)?.[0] ?? "topic";
  const poll = usePoll<Answer>(api("topics", { prefix, sort: order === "subscribers" ? order : order === "rate" ? "events" : "", limit: LIMIT }), POLL_MS);
  const { data } = poll;
  const rates = useMemo(() => new Rates(), []);
  const root = useMemo(() => {
    if (!data) return;
    rates.take(new Map(data.topics.map((t) => [t.topic, t.events])), performance.now());
    return grow(data.topics, rates.now);
  }, [data]);
  const [open, setOpen] = useState<ReadonlySet<string>>();
  const places = useRef<ReadonlyMap<string, number>>(new Map());
  const arranged = useRef("");
  const [, again] = useState(0);

  // The order is that of the moment when it was asked for; what moves cannot be read.
  const wanted = `${poll.path} ${order}`;
  if (root && (arranged.current !== wanted || places.current.size === 0)) {
    places.current = rank(root, order);
    arranged.current = wanted;
  }
  const { nodes, fresh } = root ? visible(root, open ?? opened(root), places.current) : { nodes: [], fresh: 0 };
  const arrange = () => {
    if (root) places.current = rank(root, order);
    again((n) => n + 1);
  };
  const toggle = (path: string, to?: boolean) => {
    const next = new Set(open ?? opened(root!));
    places.current = extend(places.current, root!);
    if (to ?? !next.has(path)) next.add(path);
    else next.delete(path);
    setOpen(next);
  };
  const most = Math.max(1, ...nodes.map((n) => n.rate ?? 0));
  return (
    <section class="panel" aria-labelledby="view-title">
      <header class="panel-head">
        <h2 id="view-title">Topics</h2>
        <form class="filters" onSubmit={(e) => e.preventDefault()}>
          <Field label="Prefix" placeholder="room.orders" hint="How the topics begin" mono value={prefix} input={(p) => amend({ prefix: p })} />
          <Choice label="Sort by" value={order} input={(sort) => amend({ sort })} options={ORDERS} />
        </form>
        <button type="button" class="button" onClick={arrange} title="Sort again, by the numbers of now">Sort again</button>
      </header>
      <Stale problem={data && poll.problem} />
      <div class="list-frame">
        <div class="scroll" tabIndex={-1}>
          {nodes.length > 0 && <Tree nodes={nodes} open={open ?? opened(root!)} toggle={toggle} most={most} />}
          {!data && poll.problem && <Blocked problem={poll.problem} again={poll.again} />}
          {data && nodes.length === 0 && (prefix ? <p class="empty">No topic begins with <b>{prefix}</b>.</p> : <None />)}
        </div>
        {fresh > 0 && <button type="button" class="chip" onClick={arrange}><Down /> {fresh} new</button>}
      </div>
      <footer class="panel-foot">
        <span class="fact">topics <b>{data ? data.total.toLocaleString("en") : "–"}</b></span>
        <span class="fact">in all <b>{root?.rate != null ? text(rate(root.rate)) : "–"}</b></span>
        {data && data.total > data.topics.length && <span class="late">the first {data.topics.length} are shown</span>}
        {data?.silent.map((s) => <span class="late" key={s.node}>{s.node} did not answer</span>)}
        <span class="keys"><kbd>↑</kbd><kbd>↓</kbd> walk <kbd>←</kbd><kbd>→</kbd> fold <kbd>enter</kbd> events</span>
      </footer>
    </section>
  );
}

/** opened is what is open until somebody chooses: the first level. */
function opened(root: Node): ReadonlySet<string> {
  return new Set(root.children.keys());
}

function None() {
  return (
    <Teach title="No topics yet" command={`nats pub tidings.ev.room.ops '{"hello":"world"}'`}>
      A topic is there as soon as somebody publishes to it or listens:
    </Teach>
  );
}

interface TreeProps {
  nodes: Node[];
  open: ReadonlySet<string>;
  toggle(path: string, to?: boolean): void;
  most: number;
}

function Tree({ nodes, open, toggle, most }: TreeProps) {
  const [active, setActive] = useState("");
  const [moved, move] = useState(0);
  const body = useRef<HTMLTableSectionElement>(null);
  const stop = nodes.some((n) => n.path === active) ? active : nodes[0]!.path;
  useLayoutEffect(() => {
    if (moved) body.current!.querySelector<HTMLElement>(`tr[tabindex="0"]`)?.focus();
  }, [moved]);
  const walk = (path: string | undefined) => {
    if (!path) return;
    setActive(path);
    move((n) => n + 1);
  };
  const pressed = (e: KeyboardEvent, n: Node, i: number) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== e.currentTarget) return;
    const shut = n.children.size > 0 && !open.has(n.path);
    const steps: Record<string, () => void> = {
      ArrowDown: () => walk(nodes[i + 1]?.path),
      ArrowUp: () => walk(nodes[i - 1]?.path),
      ArrowRight: () => (shut ? toggle(n.path, true) : n.children.size > 0 && walk(nodes[i + 1]?.path)),
      ArrowLeft: () => (open.has(n.path) && n.children.size ? toggle(n.path, false) : walk(n.path.split(".").slice(0, -1).join("."))),
      Home: () => walk(nodes[0]?.path),
      End: () => walk(nodes.at(-1)?.path),
      Enter: () => go("events", { topics: patternOf(n) }),
    };
    const step = steps[e.key];
    if (!step) return;
    e.preventDefault();
    step();
  };
  return (
    <table class="grid tree" role="treegrid" aria-label="Topics">
      <thead><tr><th>Topic</th><th class="n">Rate</th><th class="n" title="Connections that named it">Subscribers</th><th class="n" title="Events in the edges' memory">Held</th><th class="n last">Last</th></tr></thead>
      <tbody ref={body}>
        {nodes.map((n, i) => (
          <tr key={n.path} tabIndex={n.path === stop ? 0 : -1} aria-level={n.depth + 1} {...(n.children.size ? { "aria-expanded": open.has(n.path) } : {})}
            onFocus={() => setActive(n.path)} onKeyDown={(e) => pressed(e, n, i)}>
            <td class="name">
              <span class="indent" style={{ paddingLeft: `${n.depth * 20}px` }}>
                {n.children.size ? <button type="button" class="fold" tabIndex={-1} aria-label={open.has(n.path) ? "Fold" : "Unfold"} onClick={() => toggle(n.path)}><Right /></button> : <span class="fold" />}
                <a class="mono" tabIndex={-1} href={link("events", { topics: patternOf(n) })} title={`Watch ${patternOf(n)}`}>{n.token}</a>
                {n.children.size > 0 && <span class="facts">{n.children.size}</span>}
              </span>
            </td>
            <td class="n rate"><span>{isPattern(n.path) ? "" : text(n.rate === null ? NONE : rate(n.rate))}</span>{!isPattern(n.path) && <i class="bar"><i style={{ width: `${Math.round((100 * (n.rate ?? 0)) / most)}%` }} /></i>}</td>
            <td class="n">{text(count(n.subscribers))}</td>
            <td class="n">{isPattern(n.path) ? "" : text(count(n.held))}</td>
            <td class="n last">{n.last || ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** patternOf follows a topic and everything below it. */
function patternOf(n: Node): string {
  if (n.children.size === 0) return n.path;
  return n.depth === 0 ? `${n.path}.>` : `${n.path},${n.path}.>`;
}
