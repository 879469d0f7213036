import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_BLOCK, parser } from "../src/sse.ts";

type Call = { type: string; data: string | undefined; id: string | undefined } | { retry: number };

/** parse feeds the bytes in pieces cut at the given places. */
function parse(bytes: Uint8Array, cuts: number[] = []): Call[] {
  const calls: Call[] = [];
  const push = parser({
    block: (type, data, id) => void calls.push({ type, data, id }),
    retry: (retry) => void calls.push({ retry }),
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    push(bytes.subarray(from, cut));
    from = cut;
  }
  return calls;
}

/** naive is the standard's algorithm, written down as plainly as it goes: decode all, cut into
 * lines character by character, then field by field. */
function naive(bytes: Uint8Array): Call[] {
  const calls: Call[] = [];
  const text = new TextDecoder("utf-8", { ignoreBOM: false }).decode(bytes, { stream: true });
  const lines: string[] = [];
  let line = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== "\r" && c !== "\n") line += c;
    else {
      if (c === "\r" && text[i + 1] === "\n") i++;
      lines.push(line);
      line = "";
    }
  }
  let type = "";
  let data = "";
  let id: string | undefined;
  for (const l of lines) {
    if (l === "") {
      if (data !== "" || id !== undefined) calls.push({ type: type === "" ? "message" : type, data: data === "" ? undefined : data.slice(0, -1), id });
      type = data = "";
      id = undefined;
      continue;
    }
    if (l.startsWith(":")) continue;
    let [field, value] = [l, ""];
    const colon = l.indexOf(":");
    if (colon >= 0) {
      field = l.substring(0, colon);
      value = l.substring(colon + 1);
      if (value.startsWith(" ")) value = value.substring(1);
    }
    if (field === "event") type = value;
    if (field === "data") data += value + "\n";
    if (field === "id" && value.indexOf("\u0000") < 0) id = value;
    if (field === "retry" && value !== "" && [...value].every((d) => d >= "0" && d <= "9")) calls.push({ retry: Number(value) });
  }
  return calls;
}

const bytes = (s: string) => new TextEncoder().encode(s);
const blocks = (s: string) => parse(bytes(s)).flatMap((c) => ("type" in c ? [c] : []));
const data = (s: string) => blocks(s).map((m) => m.data);

test("the examples of the standard", () => {
  assert.deepEqual(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
  assert.deepEqual(blocks(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"), [
    { type: "message", data: "first event", id: "1" },
    { type: "message", data: "second event", id: "" },
    { type: "message", data: " third event", id: undefined },
  ]);
  assert.deepEqual(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
  assert.deepEqual(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
});

test("LF, CR and CRLF end lines, mixed too", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    assert.deepEqual(data(`data: a${end}data: b${end}${end}data: c${end}${end}`), ["a\nb", "c"]);
  }
  assert.deepEqual(data("data: a\rdata: b\ndata: c\r\n\r\n"), ["a\nb\nc"]);
  assert.deepEqual(data("data: a\n\r\n"), ["a"]);
  assert.deepEqual(data("data: a\r\r\n"), ["a"]);
});

test("one byte order mark is dropped, a second is text", () => {
  assert.deepEqual(data("\uFEFFdata: a\n\n"), ["a"]);
  assert.deepEqual(data("\uFEFF\uFEFFdata: a\n\n"), []);
  assert.deepEqual(data("data: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n"), ["a", "\uFEFFc"]);
});

test("ids: alone, empty, with NUL", () => {
  assert.deepEqual(blocks("id: 7\n\n"), [{ type: "message", data: undefined, id: "7" }]);
  assert.deepEqual(blocks("id: 7\nid: a\0b\ndata\n\n"), [{ type: "message", data: "", id: "7" }]);
  assert.deepEqual(blocks("id: a\0b\n\n"), []);
  assert.deepEqual(blocks("id\n\n"), [{ type: "message", data: undefined, id: "" }]);
});

test("retry takes digits only, and works without a blank line", () => {
  assert.deepEqual(parse(bytes("retry: 2500\n")), [{ retry: 2500 }]);
  for (const bad of ["", "-1", "1.5", "1e3", " 2", "2 ", "0x10", "١"]) assert.deepEqual(parse(bytes(`retry: ${bad}\n\n`)), [], bad);
});

test("comments, unknown fields and an event without data fire nothing", () => {
  assert.deepEqual(blocks(": x\n:\nDATA: a\n data: b\nfoo\nevent: e\n\ndata: c\n\n"), [{ type: "message", data: "c", id: undefined }]);
});

const whole = bytes(
  "\uFEFFretry: 2500\r\n: hi\r\nid: e-1\r\nevent: größe\r\ndata: {\"a\":\r\ndata: \"🚀é\"}\r\n\r\n" +
  "id: e-2\n\nid: e-3\revent: x\rdata\r\rdata: no id\n\nid: a\0\ndata: last\r\n\r\n",
);

test("cutting the bytes anywhere changes nothing", () => {
  const want = parse(whole);
  assert.equal(want.filter((c) => "type" in c).length, 5);
  assert.deepEqual(want, naive(whole));
  for (let i = 0; i <= whole.length; i++) {
    for (let j = i; j <= whole.length; j++) assert.deepEqual(parse(whole, [i, j]), want, `${i} ${j}`);
  }
  assert.deepEqual(parse(whole, [...whole.keys()]), want, "byte by byte");
});

test("it agrees with the naive parser on 20,000 inputs", () => {
  let seed = 20261123;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const words = ["data", "data:", "data: ", "id", "id:", "id: ", "event: ", "retry: ", "retry:", "foo: ", ":", " ", "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n",
    "\0", "\uFEFF", "a", "é", "🚀", "12", "3 4", "e-7", "::", "tidings.live",
    "data: x\n", "data\n", "\n\n", "data: é\r\n", "id: e-8\n", "event: t\r", "data:{}\n\n", "id: 9\n\n", "retry: 70\n"].map(bytes);
  words.push(new Uint8Array([0xff]), new Uint8Array([0xf0, 0x9f]), new Uint8Array([0x80]), new Uint8Array([0xef, 0xbb, 0xbf]));
  let fired = 0;
  for (let n = 0; n < 20_000; n++) {
    const input = Buffer.concat(Array.from({ length: 1 + random(30) }, () => words[random(words.length)]!));
    const cuts = Array.from({ length: random(5) }, () => random(input.length + 1)).sort((a, b) => a - b);
    const want = naive(input);
    fired += want.length;
    assert.deepEqual(parse(input, cuts), want, `input ${n}: ${JSON.stringify(input.toString())} cut at ${cuts}`);
  }
  assert.ok(fired > 20_000, `only ${fired} calls: the inputs say too little`);
});

test("a block is bounded, a stream is not", () => {
  const push = parser({ block() {}, retry() {} });
  const line = bytes("data: " + "x".repeat(1 << 16) + "\n");
  assert.throws(() => {
    for (let i = 0; i <= MAX_BLOCK / line.length + 1; i++) push(line);
  }, RangeError);
  const endless = parser({ block() {}, retry() {} });
  assert.throws(() => {
    for (let i = 0; i <= MAX_BLOCK >> 16; i++) endless(bytes("x".repeat(1 << 16)));
  }, RangeError);
  const fine = parser({ block() {}, retry() {} });
  const event = bytes("data: " + "x".repeat(1 << 16) + "\n\n");
  for (let i = 0; i < 200; i++) fine(event);
});
