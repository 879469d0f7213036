// A stream is one subscription that heals itself: it connects, reads, notices silence, waits and
// resumes at its cursor. It knows nothing of a page and nothing of Preact; time, chance and fetch
// can be replaced, so tests need neither a server nor a clock.

import { delay, retryAfter, type Hints } from "./backoff.ts";
import { Cell, type Readable } from "./cell.ts";
import { Parser, type Message } from "./sse.ts";
import { parseObject, readProblem, type Bye, type Hello, type Problem } from "./wire.ts";

/** HELLO_MS is how long an accepted stream may stay mute: a proxy that holds the body back
 * answers 200 and then says nothing, so only the hello proves that a stream works. */
export const HELLO_MS = 10_000;
/** HEARTBEAT_MS is assumed until the hello says better. */
export const HEARTBEAT_MS = 15_000;
/** MISSED is the silence, in heartbeats, after which a stream is given up. */
export const MISSED = 2.5;

/** State is what a stream is doing. */
export type State =
  | { name: "idle" }
  | { name: "connecting" }
  | { name: "catching-up" }
  | { name: "live" }
  | { name: "waiting"; retryAt: number; reason: string }
  | { name: "offline"; retryAt: number; reason: string }
  | { name: "denied"; problem: Problem };

/** Facts is what a stream knows about itself, for people who look closely. */
export interface Facts {
  conn: string;
  node: string;
  cursor: string;
  topics: string[];
  heartbeatMs: number;
  /** lastByte is when anything arrived last, in milliseconds since 1970; 0 for never. */
  lastByte: number;
  /** reconnects counts the streams opened after the first one that worked. */
  reconnects: number;
  /** events counts the ordinary events received. */
  events: number;
}

/** Environment is the outside world. */
export interface Environment {
  fetch(url: string, init: RequestInit): Promise<Response>;
  now(): number;
  random(): number;
  online(): boolean;
  setTimeout(f: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Options describe one subscription. */
export interface Options {
  /** url is the endpoint without a query, such as "/v1/events". */
  url: string;
  topics: string[];
  /** token returns the bearer token; "" sends none (a cookie may do). It is asked each time. */
  token(): string;
  /** cursor is where to begin; "" begins now, or rewind events back. */
  cursor?: string;
  /** rewind asks for the last events of each topic while there is no cursor. */
  rewind?: number;
  /** event is called for each ordinary event, in order. */
  event(m: Message): void;
  /** control is called for each event of type tidings.…, with its data. */
  control?(type: string, data: Record<string, unknown>): void;
}

const PREFIX = "tidings.";

/** Stream is one subscription. start it, let it rest when nobody looks, stop it when done. */
export class Stream {
  private readonly cell = new Cell<State>({ name: "idle" });
  /** state changes whenever the stream does something else. */
  readonly state: Readable<State> = this.cell;
  readonly facts: Facts;

  private abort: AbortController | undefined;
  private timer: unknown; // the watchdog while reading, the next attempt while waiting
  private attempt = 0;
  private hints: Hints = {};
  private bye: Bye | undefined;
  private worked = false;

  constructor(private options: Options, private env: Environment = browser()) {
    this.facts = {
      conn: "", node: "", cursor: options.cursor ?? "", topics: options.topics,
      heartbeatMs: HEARTBEAT_MS, lastByte: 0, reconnects: 0, events: 0,
    };
  }

  /** start begins, or goes on after a rest where the stream was left. */
  start(): void {
    if (this.cell.get().name === "idle") void this.connect();
  }

  /** stop ends the stream for good; its state becomes idle. */
  stop(): void {
    this.leave();
    this.cell.set({ name: "idle" });
  }

  /** rest lets the connection go until start. What was denied stays so. */
  rest(): void {
    if (this.cell.get().name !== "denied") this.stop();
  }

  /** skip makes a resting stream forget its place: start begins now then, or rewind events back. */
  skip(): void {
    this.facts.cursor = "";
  }

  /** retryNow ends a wait. It does nothing in any other state. */
  retryNow(): void {
    const { name } = this.cell.get();
    if (name === "waiting" || name === "offline") void this.connect();
  }

  /** check is for moments at which time may have jumped: a page shown again, a network that came
   * back, a laptop that woke. Timers can't be trusted then, and neither can the socket. */
  check(): void {
    const { name } = this.cell.get();
    if (name === "waiting" || name === "offline") return void this.connect();
    if (name !== "live" && name !== "catching-up") return;
    if (this.env.now() - this.facts.lastByte > MISSED * this.facts.heartbeatMs) void this.connect();
  }

  private leave(): void {
    this.env.clearTimeout(this.timer);
    const abort = this.abort;
    this.abort = undefined;
    abort?.abort();
  }

  private async connect(): Promise<void> {
    this.leave();
    const abort = new AbortController();
    this.abort = abort;
    this.bye = undefined;
    this.cell.set({ name: "connecting" });
    this.watch(HELLO_MS, "The stream stayed silent.");
    let reason = "The stream ended.";
    try {
      const response = await this.env.fetch(this.address(), this.request(abort.signal));
      if (this.abort !== abort) return;
      if (!response.ok || !response.body || response.status === 204) return await this.refused(response, abort);
      await this.read(response.body, abort);
    } catch (e) {
      reason = e instanceof RangeError ? e.message : "The connection broke.";
    }
    if (this.abort === abort) this.ended(reason);
  }

  private address(): string {
    const q = new URLSearchParams({ topics: this.options.topics.join(",") });
    if (this.facts.cursor) q.set("cursor", this.facts.cursor);
    else if (this.options.rewind) q.set("rewind", String(this.options.rewind));
    return `${this.options.url}?${q}`;
  }

  private request(signal: AbortSignal): RequestInit {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    const token = this.options.token();
    if (token) headers.Authorization = `Bearer ${token}`;
    return { headers, signal, cache: "no-store" };
  }

  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const reader = body.getReader();
    const parser = new Parser({
      message: (m) => this.abort === abort && this.message(m),
      id: (id) => {
        if (this.abort === abort) this.facts.cursor = id;
      },
      retry: (ms) => void (this.hints.retry = ms),
    }, this.facts.cursor);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.abort !== abort) return;
        this.facts.lastByte = this.env.now();
        // Before the hello the first deadline stands, whatever bytes come.
        if (this.cell.get().name !== "connecting") this.pat();
        parser.push(value);
        if (this.bye) return;
      }
    } finally {
      abort.abort();
    }
  }

  private message(m: Message): void {
    if (!m.type.startsWith(PREFIX)) {
      this.facts.events++;
      return this.options.event(m);
    }
    const data = parseObject(m.data);
    if (!data) return;
    switch (m.type) {
      case "tidings.hello":
        this.hello(data as unknown as Hello);
        break;
      case "tidings.live":
        this.attempt = 0;
        this.cell.set({ name: "live" });
        break;
      case "tidings.bye":
        this.bye = data as unknown as Bye;
        break;
    }
    this.options.control?.(m.type, data);
  }

  private hello(h: Hello): void {
    if (this.worked) this.facts.reconnects++;
    this.worked = true;
    this.facts.conn = String(h.conn ?? "");
    this.facts.node = String(h.node ?? "");
    if (Array.isArray(h.topics)) this.facts.topics = h.topics.map(String);
    if (h.heartbeat_ms > 0) this.facts.heartbeatMs = h.heartbeat_ms;
    this.cell.set({ name: "catching-up" });
    this.pat();
  }

  /** pat restarts the watchdog: something arrived. */
  private pat(): void {
    this.watch(MISSED * this.facts.heartbeatMs, "The stream fell silent.");
  }

  private watch(ms: number, reason: string): void {
    this.env.clearTimeout(this.timer);
    this.timer = this.env.setTimeout(() => this.ended(reason), ms);
  }

  private async refused(response: Response, abort: AbortController): Promise<void> {
    const problem = await readProblem(response);
    if (this.abort !== abort) return;
    const temporary = response.status >= 500 || [408, 425, 429].includes(response.status);
    if (!temporary) return this.deny(problem);
    this.hints.least = retryAfter(response.headers.get("Retry-After"), this.env.now());
    this.ended(problem.detail);
  }

  private deny(problem: Problem): void {
    this.leave();
    this.cell.set({ name: "denied", problem });
  }

  private ended(reason: string): void {
    this.leave();
    const bye = this.bye;
    if (bye && bye.return === false) {
      return this.deny({ status: 200, code: bye.code ?? "", detail: bye.reason ?? "", hint: "" });
    }
    if (bye) this.hints.least = bye.retry_ms;
    const ms = delay(this.attempt++, this.hints, this.env.random);
    this.hints.least = 0;
    const name = this.env.online() ? "waiting" : "offline";
    this.cell.set({ name, retryAt: this.env.now() + ms, reason: bye?.reason || reason });
    this.timer = this.env.setTimeout(() => void this.connect(), ms);
  }
}

/** browser is the real world. navigator.onLine only chooses the word for a wait: it says false
 * with a working loopback and true behind a dead router, so nothing depends on it. */
function browser(): Environment {
  return {
    fetch: (url, init) => fetch(url, init),
    now: Date.now,
    random: Math.random,
    online: () => navigator.onLine,
    setTimeout: (f, ms) => setTimeout(f, ms),
    clearTimeout: (t) => clearTimeout(t as number | undefined),
  };
}
