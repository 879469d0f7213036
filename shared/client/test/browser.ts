// A browser with tabs that meet on Web Locks, BroadcastChannels and SharedWorkers, and may die.

import { connect, type Client, type Options } from "../src/client.ts";
import type { Message } from "../src/message.ts";
import { serve } from "../src/share/worker.ts";
import type { Grounds } from "../src/share/words.ts";
import { hello, json, live, settle, World } from "./world.ts";

interface Held { name: string; tab: Tab; let: () => void }

/** Browser is one profile. */
export class Browser {
  tabs: Tab[] = [];
  channels = new Set<{ tab: Tab; name: string; port: any }>();
  held: Held[] = [];
  queue: { name: string; tab: Tab; grant: () => void; cancelled: boolean }[] = [];
  workers = new Map<string, { scope: any; tab: Tab }>();
  /** broken makes SharedWorkers fail: "throw" or "error" or "mute". */
  broken = "";
  /** auto is the position at which streams say hello by themselves; 0 for never. */
  auto = 0;

  constructor(readonly has: (keyof Grounds)[]) {}

  /** open opens a page that listens to room.a, unless the topics say otherwise. */
  async open(options: Options = {}, topics = ["a"]): Promise<Tab> {
    const tab = new Tab(this);
    this.tabs.push(tab);
    tab.load(options, topics);
    await settle();
    return tab;
  }

  /** streams are the open connections to the server. */
  get streams(): Tab[] {
    return [...this.tabs, ...[...this.workers.values()].map((w) => w.tab)].filter((t) => !t.dead && t.world.to("/v1/events").some((r) => !r.init.signal!.aborted));
  }

  /** pass lets time pass everywhere. */
  async pass(ms: number, step = 50): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      for (const t of [...this.tabs, ...[...this.workers.values()].map((w) => w.tab)]) if (!t.dead && !t.frozen) await t.world.pass(Math.min(step, left));
    }
  }

  grounds(tab: Tab): Grounds {
    const all: Grounds = { SharedWorker: this.worker(tab) as any, BroadcastChannel: this.channel(tab) as any, locks: this.locks(tab) as any };
    return Object.fromEntries(this.has.map((k) => [k, all[k]]));
  }

  private locks(tab: Tab) {
    const browser = this;
    return {
      request(name: string, a: any, b?: any): Promise<unknown> {
        const [options, fn] = b ? [a, b] : [{}, a];
        return new Promise((resolve, reject) => {
          if (options.signal?.aborted) return reject(new DOMException("aborted", "AbortError"));
          const entry = { name, tab, cancelled: false, grant: () => {
            const held: Held = { name, tab, let: () => {} };
            browser.held.push(held);
            const release = () => {
              browser.held = browser.held.filter((h) => h !== held);
              browser.next();
            };
            held.let = () => {
              release();
              reject(new DOMException("stolen", "AbortError"));
            };
            Promise.resolve(fn({ name })).then((v) => {
              if (browser.held.includes(held)) release();
              resolve(v);
            }, reject);
          } };
          options.signal?.addEventListener("abort", () => {
            if (!browser.queue.includes(entry)) return;
            entry.cancelled = true;
            browser.queue = browser.queue.filter((q) => q !== entry);
            reject(new DOMException("aborted", "AbortError"));
          });
          if (options.steal) {
            browser.queue.unshift(entry);
            for (const h of browser.held.filter((h) => h.name === name)) h.let();
          } else browser.queue.push(entry);
          queueMicrotask(() => browser.next());
        });
      },
    };
  }

  /** next grants what is free. */
  next(): void {
    for (const q of [...this.queue]) {
      if (q.cancelled || q.tab.dead || this.held.some((h) => h.name === q.name)) continue;
      this.queue = this.queue.filter((x) => x !== q);
      q.grant();
    }
  }

  private channel(tab: Tab) {
    const browser = this;
    return class {
      onmessage: ((e: { data: unknown }) => void) | null = null;
      entry: { tab: Tab; name: string; port: any };
      constructor(name: string) {
        this.entry = { tab, name, port: this };
        browser.channels.add(this.entry);
      }
      postMessage(data: unknown): void {
        const copy = structuredClone(data);
        for (const c of browser.channels) if (c.name === this.entry.name && c !== this.entry) queueMicrotask(() => c.tab.dead || c.port.onmessage?.({ data: copy }));
      }
      close(): void {
        browser.channels.delete(this.entry);
      }
    };
  }

  private worker(tab: Tab) {
    const browser = this;
    return class {
      port: MessagePort;
      onerror: (() => void) | null = null;
      constructor(_script: URL, name: string) {
        if (browser.broken === "throw") throw new DOMException("no", "SecurityError");
        const [mine, its] = [new Port(), new Port()];
        mine.other = its;
        its.other = mine;
        mine.alive = () => !tab.dead;
        this.port = mine as unknown as MessagePort;
        if (browser.broken === "error") queueMicrotask(() => this.onerror?.());
        if (browser.broken) return;
        let w = browser.workers.get(name);
        if (!w || w.tab.dead) {
          w = { scope: {}, tab: new Tab(browser) };
          browser.workers.set(name, w);
          serve(w.scope, w.tab.world, browser.grounds(w.tab));
        }
        const worker = w;
        its.alive = () => !worker.tab.dead;
        worker.scope.onconnect({ ports: [its] });
      }
    };
  }
}

class Port {
  onmessage: ((e: { data: unknown }) => void) | null = null;
  other!: Port;
  alive = () => true;
  private shut = false;
  postMessage(data: unknown): void {
    const copy = structuredClone(data);
    if (!this.shut) queueMicrotask(() => this.other.alive() && this.other.onmessage?.({ data: copy }));
  }
  close(): void {
    this.shut = true;
  }
}

/** Tab is a page, or a worker. */
export class Tab {
  world = new World();
  dead = false;
  /** frozen tabs keep what they hold and do nothing. */
  frozen = false;
  rt!: Client;
  seen: Message[] = [];
  gaps: string[] = [];

  constructor(private browser: Browser) {
    (this.world as { grounds?: Grounds }).grounds = browser.grounds(this);
    this.world.on("/v1/connections/", (r) => json({ topics: [...new Set([...r.body.add])] }));
    this.world.on("/v1/events", () => {
      const response = this.world.stream();
      if (browser.auto) void this.answer(browser.auto);
      return response;
    });
    this.world.on("/v1/tickets", () => json({ ticket: "T" }));
    this.world.on("/v1/topics/", () => json({ events: [], cursor: "e-5", more: false }));
  }

  load(options: Options, topics: string[]): void {
    this.rt = connect({ url: "http://edge/rt", ...options }, this.world);
    for (const t of topics) {
      this.rt.room(t).on("*", (m) => this.seen.push(m));
      this.rt.room(t).onGap((g) => this.gaps.push(`${t} ${g.reason}`));
    }
  }

  get data(): unknown[] {
    return this.seen.map((m) => m.data);
  }
  get state(): string {
    return this.rt.status.get().state;
  }

  /** answer says hello and live to the stream that this tab has open. */
  async answer(seq = 5): Promise<void> {
    const r = this.world.to("/v1/events").at(-1)!;
    const topics = r.url.searchParams.get("topics")!.split(",");
    await this.world.write(hello(topics, seq).replace('"heartbeat_ms":1000', '"heartbeat_ms":600000') + live);
  }

  /** die is a crash: nothing is said, and what it held is free. */
  async die(): Promise<void> {
    this.dead = true;
    for (const c of this.browser.channels) if (c.tab === this) this.browser.channels.delete(c);
    this.browser.queue = this.browser.queue.filter((q) => q.tab !== this);
    this.browser.held = this.browser.held.filter((h) => h.tab !== this);
    this.browser.next();
    await settle();
  }
}
