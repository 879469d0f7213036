// JSON as text. Parsing and printing it again would turn 12345678901234567890 into another
// number; a page for people who look for faults must show what was really sent.

/** Token is a piece of JSON with its colour. */
export interface Token {
  kind: "key" | "string" | "number" | "word" | "mark";
  text: string;
}

const TOKEN = /"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*|[a-zA-Z]+|[^"a-zA-Z0-9-]+|./gs;

/** tokens cuts JSON, whole or broken off anywhere, into coloured pieces. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (const m of text.matchAll(TOKEN)) {
    const piece = m[0];
    const c = piece[0]!;
    let kind: Token["kind"] = "mark";
    if (c === '"') kind = /^\s*:/.test(text.slice(m.index + piece.length, m.index + piece.length + 8)) ? "key" : "string";
    else if (c === "-" || (c >= "0" && c <= "9")) kind = "number";
    else if (/[a-zA-Z]/.test(c)) kind = "word";
    found.push({ kind, text: piece });
  }
  return found;
}

/** end returns the index after the JSON value that starts at i. */
function end(text: string, i: number): number {
  let depth = 0;
  for (; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
      if (depth === 0) return i + 1;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (c === "," && depth === 0) return i;
  }
  return i;
}

/** member returns the text of one member of a JSON object, "" if it has none by that name. The
 * object must be valid JSON. */
export function member(object: string, name: string): string {
  let i = object.indexOf("{") + 1;
  while (i > 0 && i < object.length) {
    const start = object.indexOf('"', i);
    if (start < 0) return "";
    const stop = end(object, start);
    const colon = object.indexOf(":", stop);
    if (colon < 0) return "";
    let from = colon + 1;
    while (/\s/.test(object[from] ?? "")) from++;
    const to = end(object, from);
    if (object.slice(start + 1, stop - 1) === name) return object.slice(from, to).trimEnd();
    i = to + 1;
  }
  return "";
}

/** pretty sets valid JSON in lines, two spaces a level, and stops after `most` characters. */
export function pretty(text: string, most: number): string {
  let out = "";
  let depth = 0;
  const line = () => "\n" + "  ".repeat(Math.min(depth, 40));
  for (let i = 0; i < text.length && out.length < most; i++) {
    const c = text[i]!;
    if (c === '"') {
      const stop = end(text, i);
      out += text.slice(i, stop);
      i = stop - 1;
    } else if (c === "{" || c === "[") {
      const empty = /^\s*[}\]]/.exec(text.slice(i + 1, i + 64));
      if (empty) {
        out += c + empty[0].trim();
        i += empty[0].length;
      } else {
        depth++;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      depth = Math.max(0, depth - 1);
      out += line() + c;
    } else if (c === ",") out += c + line();
    else if (c === ":") out += ": ";
    else if (!/\s/.test(c)) out += c;
  }
  return out.length < most ? out : out.slice(0, most) + "\n…";
}
