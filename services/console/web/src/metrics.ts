// The metrics that arrive as events, kept per host and for NATS. It is a consumer of the feed
// like any other: nothing here is known to the server.

import { Cell } from "./cell.ts";
import { perFrame } from "./frame.ts";
import { Series } from "./series.ts";
import { parseEnvelope } from "./wire.ts";

/** TOPICS is what the charts follow. */
export const TOPICS = ["room.host.*", "room.nats"];
/** REWIND fills the widest window at once: five minutes of one sample a second. */
export const REWIND = 300;
/** MAX_HOSTS and MAX_STREAMS bound what a hostile publisher can make the page hold. */
const MAX_HOSTS = 64;
const MAX_STREAMS = 32;

/** Host is one machine. */
export interface Host {
  name: string;
  series: Series;
  cpus: number;
  memTotal: number;
  uptime: number;
}

/** StreamSize is one JetStream stream as of the last sample. */
export interface StreamSize {
  name: string;
  messages: number;
  bytes: number;
  consumers: number;
  maxBytes: number;
}

/** Nats is the server. */
export interface Nats {
  server: string;
  version: string;
  memory: number | null;
  cpu: number | null;
  streams: StreamSize[];
}

type Fields = Record<string, unknown>;

/** Metrics collects samples. */
export class Metrics {
  readonly hosts = new Map<string, Host>();
  readonly natsSeries = new Series();
  nats: Nats | undefined;
  /** arrived is when the last sample came, by this machine's clock; 0 for never. */
  arrived = 0;
  /** version changes, once a frame, when there is something new to draw. */
  readonly version = new Cell(0);
  private changed = perFrame(() => this.version.set(this.version.get() + 1));

  /** end is the time of the newest sample in seconds: the right edge of every chart. */
  get end(): number {
    let end = this.natsSeries.last;
    for (const h of this.hosts.values()) end = Math.max(end, h.series.last);
    return end;
  }

  /** begin is the time of the oldest sample in seconds, end if there is none. */
  get begin(): number {
    const all = [this.natsSeries, ...[...this.hosts.values()].map((h) => h.series)];
    return all.reduce((begin, s) => Math.min(begin, s.x[0] ?? begin), this.end);
  }

  /** event takes one event of the feed; others are ignored. */
  event(raw: string): void {
    const e = parseEnvelope(raw);
    const time = Date.parse(e?.time ?? "") / 1000;
    const data = e?.data;
    if (!e || !(time > 0) || typeof data !== "object" || data === null) return;
    if (e.type === "host.metrics") this.host(time, data as Fields);
    else if (e.type === "nats.metrics") this.server(time, data as Fields);
    else return;
    this.arrived = Date.now();
    this.changed();
  }

  private host(time: number, d: Fields): void {
    const name = String(d.host ?? "");
    let h = this.hosts.get(name);
    if (!h) {
      if (this.hosts.size >= MAX_HOSTS) return;
      h = { name, series: new Series(), cpus: 0, memTotal: 0, uptime: 0 };
      this.hosts.set(name, h);
    }
    h.cpus = number(d.cpu_count);
    h.memTotal = number(d.mem_total);
    h.uptime = number(d.uptime_s);
    h.series.push(time, {
      cpu: known(d.cpu_percent), mem: known(d.mem_used),
      load1: known(d.load1), load5: known(d.load5), load15: known(d.load15),
      rx: known(d.net_rx_bytes_per_s), tx: known(d.net_tx_bytes_per_s),
    });
  }

  private server(time: number, d: Fields): void {
    const streams = readStreams(d.streams);
    const sizes: Record<string, number> = {};
    let total = 0;
    for (const s of streams) {
      sizes[`stream:${s.name}`] = s.bytes;
      total += s.bytes;
    }
    this.nats = {
      server: String(d.server ?? ""), version: String(d.version ?? ""),
      memory: known(d.mem_bytes), cpu: known(d.cpu_percent), streams,
    };
    this.natsSeries.push(time, {
      ...sizes, total,
      inMsgs: known(d.in_msgs_per_s), outMsgs: known(d.out_msgs_per_s),
      inBytes: known(d.in_bytes_per_s), outBytes: known(d.out_bytes_per_s),
      connections: known(d.connections), subscriptions: known(d.subscriptions), slow: known(d.slow_consumers),
    });
  }
}

function readStreams(v: unknown): StreamSize[] {
  if (!Array.isArray(v)) return [];
  const streams: StreamSize[] = [];
  for (const s of v.slice(0, MAX_STREAMS) as Fields[]) {
    if (typeof s !== "object" || s === null || typeof s.name !== "string") continue;
    streams.push({
      name: s.name, messages: number(s.messages), bytes: number(s.bytes),
      consumers: number(s.consumers), maxBytes: number(s.max_bytes),
    });
  }
  return streams.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** known makes a finite number or null: null means that the producer could not find out, and
 * nothing is drawn there. */
function known(v: unknown): number | null {
  return typeof v === "number" && Number.isFinite(v) ? v : null;
}

/** number is known with 0 for what is not. */
function number(v: unknown): number {
  return known(v) ?? 0;
}
