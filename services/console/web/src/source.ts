// The source feeds the tail: one stream at a time, replaced when other topics or another
// position are asked for.

import { Cell, type Readable } from "./cell.ts";
import { clock } from "./format.ts";
import { Stream, type Message } from "./stream.ts";
import { Tail } from "./tail.ts";
import { parseCursor, type Cursor } from "./wire.ts";

/** REWIND gives the list some history to begin with, for each topic or pattern: enough that two
 * metrics a second leave room for the events of the last minute. */
const REWIND = 200;

/** Source is a tail and its stream. */
export class Source {
  readonly tail = new Tail();
  private readonly cell: Cell<Stream>;
  /** stream is the one that feeds the tail now. */
  readonly stream: Readable<Stream>;

  private lost = 0; // when the stream broke, 0 while it works
  private known: Cursor | undefined; // up to here the tail has been fed, while a rewind may repeat it

  constructor(private topics: string[], private token: () => string) {
    this.cell = new Cell(this.open(""));
    this.stream = this.cell;
  }

  /** start opens the first stream. */
  start(): void {
    this.cell.get().start();
  }

  /** stop ends the stream. */
  stop(): void {
    this.cell.get().stop();
  }

  /** follow begins anew with other topics. */
  follow(topics: string[]): void {
    if (topics.join() === this.topics.join()) return;
    this.topics = topics;
    this.restart("");
  }

  /** replay begins anew after a position. */
  replay(cursor: string): void {
    this.restart(cursor);
    this.tail.mark("note", "Replay", `everything after ${cursor}`);
  }

  /** skip makes a resting stream go on with now. since is when it began to rest. */
  skip(since: number): void {
    const stream = this.cell.get();
    this.known ??= parseCursor(stream.facts.cursor);
    stream.skip();
    this.tail.mark("note", "Away", `since ${clock(since)}; of what came meanwhile the newest ${REWIND} of each topic follow`);
  }

  private restart(cursor: string): void {
    this.cell.get().stop();
    this.lost = 0;
    this.known = undefined;
    this.tail.clear();
    this.tail.resume();
    const next = this.open(cursor);
    this.cell.set(next);
    next.start();
  }

  private open(cursor: string): Stream {
    const stream = new Stream({
      topics: this.topics, token: this.token, cursor, rewind: REWIND,
      event: (m) => this.repeats(m) || this.tail.event(m),
      control: (type, data) => this.control(type, data),
    });
    stream.state.subscribe((s) => {
      if ((s.name === "waiting" || s.name === "offline") && !this.lost && stream.facts.conn) this.lost = Date.now();
    });
    return stream;
  }

  /** repeats says that the tail has the event already. */
  private repeats(m: Message): boolean {
    if (!this.known || !m.id) return false;
    const c = parseCursor(m.id);
    return c !== undefined && c.epoch === this.known.epoch && c.seq <= this.known.seq;
  }

  private control(type: string, data: Record<string, unknown>): void {
    const s = (key: string) => (data[key] === undefined || data[key] === null ? "" : String(data[key]));
    switch (type) {
      case "tidings.gap":
        this.tail.mark("gap", `Gap on ${s("topic") || "all topics"}`,
          [s("reason"), s("after") && `after ${s("after")}`, s("before") && `before ${s("before")}`].filter(Boolean).join(" · "));
        break;
      case "tidings.hello":
        if (this.lost && data.resumed === true) {
          this.tail.mark("note", "Resumed", `nothing missed since ${clock(this.lost)}`);
        }
        this.lost = 0;
        break;
      case "tidings.live":
        this.known = undefined;
        break;
      case "refused":
        this.tail.mark("gap", `No events of ${s("topic")}`, s("reason"));
        break;
      case "tidings.bye":
        this.tail.mark("note", "The server closed the stream", [s("code"), s("reason")].filter(Boolean).join(": "));
        break;
    }
  }
}
