import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_BLOCK, Parser, type Message } from "../src/sse.ts";

type Call = { message: Message } | { id: string } | { retry: number };

/** parse feeds the bytes in pieces of the given sizes and returns what the sink heard. */
function parse(bytes: Uint8Array, cuts: number[] = [], lastId = ""): Call[] {
  const calls: Call[] = [];
  const parser = new Parser({
    message: (message) => void calls.push({ message }),
    id: (id) => void calls.push({ id }),
    retry: (retry) => void calls.push({ retry }),
  }, lastId);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    parser.push(bytes.subarray(from, cut));
    from = cut;
  }
  return calls;
}

const bytes = (s: string) => new TextEncoder().encode(s);
const messages = (s: string) => parse(bytes(s)).flatMap((c) => ("message" in c ? [c.message] : []));
const data = (s: string) => messages(s).map((m) => m.data);

test("the examples of the standard", () => {
  assert.deepEqual(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
  assert.deepEqual(messages(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"), [
    { type: "message", data: "first event", id: "1", placed: true },
    { type: "message", data: "second event", id: "", placed: true },
    { type: "message", data: " third event", id: "", placed: false },
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

test("cutting the bytes anywhere changes nothing", () => {
  const whole = bytes(
    "\uFEFFretry: 2500\r\n: hi\r\nid: e-1\r\nevent: größe\r\ndata: {\"a\":\r\ndata: \"🚀é\"}\r\n\r\n" +
    "id: e-2\n\nid: e-3\revent: x\rdata\r\rdata: no id\n\ndata: last\r\n\r\n",
  );
  const want = parse(whole);
  assert.equal(want.filter((c) => "message" in c).length, 4);
  for (let i = 0; i <= whole.length; i++) {
    assert.deepEqual(parse(whole, [i]), want, `cut at ${i}`);
    for (let j = i; j <= whole.length; j++) assert.deepEqual(parse(whole, [i, j]), want, `cut at ${i} and ${j}`);
  }
  assert.deepEqual(parse(whole, [...whole.keys()]), want, "byte by byte");
});

test("an empty chunk between CR and LF is no line", () => {
  assert.deepEqual(parse(bytes("data: a\r\ndata: b\r\n\r\n"), [8, 8, 8]), [
    { message: { type: "message", data: "a\nb", id: "", placed: false } },
  ]);
});

test("a block of an id alone moves the cursor and fires nothing", () => {
  assert.deepEqual(parse(bytes("id: e-7\n\n")), [{ id: "e-7" }]);
  assert.deepEqual(parse(bytes("id: e-7\n\nid: e-7\n\n")), [{ id: "e-7" }], "an unchanged id is no news");
  assert.deepEqual(parse(bytes("id: e-7\n\n"), [], "e-7"), []);
});

test("an id takes effect when its block ends", () => {
  assert.deepEqual(parse(bytes("id: e-7\ndata: x")), []);
  assert.deepEqual(parse(bytes("id: e-7\ndata: x\n\n")), [
    { id: "e-7" }, { message: { type: "message", data: "x", id: "e-7", placed: true } },
  ]);
});

test("an id with NUL is ignored", () => {
  assert.deepEqual(messages("id: 1\n\nid: 2\0\ndata: x\n\n"), [{ type: "message", data: "x", id: "1", placed: false }]);
});

test("retry takes digits only", () => {
  const retries = (s: string) => parse(bytes(`retry:${s}\n\n`)).map((c) => "retry" in c && c.retry);
  assert.deepEqual(retries(" 1500"), [1500]);
  assert.deepEqual(retries("0"), [0]);
  for (const bad of ["", " ", " 1.5", "1e3", "-1", "+1", "0x10", " 10 ", "١"]) assert.deepEqual(retries(bad), [], bad);
});

test("field names are exact, one space is dropped, unknown fields are ignored", () => {
  assert.deepEqual(data("Data: a\n data: b\ndata : c\nfoo: d\nnothing\n\n"), []);
  assert.deepEqual(data("data:  a\n\n"), [" a"]);
  assert.deepEqual(data("data:\ta\n\n"), ["\ta"]);
  assert.deepEqual(data("data: a:b: c\n\n"), ["a:b: c"]);
});

test("comments fire nothing and end nothing", () => {
  assert.deepEqual(parse(bytes(":\n:heartbeat\n\n")), []);
  assert.deepEqual(data("data: a\n: between\ndata: b\n\n"), ["a\nb"]);
});

test("the type is the last one named and does not outlive its block", () => {
  assert.deepEqual(messages("event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\n").map((m) => m.type), ["b", "message", "message"]);
  assert.deepEqual(messages("event:\ndata: 1\n\n").map((m) => m.type), ["message"]);
});

test("a block cut off by the end of the stream is dropped", () => {
  assert.deepEqual(parse(bytes("data: a\n")), []);
  assert.deepEqual(parse(bytes("data: a")), []);
});

test("bytes that are not UTF-8 become replacement characters", () => {
  const calls = parse(Uint8Array.of(...bytes("data: "), 0xff, 0xc3, ...bytes("\n\n")));
  assert.deepEqual(calls, [{ message: { type: "message", data: "\uFFFD\uFFFD", id: "", placed: false } }]);
});

test("a block without end is refused before it fills the memory", () => {
  const parser = new Parser({ message() {}, id() {}, retry() {} });
  const chunk = bytes("x".repeat(1 << 20));
  parser.push(bytes("data: "));
  assert.throws(() => {
    for (let n = 0; n <= MAX_BLOCK; n += chunk.length) parser.push(chunk);
  }, RangeError);
  const lines = new Parser({ message() {}, id() {}, retry() {} });
  const many = bytes("data: x\n".repeat(100_000));
  assert.throws(() => {
    for (let i = 0; i < 100; i++) lines.push(many);
  }, RangeError);
});
