// The tail is a bounded list of the newest events and what the stream said between them.

import { Cell } from "./cell.ts";
import { perFrame } from "./frame.ts";
import { member } from "./json.ts";
import type { Message } from "./stream.ts";
import { parseEnvelope, type Envelope } from "./wire.ts";

/** MAX_ROWS bounds the list, what gathers while it is paused, and the newest events whether they
 * match the filter or not. */
export const MAX_ROWS = 1_000;
/** REST_MS is the least time between two paintings of the list: at a thousand events a second
 * every row changes each time, and ten lists a second are already more than eyes can follow. */
const REST_MS = 100;

/** EventRow is one event. */
export interface EventRow {
  kind: "event";
  key: number;
  envelope: Envelope;
  /** cursor is the event's position, "" for an ephemeral one. */
  cursor: string;
  time: number;
  /** raw is the envelope as it was sent. */
  raw: string;
  /** data is the text of the event's data within raw. */
  data: string;
}

/** MarkRow is something that happened between events. */
export interface MarkRow {
  kind: "mark";
  key: number;
  tone: "gap" | "note";
  text: string;
  detail: string;
}

export type Row = EventRow | MarkRow;

/** Filter narrows what is kept. */
export interface Filter {
  /** type is a list of types, comma separated, "*" standing for anything; without one, a part
   * of the type is enough. "!" before a type leaves it out. */
  type: string;
  /** text must appear somewhere in the event, in any case. */
  text: string;
}

/** Hold says why the list stands still: "user" pressed pause, "look" scrolled up or opened a row. */
export type Hold = "no" | "look" | "user";

/** Tail is the list. */
export class Tail {
  rows: Row[] = [];
  hold: Hold = "no";
  /** seen counts the events that arrived since the last clear, kept or not. */
  seen = 0;
  /** version changes when there is something new to show. */
  readonly version = new Cell(0);

  private queue: Row[] = []; // arrived since the last frame, and fits the filter
  private passing: Row[] = []; // arrived since the last frame, all of it
  private recent: Row[] = []; // the newest of all that arrived, for the next filter
  private waiting: Row[] = []; // arrived while held
  private nextKey = 1;
  private shown = 0; // the last key before the list was held; newer rows wait
  private matches: (row: Row) => boolean = () => true;
  private flush = perFrame(() => this.take(), REST_MS);

  /** fresh counts the events that wait for the list to move on. */
  get fresh(): number {
    return this.waiting.length;
  }

  /** full says that more waited than can be kept. */
  get full(): boolean {
    return this.waiting.length >= MAX_ROWS;
  }

  /** event takes one event of the stream. */
  event(m: Message): void {
    const envelope = parseEnvelope(m.data);
    if (!envelope) return;
    this.seen++;
    this.add({
      kind: "event", key: this.nextKey++, envelope,
      cursor: m.id,
      time: Date.parse(envelope.time ?? "") || Date.now(),
      raw: m.data, data: member(m.data, "data") || member(m.data, "data_base64"),
    });
  }

  /** mark puts a line between events. */
  mark(tone: MarkRow["tone"], text: string, detail = ""): void {
    this.add({ kind: "mark", key: this.nextKey++, tone, text, detail });
  }

  /** filter changes what is shown and kept from now on. A rare event that fits is never pushed
   * out by the ones you did not ask for. What did not fit until now comes back if it is among the
   * newest of all: a filter is typed letter by letter, and half of one must not cost the list. */
  filter(f: Filter): void {
    this.drain();
    this.matches = matcher(f);
    const known = new Map([...this.recent, ...this.rows, ...this.waiting].map((row) => [row.key, row]));
    const fit = [...known.values()].filter(this.matches).sort((a, b) => a.key - b.key);
    const from = fit.findIndex((row) => row.key > this.shown);
    this.rows = bounded(from < 0 ? fit : fit.slice(0, from), []);
    this.waiting = bounded(from < 0 ? [] : fit.slice(from), []);
    this.bump();
  }

  /** clear empties the list. */
  clear(): void {
    this.rows = [];
    this.queue = [];
    this.passing = [];
    this.recent = [];
    this.waiting = [];
    this.seen = 0;
    this.bump();
  }

  /** pause makes the list stand still. */
  pause(why: "look" | "user"): void {
    if (this.hold === "user" || this.hold === why) return;
    this.drain();
    this.hold = why;
    this.bump();
  }

  /** resume lets the list move again, with everything that waited. */
  resume(): void {
    if (this.hold === "no") return;
    this.hold = "no";
    this.rows = bounded(this.rows, this.waiting);
    this.waiting = [];
    this.drain();
    this.bump();
  }

  private add(row: Row): void {
    if (this.matches(row)) this.queue = pushed(this.queue, row);
    this.passing = pushed(this.passing, row);
    this.flush(); // the counter moves even if the list does not
  }

  private take(): void {
    this.drain();
    this.bump();
  }

  /** drain sorts what arrived into where it belongs. */
  private drain(): void {
    if (this.hold === "no") {
      this.rows = bounded(this.rows, this.queue);
      this.shown = this.nextKey - 1;
    } else this.waiting = bounded(this.waiting, this.queue);
    this.recent = bounded(this.recent, this.passing);
    this.queue = [];
    this.passing = [];
  }

  private bump(): void {
    this.version.set(this.version.get() + 1);
  }
}

/** pushed appends. A hidden page gets no frames; what it can't show is dropped in blocks, not one
 * by one. */
function pushed(list: Row[], row: Row): Row[] {
  list.push(row);
  return list.length >= 2 * MAX_ROWS ? list.slice(-MAX_ROWS) : list;
}

function bounded(old: Row[], fresh: Row[]): Row[] {
  const keep = Math.max(0, MAX_ROWS - fresh.length);
  return [...(keep < old.length ? old.slice(old.length - keep) : old), ...fresh.slice(-MAX_ROWS)];
}

function matcher(f: Filter): (row: Row) => boolean {
  const types = f.type.split(",").map((t) => t.trim().toLowerCase()).filter((t) => t.replace("!", ""));
  const wanted = types.filter((t) => t[0] !== "!").map(glob);
  const unwanted = types.filter((t) => t[0] === "!").map((t) => glob(t.slice(1)));
  const needle = f.text.trim().toLowerCase();
  return (row) => {
    if (row.kind === "mark") return true;
    const type = row.envelope.type.toLowerCase();
    if (unwanted.some((t) => t(type)) || (wanted.length > 0 && !wanted.some((t) => t(type)))) return false;
    return needle === "" || row.raw.toLowerCase().includes(needle);
  };
}

/** glob matches without a regular expression: patterns are typed while events stream in, and
 * must not be able to stall the page. */
function glob(pattern: string): (s: string) => boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return (s) => s.includes(pattern);
  const first = parts[0]!;
  const last = parts[parts.length - 1]!;
  return (s) => {
    if (!s.startsWith(first) || !s.endsWith(last) || s.length < first.length + last.length) return false;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      at = s.indexOf(part, at);
      if (at < 0) return false;
      at += part.length;
    }
    return at <= s.length - last.length;
  };
}
