// A server of inboxes under a test's control: what the notifier does, as simple as it can be, and
// clients of it whose lines are as slow, and as repetitive, as chance wants.

import type { Client } from "../src/client.ts";
import { TidingsError } from "../src/fault.ts";
import type { Clock } from "../src/inbox/clock.ts";
import type { Entry, Item, Op, State } from "../src/inbox/fold.ts";
import { cell } from "../src/store.ts";

/** dice returns a source of chance that is the same each time. */
export function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Fact is what was done with one item, without watermarks. */
interface Fact { item: Item; read: boolean; seen: boolean; archived: boolean; until: number }

/** Facts is an inbox without cleverness: what all others are held to. */
export class Facts {
  facts: Fact[] = []; // the oldest first
  rev = 0;

  constructor(public now: number, private random: () => number) {}

  put(item: Partial<Item>): Item {
    const n = Math.max((this.facts.at(-1)?.item.n ?? 0) + 1, this.now * 1_000);
    const whole = { n, id: "i" + n, at: new Date(this.now).toISOString(), ...item };
    this.facts.push({ item: whole, read: false, seen: false, archived: false, until: 0 });
    return whole;
  }

  do(op: Op): void {
    const each = (ids: string[] | undefined, fn: (f: Fact) => void) => {
      for (const id of ids ?? []) {
        for (const f of this.facts.filter((f) => f.item.id === id)) {
          f.until = 0;
          fn(f);
        }
      }
    };
    if (op.read === "all") this.facts.forEach((f) => (f.read ||= f.until <= this.now));
    else each(op.read, (f) => (f.read = true));
    each(op.unread, (f) => (f.read = false));
    each(op.archived, (f) => (f.archived = true));
    each(op.unarchived, (f) => (f.archived = false));
    for (const { id, until } of op.snoozed ?? []) each([id], (f) => Date.parse(until) > this.now && Object.assign(f, { read: false, archived: false, until: Date.parse(until) }));
    this.facts.forEach((f) => (f.seen ||= f.item.n <= (op.seen ?? 0)));
    this.rev++;
  }

  /** state puts it into watermarks, of which any will do. */
  state(): State {
    const numbers = (of: Fact[]) => of.map((f) => f.item.n);
    const read_to = [0, ...numbers(this.facts)][Math.floor(this.random() * (this.facts.length + 1))]!;
    return {
      rev: this.rev, read_to, seen_to: Math.max(0, ...numbers(this.facts.filter((f) => f.seen))),
      read: numbers(this.facts.filter((f) => f.read && f.item.n > read_to)),
      unread: numbers(this.facts.filter((f) => !f.read && f.item.n <= read_to)),
      archived: numbers(this.facts.filter((f) => f.archived)),
      snoozed: this.facts.filter((f) => f.until > this.now).map((f) => ({ n: f.item.n, until: new Date(f.until).toISOString() })),
    };
  }

  /** view is what a person sees. */
  view(now = this.now) {
    const last = (f: Fact) => !this.facts.some((o) => o.item.collapse && o.item.collapse === f.item.collapse && o.item.n > f.item.n);
    const seenTo = Math.max(0, ...this.facts.filter((f) => f.seen).map((f) => f.item.n));
    const items = this.facts.filter((f) => last(f) && !(Date.parse(f.item.expires ?? "") <= now)).reverse().map((f): Entry => ({
      ...f.item, read: f.read, seen: f.item.n <= seenTo, archived: f.archived, snoozed_until: f.until > now ? new Date(f.until).toISOString() : undefined,
    }));
    const open = items.filter((e) => !e.read && !e.archived && !e.snoozed_until);
    return { items, unread: open.length, unseen: open.filter((e) => !e.seen).length };
  }

  page(before = Infinity, limit = 50) {
    const all = this.view().items.filter((e) => e.n < before);
    const items = all.slice(0, limit);
    return { items, state: this.state(), cursor: "e-1", ...(all.length > limit ? { next: items.at(-1)!.n } : {}) };
  }
}

/** Time is a clock that only a test moves. */
export class Time implements Clock {
  private timers = new Map<object, { at: number; f: () => void }>();
  constructor(public at = Date.parse("2026-03-01T12:00:00Z")) {}
  now = () => this.at;
  later = (f: () => void, ms: number) => {
    const key = {};
    this.timers.set(key, { at: this.at + ms, f });
    return () => void this.timers.delete(key);
  };
  pass(ms: number): void {
    const end = this.at + ms;
    for (;;) {
      const [key, timer] = [...this.timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!key) break;
      this.timers.delete(key);
      this.at = Math.max(this.at, timer!.at);
      timer!.f();
    }
    this.at = end;
  }
  get waiting(): number {
    return this.timers.size;
  }
}

/** Call is a request that waits for the test's answer. */
export interface Call { path: string; body: any; method: string | undefined; answer(v: unknown): void; refuse(e: TidingsError): void }

/** Device is a client without a network: requests wait in calls, events are told by say. */
export class Device {
  calls: Call[] = [];
  ready = cell<string[]>(["user"]);
  private listeners = new Map<string, Set<(data: unknown) => void>>();
  private gaps = new Set<(gap: { reason: string }) => void>();

  get client(): Client<any> {
    const on = <T>(set: Set<T>, fn: T) => {
      set.add(fn);
      return () => void set.delete(fn);
    };
    const topic = {
      pattern: "user",
      on: (type: string, fn: (data: unknown) => void) => on(this.listeners.get(type) ?? this.listeners.set(type, new Set()).get(type)!, fn),
      onGap: (fn: (gap: { reason: string }) => void) => on(this.gaps, fn),
    };
    const call = (path: string, body: unknown, _ms?: number, _signal?: AbortSignal, method?: string) =>
      new Promise((answer, refuse) => this.calls.push({ path, body: body && structuredClone(body), method, answer, refuse }));
    return { user: () => topic, hub: { api: { call }, ready: this.ready } } as unknown as Client<any>;
  }
  /** say tells an event. */
  say(type: string, data: unknown): void {
    for (const fn of [...(this.listeners.get(type) ?? [])]) fn(structuredClone(data));
  }
  gap(reason: string): void {
    for (const fn of [...this.gaps]) fn({ reason });
  }
  /** heard is how many listen. */
  get heard(): number {
    return [...this.listeners.values()].reduce((n, set) => n + set.size, 0);
  }
  /** take takes the oldest request that waits, which is of that path. */
  take(path: string): Call {
    const call = this.calls.shift();
    if (!call?.path.startsWith(path)) throw new Error(`${path} was not asked, but ${call?.path}`);
    return call;
  }
}

export const refused = (status: number, code = "refused") => new TidingsError(code, "It was refused.", status);

/** randomItem is an item with all that makes folding hard. */
export const randomItem = (random: () => number, now: number) => ({
  ...(random() < 0.3 ? { collapse: random() < 0.5 ? "a" : "b" } : {}),
  ...(random() < 0.3 ? { expires: new Date(now + (random() - 0.3) * 20_000).toISOString() } : {}),
  category: random() < 0.5 ? "orders" : "news",
});
