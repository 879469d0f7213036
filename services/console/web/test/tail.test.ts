import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_ROWS, Tail, type Row } from "../src/tail.ts";

const frames: FrameRequestCallback[] = [];
globalThis.requestAnimationFrame = (f) => frames.push(f);
let clock = 0;

/** frame paints: it runs what waits for the next animation frame. */
function frame(): void {
  clock += 1000;
  for (const f of frames.splice(0)) f(clock);
}

let seq = 0;
function send(tail: Tail, type: string, data: unknown = {}): void {
  seq++;
  tail.event({ type, data: JSON.stringify({ topic: "room.a", type, id: `e-${seq}`, time: "2026-01-02T03:04:05.006Z", data }), id: `e-${seq}` });
}
const types = (rows: Row[]) => rows.map((r) => (r.kind === "event" ? r.envelope.type : `(${r.text})`));

test("rows appear with the frame and are bounded", () => {
  const tail = new Tail();
  send(tail, "a");
  assert.equal(tail.rows.length, 0);
  frame();
  const row = tail.rows[0]!;
  assert.ok(row.kind === "event" && row.cursor === `e-${seq}` && row.data === "{}" && row.time === Date.UTC(2026, 0, 2, 3, 4, 5, 6));
  for (let i = 0; i < 5 * MAX_ROWS; i++) send(tail, `t${i}`);
  frame();
  assert.equal(tail.rows.length, MAX_ROWS);
  assert.equal(types(tail.rows).at(-1), `t${5 * MAX_ROWS - 1}`);
  assert.equal(tail.seen, 5 * MAX_ROWS + 1);
});

test("what is no event is left out, an ephemeral one has no cursor", () => {
  const tail = new Tail();
  tail.event({ type: "x", data: "not json", id: "e-1" });
  tail.event({ type: "x", data: `{"topic":1}`, id: "e-1" });
  tail.event({ type: "x", data: `{"topic":"all","type":"typing"}`, id: "" });
  frame();
  assert.equal(tail.rows.length, 1);
  assert.ok(tail.rows[0]!.kind === "event" && tail.rows[0]!.cursor === "");
});

test("a held list stands still and loses nothing it can keep", () => {
  const tail = new Tail();
  send(tail, "a");
  frame();
  tail.pause("look");
  send(tail, "b");
  tail.mark("gap", "Gap");
  frame();
  assert.deepEqual(types(tail.rows), ["a"]);
  assert.equal(tail.fresh, 2);
  tail.pause("user");
  assert.equal(tail.hold, "user");
  tail.pause("look");
  assert.equal(tail.hold, "user", "looking does not end a pause");
  tail.resume();
  assert.deepEqual(types(tail.rows), ["a", "b", "(Gap)"]);
  tail.pause("user");
  for (let i = 0; i < 3 * MAX_ROWS; i++) send(tail, "c");
  frame();
  assert.equal(tail.fresh, MAX_ROWS);
  assert.ok(tail.full);
});

test("filters", () => {
  const cases: [type: string, text: string, want: string[]][] = [
    ["", "", ["order.paid", "order.sent", "host.metrics"]],
    ["order", "", ["order.paid", "order.sent"]],
    ["ORDER.*", "", ["order.paid", "order.sent"]],
    ["*.paid, host.*", "", ["order.paid", "host.metrics"]],
    ["!host.*", "", ["order.paid", "order.sent"]],
    ["order,!*sent", "", ["order.paid"]],
    ["o*d*d", "", ["order.paid"]],
    ["order*order", "", []],
    ["!", "", ["order.paid", "order.sent", "host.metrics"]],
    ["", "BERLIN", ["order.sent"]],
    ["paid", "berlin", []],
  ];
  for (const [type, text, want] of cases) {
    const tail = new Tail();
    const fill = () => {
      send(tail, "order.paid");
      send(tail, "order.sent", { city: "Berlin" });
      send(tail, "host.metrics");
      frame();
    };
    fill();
    tail.filter({ type, text });
    assert.deepEqual(types(tail.rows), want, `${type} ${text} on what is there`);
    tail.clear();
    fill();
    assert.deepEqual(types(tail.rows), want, `${type} ${text} on what comes`);
  }
});

test("half a filter costs nothing", () => {
  const tail = new Tail();
  for (const type of ["order.paid", "host.metrics", "chat"]) send(tail, type);
  // "!*" stands for a moment while "!*.metrics" is typed.
  for (const type of ["!", "!*", "!*.", "!*.metrics"]) tail.filter({ type, text: "" });
  assert.deepEqual(types(tail.rows), ["order.paid", "chat"]);
  frame();
  assert.deepEqual(types(tail.rows), ["order.paid", "chat"], "and the frame brings nothing twice");
  tail.filter({ type: "", text: "" });
  assert.deepEqual(types(tail.rows), ["order.paid", "host.metrics", "chat"]);
});

test("a rare event outlives many others, and a filter those alone that are recent", () => {
  const tail = new Tail();
  tail.filter({ type: "rare", text: "" });
  send(tail, "rare");
  send(tail, "early");
  for (let i = 0; i < 3; i++) {
    for (let n = 0; n < MAX_ROWS; n++) send(tail, "often");
    frame();
  }
  assert.deepEqual(types(tail.rows), ["rare"]);
  tail.filter({ type: "rare,early", text: "" });
  assert.deepEqual(types(tail.rows), ["rare"]);
  tail.filter({ type: "", text: "" });
  assert.equal(tail.rows.length, MAX_ROWS);
});

test("a filter keeps what waits apart from what is shown", () => {
  const tail = new Tail();
  send(tail, "a");
  send(tail, "b");
  frame();
  tail.pause("user");
  send(tail, "a");
  send(tail, "b");
  frame();
  tail.filter({ type: "a", text: "" });
  assert.deepEqual(types(tail.rows), ["a"]);
  assert.equal(tail.fresh, 1);
  tail.filter({ type: "", text: "" });
  assert.deepEqual(types(tail.rows), ["a", "b"]);
  assert.equal(tail.fresh, 2);
  tail.resume();
  assert.deepEqual(types(tail.rows), ["a", "b", "a", "b"]);
});
