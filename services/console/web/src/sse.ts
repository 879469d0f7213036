// The parser of a Server-Sent Events stream, as the WHATWG HTML standard, section 9.2.6,
// describes it. It knows bytes and blocks only: nothing of Tidings and nothing of a page, so
// the client package can take it as it is.

/** MAX_BLOCK bounds what one block may hold, in UTF-16 units: four times the largest event the
 * server stores, and small enough that a hostile stream cannot eat the tab's memory. */
export const MAX_BLOCK = 4 << 20;

/** Message is one dispatched event. */
export interface Message {
  /** type is the block's `event` field, "message" if it had none. */
  type: string;
  /** data is the block's `data` lines, joined by "\n". */
  data: string;
  /** id is the last id seen when the block ended, "" before the first one. */
  id: string;
  /** placed says that the block had an id of its own. Without one, id belongs to an earlier
   * block: what was sent has no position and can't be asked for again. */
  placed: boolean;
}

/** Sink receives what the parser finds, in the order of the stream. */
export interface Sink {
  /** message is called for each block that has data. */
  message(m: Message): void;
  /** id is called, before message, when a block's end changed the last id. A block that holds
   * nothing but an id calls this alone: that is a heartbeat which moves the cursor. */
  id(id: string): void;
  /** retry is called for each well-formed `retry` field, in milliseconds. */
  retry(ms: number): void;
}

/** Parser turns the bytes of one response into calls of a Sink. A new response needs a new
 * Parser: a block cut off by the end of its stream must not leak into the next one. */
export class Parser {
  // The decoder drops one byte order mark at the start, as the standard asks.
  private decoder = new TextDecoder("utf-8");
  private rest = ""; // an unfinished line
  private skipLF = false; // the last chunk ended in CR, so a leading LF belongs to it
  private type = "";
  private data: string[] = [];
  private size = 0;
  private placed = false;
  private idBuffer: string;
  private lastId: string;

  /** lastId is the cursor the request was made with, so that an unchanged id is not news. */
  constructor(private sink: Sink, lastId = "") {
    this.idBuffer = lastId;
    this.lastId = lastId;
  }

  /** push feeds the next bytes, split anywhere. It throws RangeError when a block outgrows
   * MAX_BLOCK; the parser must not be used after that. */
  push(bytes: Uint8Array): void {
    let text = this.decoder.decode(bytes, { stream: true });
    if (this.skipLF && text !== "") {
      if (text[0] === "\n") text = text.slice(1);
      this.skipLF = false;
    }
    let from = 0;
    for (;;) {
      const end = lineEnd(text, from);
      if (end < 0) break;
      this.line(this.rest + text.slice(from, end));
      this.rest = "";
      from = end + 1;
      if (text[end] === "\r") {
        if (from === text.length) this.skipLF = true;
        else if (text[from] === "\n") from++;
      }
    }
    this.rest += text.slice(from);
    if (this.rest.length + this.size > MAX_BLOCK) throw new RangeError("an event is too large");
  }

  private line(line: string): void {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value[0] === " ") value = value.slice(1);
    switch (field) {
      case "event":
        this.type = value;
        break;
      case "data":
        this.data.push(value);
        this.size += value.length + 1;
        break;
      case "id":
        if (value.includes("\0")) break;
        this.idBuffer = value;
        this.placed = true;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.sink.retry(Number(value));
        break;
    }
  }

  private dispatch(): void {
    const { type, data, placed } = this;
    this.type = "";
    this.placed = false;
    this.data = [];
    this.size = 0;
    if (this.idBuffer !== this.lastId) {
      this.lastId = this.idBuffer;
      this.sink.id(this.lastId);
    }
    if (data.length === 0) return;
    this.sink.message({ type: type || "message", data: data.join("\n"), id: this.lastId, placed });
  }
}

/** lineEnd returns where the next CR or LF stands, or -1. */
function lineEnd(s: string, from: number): number {
  const lf = s.indexOf("\n", from);
  // CR is rare, and looking for it past the LF would make long chunks quadratic.
  const cr = (lf < 0 ? s.slice(from) : s.slice(from, lf)).indexOf("\r");
  return cr < 0 ? lf : from + cr;
}
