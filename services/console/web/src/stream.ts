// A stream is one subscription that heals itself. The client package's connection does all of that;
// this page adds what operators want to see: every event as it was sent, and facts.

import { apiOf } from "../../../../shared/client/src/api.ts";
import { connectionOf, type Connection } from "../../../../shared/client/src/connection.ts";
import { browser, type Environment } from "../../../../shared/client/src/environment.ts";
import { thrown } from "../../../../shared/client/src/fault.ts";
import { parser } from "../../../../shared/client/src/sse.ts";
import type { Note, Status } from "../../../../shared/client/src/status.ts";
import type { Transport } from "../../../../shared/client/src/transport.ts";
import { CONTROL, type Frame } from "../../../../shared/client/src/wire.ts";
import { Cell, type Readable } from "./cell.ts";
import type { Problem } from "./ask.ts";
import { parseObject } from "./wire.ts";

/** State is what a stream is doing. */
export type State =
  | { name: "idle" | "connecting" | "catching-up" | "live" }
  | { name: "waiting" | "offline"; retryAt: number; reason: string }
  | { name: "denied"; problem: Problem };

/** Message is one event. */
export interface Message {
  type: string;
  /** data is the envelope as it was sent. */
  data: string;
  /** id is its cursor, "" if it is ephemeral. */
  id: string;
}

/** Facts is what a stream knows about itself, for people who look closely. */
export interface Facts {
  conn: string;
  node: string;
  cursor: string;
  topics: string[];
  /** lastByte is when anything arrived last, in milliseconds since 1970; 0 for never. */
  lastByte: number;
  /** reconnects counts the streams opened after the first one that worked. */
  reconnects: number;
  /** events counts the ordinary events received. */
  events: number;
}

/** Options describe one subscription. */
export interface Options {
  topics: string[];
  /** token returns the bearer token; "" sends none (a cookie may do). It is asked each time. */
  token(): string;
  /** cursor is where to begin; "" begins now, or rewind events back. */
  cursor?: string;
  /** rewind asks for the last events of each topic while there is no cursor. */
  rewind?: number;
  /** event is called for each ordinary event, in order. */
  event(m: Message): void;
  /** control is called for each event of type tidings.…, with its data, and with "refused" for a
   * topic that the server leaves out. */
  control?(type: string, data: Record<string, unknown>): void;
}

/** Stream is one subscription. start it, let it rest when nobody looks, stop it when done. */
export class Stream {
  private readonly cell = new Cell<State>({ name: "idle" });
  /** state changes whenever the stream does something else. */
  readonly state: Readable<State> = this.cell;
  readonly facts: Facts;
  private connection: Connection | undefined;

  constructor(private options: Options, private env: Environment = browser()) {
    this.facts = { conn: "", node: "", cursor: options.cursor ?? "", topics: options.topics, lastByte: 0, reconnects: 0, events: 0 };
  }

  /** start begins, or goes on after a rest where the stream was left. */
  start(): void {
    if (this.connection) return;
    const { topics, rewind, token } = this.options;
    const api = apiOf("", async () => token(), this.env);
    const settings = { ways: [["sse", this.transport] as ["sse", Transport]], cursor: this.facts.cursor || undefined, rewind };
    const mine = connectionOf(api, settings, this.env, (note) => this.connection === mine && this.note(note));
    this.connection = mine;
    mine.want(topics, undefined);
  }

  /** stop ends the stream; its state becomes idle. */
  stop(): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.close();
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
    if ("retryAt" in this.cell.get()) this.connection?.retry();
  }

  /** check is for moments at which time may have jumped: a page shown again, a network that came
   * back, a laptop that woke. */
  check(): void {
    this.connection?.check(false);
  }

  private note(n: Note): void {
    if (n.note === "status") this.cell.set(stateOf(n.status));
    else if (n.note === "refused") this.options.control?.("refused", { topic: n.topic, reason: n.error.detail });
  }

  /** transport is the client's first way, but hands out what was sent before it is parsed: large
   * numbers stay what they are. */
  private readonly transport: Transport = ({ api, token, query }, sink) => {
    const abort = new AbortController();
    const { signal } = abort;
    const push = parser({
      retry: (ms) => signal.aborted || sink.retry(ms),
      block: (type, text, cursor) => {
        if (signal.aborted) return;
        if (cursor) this.facts.cursor = cursor;
        const frame: Frame = { ...(cursor && { cursor }) };
        if (text !== undefined) {
          frame.type = type;
          if (type.startsWith(CONTROL)) {
            const data = parseObject(text);
            if (!data) return;
            frame.data = data;
            this.control(type, data);
          } else {
            this.facts.events++;
            this.options.event({ type, data: text, id: cursor ?? "" });
          }
        }
        sink.frame(frame);
      },
    });
    const read = async () => {
      const reader = (await api.send(`/v1/events?${query}`, token, signal)).body!.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) return;
        this.facts.lastByte = this.env.now();
        sink.alive();
        push(value);
      }
    };
    const end = (e?: unknown) => {
      if (signal.aborted) return;
      abort.abort();
      sink.end(e ? thrown(e) : undefined);
    };
    read().then(end, end);
    return { close: () => abort.abort() };
  };

  private control(type: string, data: Record<string, unknown>): void {
    if (type === "tidings.hello") {
      const { facts } = this;
      if (facts.conn) facts.reconnects++;
      facts.conn = String(data.conn);
      facts.node = String(data.node);
      if (Array.isArray(data.topics)) facts.topics = data.topics.map(String);
    }
    this.options.control?.(type, data);
  }
}

function stateOf(s: Status): State {
  if (s.state === "denied") return { name: "denied", problem: { status: 0, code: s.code, detail: s.reason, hint: s.hint } };
  if (s.state === "waiting" || s.state === "offline") return { name: s.state, retryAt: s.retryAt, reason: s.reason };
  return { name: s.state };
}
