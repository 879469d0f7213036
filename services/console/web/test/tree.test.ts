import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates } from "../src/rates.ts";
import { settle } from "../src/settle.ts";
import { extend, grow, isPattern, rank, visible, type TopicRow } from "../src/tree.ts";

const row = (topic: string, subscribers = 0, held = 0, last = 0): TopicRow => ({ topic, subscribers, held, events: held, last });

test("patterns", () => {
  for (const p of ["*", "room.>", "room.*.a", ">"]) assert.ok(isPattern(p), p);
  for (const t of ["room.a", "user.ann=2A", "all"]) assert.ok(!isPattern(t), t);
});

test("rates are differences of counts over time", () => {
  const r = new Rates();
  r.take(new Map([["a", 10], ["b", 5]]), 1_000);
  assert.equal(r.now.size, 0);
  r.take(new Map([["a", 30], ["b", 3], ["c", 9]]), 3_000);
  assert.deepEqual([...r.now], [["a", 10]]); // b began anew, c was not known
  r.take(new Map([["a", 99]]), 3_000);
  assert.deepEqual([...r.now], [["a", 10]]); // no time has passed
});

test("a node sums up what is below it, and patterns have listeners alone", () => {
  const root = grow([row("room.a.1", 1, 2, 7), row("room.a.2", 0, 3, 9), row("room.a", 1, 1, 3), row("room.>", 5, 99, 99)], new Map([["room.a.1", 1.5], ["room.a.2", 2]]));
  const room = root.children.get("room")!;
  const a = room.children.get("a")!;
  assert.deepEqual([room.subscribers, room.held, room.last, room.rate], [7, 6, 9, 3.5]);
  assert.deepEqual([a.path, a.depth, a.subscribers, a.held, a.rate], ["room.a", 1, 2, 6, 3.5]);
  assert.deepEqual([room.children.get(">")!.subscribers, room.children.get(">")!.held], [5, 0]);
});

test("the tree shows what is open, in its places, and counts what is new", () => {
  const topics = [row("room.b", 1), row("room.a", 9), row("all", 3)];
  const root = grow(topics, new Map());
  const paths = (open: string[], places: ReadonlyMap<string, number>, r = root) => visible(r, new Set(open), places).nodes.map((n) => n.path);
  assert.deepEqual(paths([], rank(root, "topic")), ["all", "room"]);
  assert.deepEqual(paths(["room"], rank(root, "topic")), ["all", "room", "room.a", "room.b"]);
  assert.deepEqual(paths(["room"], rank(root, "subscribers")), ["room", "room.a", "room.b", "all"]);
  const places = rank(root, "topic");
  const next = grow([...topics, row("room.aa"), row("user.x")], new Map());
  assert.equal(visible(next, new Set(["room"]), places).fresh, 2);
  assert.deepEqual(paths(["room"], places, next), ["all", "room", "room.a", "room.b"]);
  assert.deepEqual(paths(["room"], extend(places, next), next), ["all", "room", "room.a", "room.b", "room.aa", "user"]);
});

test("a settled list keeps every row where it is", () => {
  const keyOf = (s: string) => s[0]!;
  const gone = () => true;
  const first = settle([], ["a1", "b1"], keyOf, 4, gone);
  assert.deepEqual(first, { rows: [{ key: "a", row: "a1", gone: false }, { key: "b", row: "b1", gone: false }], over: 0 });
  const second = settle(first.rows, ["0", "b2", "c", "d"], keyOf, 4, gone);
  assert.deepEqual(second.rows.map((k) => k.row + (k.gone ? " gone" : "")), ["a1 gone", "b2", "0", "c"]);
  assert.equal(second.over, 1);
  const third = settle(second.rows, ["a2", "0"], keyOf, 4, (key) => key < "c");
  assert.deepEqual(third.rows.map((k) => k.row + (k.gone ? " gone" : "")), ["a2", "b2 gone", "0", "c"]); // c may be on another page
});
