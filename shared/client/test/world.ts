// A server, a clock and a die under a test's control.

import type { Environment, Moment } from "../src/environment.ts";

/** Request is one request that the client made. */
export interface Request {
  url: URL;
  path: string;
  init: RequestInit;
  token: string | null;
  body: any;
}

/** Script answers requests of a path that begins so. */
export type Script = (r: Request) => Response | Promise<Response>;

/** World is an Environment whose server is at /rt. Nothing in it happens by itself. */
export class World implements Environment {
  time = 1_000_000;
  dice = 0.5;
  up = true;
  unseen = false;
  requests: Request[] = [];
  scripts: [prefix: string, script: Script][] = [];
  sockets: FakeSocket[] = [];
  stored = new Map<string, string>();
  private timers = new Map<number, { at: number; f: () => void }>();
  private next = 1;
  private listeners = new Set<(m: Moment) => void>();
  private writer: ReadableStreamDefaultController<Uint8Array> | undefined;

  now = () => this.time;
  random = () => this.dice;
  online = () => this.up;
  hidden = () => this.unseen;
  memory = () => ({
    getItem: (k: string) => this.stored.get(k) ?? null,
    setItem: (k: string, v: string) => void this.stored.set(k, v),
  });
  moments = (fn: (m: Moment) => void) => {
    this.listeners.add(fn);
    return () => void this.listeners.delete(fn);
  };
  later = (f: () => void, ms: number) => {
    const timer = this.next++;
    this.timers.set(timer, { at: this.time + ms, f });
    return () => void this.timers.delete(timer);
  };
  socket = (url: string) => {
    const s = new FakeSocket(url);
    this.sockets.push(s);
    return s as unknown as WebSocket;
  };
  fetch = (url: string, init: RequestInit) => {
    if (init.signal?.aborted) return Promise.reject(new DOMException("aborted", "AbortError"));
    const u = new URL(url);
    const r: Request = {
      url: u, path: u.pathname.replace(/^\/rt/, ""), init,
      token: new Headers(init.headers).get("Authorization"),
      body: init.body ? JSON.parse(String(init.body)) : undefined,
    };
    this.requests.push(r);
    const script = this.scripts.find(([prefix]) => r.path.startsWith(prefix));
    const answer = Promise.resolve().then(() => (script ? script[1](r) : r.path === "/v1/events" ? this.stream() : problem(404, "not_found")));
    // As a browser does, it fails at once when the request is given up.
    return new Promise<Response>((resolve, reject) => {
      const stop = () => reject(new DOMException("aborted", "AbortError"));
      init.signal?.addEventListener("abort", stop);
      answer.then(resolve, reject);
    });
  };

  /** on answers requests of a path; the latest script for a path wins. */
  on(prefix: string, script: Script): void {
    this.scripts.unshift([prefix, script]);
  }
  /** to returns the requests of a path. */
  to(prefix: string): Request[] {
    return this.requests.filter((r) => r.path.startsWith(prefix));
  }
  /** stream makes an open stream, to which write writes. */
  stream(): Response {
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (this.writer = c) });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }
  async write(text: string): Promise<void> {
    try {
      this.writer!.enqueue(new TextEncoder().encode(text));
    } catch {
      // The client has gone.
    }
    await settle();
  }
  async end(): Promise<void> {
    this.writer!.close();
    await settle();
  }
  async broken(): Promise<void> {
    this.writer!.error(new TypeError("network error"));
    await settle();
  }
  /** pass lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      let first: [number, { at: number; f: () => void }] | undefined;
      for (const t of this.timers) if (t[1].at <= end && (!first || t[1].at < first[1].at)) first = t;
      if (!first) break;
      this.timers.delete(first[0]);
      this.time = Math.max(this.time, first[1].at);
      first[1].f();
      await settle();
    }
    this.time = end;
    await settle();
  }
  /** sleep is a closed lid: time passes, timers do not. */
  async sleep(ms: number): Promise<void> {
    this.time += ms;
    for (const t of this.timers.values()) t.at += ms - 1;
    await this.pass(1);
  }
  async moment(m: Moment): Promise<void> {
    for (const fn of [...this.listeners]) fn(m);
    await settle();
  }
  get waiting(): number {
    return this.timers.size;
  }
}

/** FakeSocket is a WebSocket whose server is the test. */
export class FakeSocket {
  sent: any[] = [];
  closed = false;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;
  constructor(readonly url: string) {}
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(code = 1006, reason = ""): void {
    if (this.closed) return;
    this.closed = true;
    queueMicrotask(() => this.onclose?.({ code, reason }));
  }
  async say(...messages: object[]): Promise<void> {
    for (const m of messages) this.onmessage?.({ data: JSON.stringify(m) });
    await settle();
  }
}

/** settle lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise((r) => setImmediate(r));
}

/** problem is a refusal. */
export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ code, title: code, detail: `It is ${code}.`, hint: "Do better.", status }), { status, headers: { "Content-Type": "application/problem+json", ...headers } });
}

export const json = (v: unknown): Response => new Response(JSON.stringify(v), { headers: { "Content-Type": "application/json" } });

/** jwt is a token of a user; n makes it another one. */
export const jwt = (sub: string, n = 0): string => `h.${Buffer.from(JSON.stringify({ sub, n })).toString("base64url")}.s`;

/** hello opens a stream at a position. */
export const hello = (topics: string[], seq = 5, conn = "C1"): string =>
  `id: e-${seq}\nevent: tidings.hello\ndata: ${JSON.stringify({ conn, node: "n1", epoch: "e", cursor: `e-${seq}`, topics, resumed: false, heartbeat_ms: 1000 })}\n\n`;
export const live = `event: tidings.live\ndata: {"cursor":"e-5"}\n\n`;
/** event is one of the log. */
export const event = (seq: number, topic = "room.a", type = "t", data: unknown = seq, id = ""): string =>
  `id: e-${seq}\nevent: ${type}\ndata: ${JSON.stringify({ topic, type, id, data })}\n\n`;
/** control is a control event without a position. */
export const control = (type: string, data: object): string => `event: tidings.${type}\ndata: ${JSON.stringify(data)}\n\n`;
