// The overview: what the machines and NATS are doing, second by second.

import { useEffect, useState } from "preact/hooks";
import { Card } from "./card.tsx";
import { hover } from "./chart.tsx";
import { bytes, ceiling, compact, count, load, percent, rate, span, text, traffic } from "./format.ts";
import { useCell, useClock } from "./hooks.ts";
import type { Mesh } from "./mesh.ts";
import type { Host, Metrics, Nats, StreamSize } from "./metrics.ts";
import { Said } from "./said.tsx";
import { Strips } from "./strips.tsx";
import type { Stream } from "./stream.ts";

/** WINDOWS are the widths to choose from, in seconds. Until one is chosen it is the narrowest that
 * shows all there is: a system that was just started would be a stroke at the edge otherwise. */
const WINDOWS = [60, 120, 300];
/** LATE_MS is the silence after which the page says that its numbers are old. */
const LATE_MS = 5_000;
/** EMPTY_MS is how long a live stream may bring nothing before the page explains why. */
const EMPTY_MS = 2_500;
/** DRAWN is how many streams get a line of their own; more could not be told apart. */
const DRAWN = 3;

interface Props {
  mesh: Mesh;
  metrics: Metrics;
  stream: Stream;
  /** prefix is what the names of Tidings' own streams begin with. */
  prefix: string;
}

/** Overview is the view. */
export function Overview({ mesh, ...machines }: Props) {
  return (
    <div class="overview" onPointerLeave={() => hover.set(0)}>
      <Strips mesh={mesh} />
      <Machines {...machines} />
    </div>
  );
}

/** Machines draws the charts of a host and of NATS, or says why it can't. */
function Machines({ metrics, stream, prefix }: Omit<Props, "mesh">) {
  useCell(metrics.version);
  const state = useCell(stream.state);
  const [picked, pick] = useState(0);
  const [chosen, choose] = useState("");
  const empty = useEmpty(metrics, state.name === "live");
  if (state.name === "denied") {
    return (
      <section class="notice" role="status">
        <h2>No charts with this token</h2>
        <p><Said problem={state.problem} /></p>
        <p>The charts follow <code>room.host.*</code> and <code>room.nats</code>; the view of events, whatever you name.</p>
      </section>
    );
  }
  if (empty) return <Empty />;
  const hosts = [...metrics.hosts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const host = hosts.find((h) => h.name === chosen) ?? hosts[0];
  const window = picked || WINDOWS.find((w) => metrics.end - metrics.begin <= w) || WINDOWS.at(-1)!;
  const frame = { window, end: metrics.end };
  return (
    <>
      <section class="group" aria-labelledby="host-title">
        <header class="group-head">
          <h2 id="host-title">Host</h2>
          <Hosts hosts={hosts} host={host} choose={choose} />
          <span class="facts">{host && `up ${span(host.uptime * 1000)}`}</span>
          <Freshness arrived={metrics.arrived} />
          <Windows window={window} set={pick} />
        </header>
        <HostCards host={host} {...frame} />
      </section>
      <section class="group" aria-labelledby="nats-title">
        <header class="group-head">
          <h2 id="nats-title">NATS</h2>
          <span class="facts">{metrics.nats && natsFacts(metrics.nats)}</span>
        </header>
        <NatsCards metrics={metrics} prefix={prefix} {...frame} />
      </section>
    </>
  );
}

type Frame = { window: number; end: number };

function HostCards({ host, ...frame }: { host: Host | undefined } & Frame) {
  const total = host?.memTotal ?? 0;
  const series = host?.series;
  return (
    <div class="cards">
      <Card title="CPU" series={series} values={[{ column: "cpu", label: host ? `of ${host.cpus} ${host.cpus === 1 ? "core" : "cores"}` : "" }]} format={percent}
        tick={(v) => `${Math.round(v)}%`} top={(n) => Math.min(100, ceiling(n, 20))} {...frame} />
      <Card title="Memory" series={series} values={[{ column: "mem", label: total ? `of ${text(bytes(total))}` : "" }]}
        format={bytes} tick={(v) => compact(v, 1024)} top={(n) => total || ceiling(n, 1 << 20, 1024)} {...frame} />
      <Card title="Load" series={series} format={load}
        values={[{ column: "load1", label: "1 min" }, { column: "load5", label: "5 min" }, { column: "load15", label: "15 min" }]}
        tick={(v) => v.toFixed(v < 10 && v % 1 ? 1 : 0)} top={(n) => ceiling(n, 1)} {...frame} />
      <Card title="Network" series={series} format={traffic}
        values={[{ column: "rx", label: "received" }, { column: "tx", label: "sent" }]}
        tick={(v) => compact(v, 1000)} top={(n) => ceiling(n, 10_000)} {...frame} />
    </div>
  );
}

function NatsCards({ metrics, prefix, ...frame }: { metrics: Metrics; prefix: string } & Frame) {
  const series = metrics.natsSeries;
  const streams = metrics.nats?.streams ?? [];
  return (
    <div class="cards">
      <Card title="Messages" series={series} format={rate}
        values={[{ column: "inMsgs", label: "in" }, { column: "outMsgs", label: "out" }]}
        tick={(v) => compact(v, 1000)} top={(n) => ceiling(n, 10)} {...frame} />
      <Card title="Traffic" series={series} format={traffic}
        values={[{ column: "inBytes", label: "in" }, { column: "outBytes", label: "out" }]}
        tick={(v) => compact(v, 1000)} top={(n) => ceiling(n, 10_000)} {...frame} />
      <Card title="Connections" series={series} format={count}
        values={[
          { column: "connections", label: "clients" },
          { column: "subscriptions", label: "subscriptions", plain: true },
          { column: "slow", label: "slow", plain: true },
        ]}
        tick={(v) => compact(v, 1000)} top={(n) => 2 * Math.ceil(ceiling(n, 4) / 2)} {...frame} />
      <Card title="Streams" note={streamsNote(streams)} series={series} format={bytes}
        values={streamValues(streams, prefix)}
        tick={(v) => compact(v, 1024)} top={(n) => ceiling(n, 1024, 1024)} {...frame} />
    </div>
  );
}

function streamValues(streams: StreamSize[], prefix: string) {
  const values = streams.slice(0, DRAWN).map((s) => ({
    column: `stream:${s.name}`,
    label: s.name.replace(`KV_${prefix}_`, "").replace(`${prefix}_`, ""),
  }));
  return values.length ? values : [{ column: "total", label: "in total" }];
}

function streamsNote(streams: StreamSize[]): string {
  const total = streams.reduce((sum, s) => sum + s.bytes, 0);
  return streams.length > DRAWN ? `${streams.length} streams, ${text(bytes(total))}` : text(bytes(total));
}

function natsFacts(n: Nats): string {
  const parts = [n.server, n.version && `v${n.version}`, n.memory && text(bytes(n.memory)), n.cpu !== null && `${n.cpu.toFixed(1)} % CPU`];
  return parts.filter(Boolean).join(" · ");
}

function Hosts({ hosts, host, choose }: { hosts: Host[]; host: Host | undefined; choose(name: string): void }) {
  if (!host) return null;
  if (hosts.length === 1) return <span class="facts host">{host.name}</span>;
  return (
    <select class="select" aria-label="Host" value={host.name} onChange={(e) => choose(e.currentTarget.value)}>
      {hosts.map((h) => <option key={h.name} value={h.name}>{h.name}</option>)}
    </select>
  );
}

function Windows({ window, set }: { window: number; set(seconds: number): void }) {
  return (
    <div class="segments" role="group" aria-label="Time shown">
      {WINDOWS.map((w) => (
        <button type="button" key={w} aria-pressed={w === window} onClick={() => set(w)}>{w / 60} min</button>
      ))}
    </div>
  );
}

/** Freshness appears when the numbers stopped coming: old ones must not pass for new ones. */
function Freshness({ arrived }: { arrived: number }) {
  const now = useClock(1000);
  if (!arrived || now - arrived < LATE_MS) return null;
  return <span class="late" role="status">no samples for {span(now - arrived)}</span>;
}

/** useEmpty turns true when a stream is live for a while and has brought no sample. */
function useEmpty(metrics: Metrics, live: boolean): boolean {
  const [waited, set] = useState(false);
  useEffect(() => {
    if (!live) return;
    const timer = setTimeout(() => set(true), EMPTY_MS);
    return () => clearTimeout(timer);
  }, [live]);
  return waited && metrics.arrived === 0;
}

function Empty() {
  return (
    <section class="notice" role="status">
      <h2>No metrics yet</h2>
      <p>The stream is live, but nobody publishes to <code>room.host.*</code> or <code>room.nats</code>. The producer does, once a second:</p>
      <pre class="command"><code>tidings up edge producer console</code></pre>
      <p>or everything at once, for development: <code>tidings dev</code>. The charts appear by themselves.</p>
    </section>
  );
}
