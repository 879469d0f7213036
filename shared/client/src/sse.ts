// The parser of a Server-Sent Events stream, as the WHATWG HTML standard, section 9.2.6,
// describes it. It knows bytes and blocks only, and nothing of Tidings.

/** MAX_BLOCK bounds what one block may hold, in UTF-16 units: four times the largest event the
 * server stores, and small enough that a hostile stream cannot eat the tab's memory. */
export const MAX_BLOCK = 4 << 20;

/** Blocks receives what the parser finds, in the order of the stream. */
export interface Blocks {
  /** block is called at the end of each block that has data or an id. data is undefined in a
   * block without data, which fires nothing. id is undefined in one without an id of its own:
   * what was sent then has no position in the log. */
  block(type: string, data: string | undefined, id: string | undefined): void;
  /** retry is called for each well-formed `retry` field, in milliseconds. */
  retry(ms: number): void;
}

/** parser returns a function that takes the bytes of one response, split anywhere. A new response
 * needs a new parser: a block cut off by the end of its stream must not leak into the next one.
 * The function throws RangeError when a block outgrows MAX_BLOCK; it must not be called again. */
export function parser(blocks: Blocks): (bytes: Uint8Array) => void {
  // The decoder drops one byte order mark at the start, as the standard asks.
  const decoder = new TextDecoder();
  let rest = ""; // an unfinished line
  let afterCR = false; // the last chunk ended in CR, so a leading LF belongs to it
  let type = "";
  let data: string | undefined;
  let id: string | undefined;

  const end = () => {
    const [t, d, i] = [type || "message", data, id];
    type = "";
    data = id = undefined;
    if (d !== undefined || i !== undefined) blocks.block(t, d, i);
  };
  const take = (line: string) => {
    if (!line) return end();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon); // "" for a comment
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") data = data === undefined ? value : data + "\n" + value;
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) blocks.retry(+value);
  };
  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true });
    if (!text) return; // not even a character
    if (afterCR && text[0] === "\n") text = text.slice(1);
    // Splitting touches each chunk once; the unfinished line is joined, not searched again.
    const lines = text.split(/\r\n|\r|\n/);
    afterCR = text.endsWith("\r");
    const last = lines.pop()!;
    for (const line of lines) {
      take(rest + line);
      rest = "";
    }
    rest += last;
    if (rest.length + (data ?? "").length > MAX_BLOCK) throw new RangeError("An event is too large.");
  };
}
