// What follows from items and a state, against an inbox without watermarks; and preferences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, fold, inverse, NEW, select, type Entry, type Op } from "../src/inbox/fold.ts";
import { merge, preferences } from "../src/inbox/preferences.ts";
import { Device, dice, Facts, randomItem, refused } from "./inboxes.ts";
import { settle } from "./world.ts";

/** randomOp is an operation on some of the items. */
function randomOp(random: () => number, facts: Facts): Op {
  const some = () => facts.facts.filter(() => random() < 0.3).map((f) => f.item.id);
  const until = () => new Date(Math.ceil((facts.now + (random() - 0.2) * 20_000) / 1_000) * 1_000).toISOString();
  const op: Op = {};
  for (const key of ["read", "unread", "archived", "unarchived"] as const) if (random() < 0.3) op[key] = some();
  if (random() < 0.15) op.read = "all";
  if (random() < 0.3) op.seen = facts.facts[Math.floor(random() * facts.facts.length)]?.item.n ?? 0;
  if (random() < 0.3) op.snoozed = some().slice(0, 3).map((id) => ({ id, until: until() }));
  return op;
}

test("folding agrees with an inbox without watermarks, and so does what is expected of a change", () => {
  let counted = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = dice(seed);
    const facts = new Facts(1_700_000_000_000, random);
    for (let step = 0; step < 30; step++) {
      facts.now += Math.floor(random() * 5_000);
      if (random() < 0.6) facts.put(randomItem(random, facts.now));
      const items = facts.facts.map((f) => f.item).reverse();
      const { next, ...view } = fold(items, facts.state(), facts.now);
      assert.deepEqual(view, facts.view(), `seed ${seed}`);
      counted += view.unread;
      // Nothing changes by itself before next, and something may at it.
      if (next < Infinity) assert.deepEqual(fold(items, facts.state(), next - 1).items, view.items);
      const op = randomOp(random, facts);
      const before = facts.view().items;
      const expected = fold(items, apply(facts.state(), op, items, items[0]?.n ?? 0, facts.now), facts.now);
      facts.do(op);
      assert.deepEqual(expected.items, facts.view().items, `seed ${seed}: ${JSON.stringify(op)}`);
      assert.deepEqual([expected.unread, expected.unseen], [facts.view().unread, facts.view().unseen]);
      // Again it changes nothing, unless it has woken up what "all" passed over at first. Its inverse
      // leads back, but for what was seen.
      const again = apply(apply(facts.state(), op, items, items[0]?.n ?? 0, facts.now), op, items, items[0]?.n ?? 0, facts.now);
      if (op.read !== "all") assert.deepEqual(fold(items, again, facts.now).items, expected.items, `seed ${seed}: ${JSON.stringify(op)}`);
      const back = inverse(before, expected.items);
      const undone = back ? fold(items, apply(facts.state(), back, items, 0, facts.now), facts.now).items : expected.items;
      const unseen = (list: readonly Entry[]) => list.map((e) => ({ ...e, seen: false }));
      assert.deepEqual(unseen(undone), unseen(before), `seed ${seed}: ${JSON.stringify(back)}`);
    }
  }
  assert.ok(counted > 1_000, "the test means something");
});

test("selections", () => {
  const at = "2026-03-01T12:00:00Z";
  const items = [1, 2, 3, 4, 5].map((n) => ({ n, id: "i" + n, at, category: n % 2 ? "odd" : "even" })).reverse();
  const { items: all } = fold(items, { ...NEW, read_to: 2, archived: [3], snoozed: [{ n: 4, until: "2026-03-01T13:00:00Z" }] }, Date.parse(at));
  const numbers = (...args: Parameters<typeof select> extends [unknown, ...infer A] ? A : never) => select(all, ...args).map((e) => e.n).join("");
  assert.deepEqual([numbers(), numbers({ filter: "unread" }), numbers({ filter: "archived" }), numbers({ filter: "snoozed" }), numbers({ filter: "all" }), numbers({ category: "odd" }), numbers({ category: "even", filter: "unread" })],
    ["521", "5", "3", "4", "54321", "51", ""]);
});

test("preferences: read when wanted, patched at once, taken back when refused", async () => {
  const device = new Device();
  const store = preferences(device.client);
  assert.ok(store.get().loading);
  const off = store.subscribe(() => {});
  await settle();
  const answer = { preferences: { channels: { mail: false } }, categories: { orders: { title: "Orders", channels: ["inbox", "mail"] } }, channels: ["inbox", "mail"] };
  device.take("/v1/preferences").answer(answer);
  await settle();
  assert.deepEqual(store.get(), { ...answer, loading: false, error: undefined });
  const done = store.patch({ enabled: false });
  const bad = store.patch({ categories: { orders: { channels: { mail: false } } }, channels: null });
  assert.deepEqual(store.get().preferences, { enabled: false, categories: { orders: { channels: { mail: false } } } });
  await settle();
  const put = device.take("/v1/preferences");
  assert.deepEqual([put.method, put.body], ["PUT", { enabled: false }]);
  put.answer({ ...answer, preferences: { ...answer.preferences, enabled: false } });
  await done;
  await settle();
  device.take("/v1/preferences").refuse(refused(422));
  await assert.rejects(bad, { status: 422 });
  assert.deepEqual(store.get().preferences, { channels: { mail: false }, enabled: false });
  store.reload();
  await settle();
  device.take("/v1/preferences").refuse(refused(503));
  await settle();
  assert.equal(store.get().error?.status, 503);
  assert.deepEqual(store.get().channels, ["inbox", "mail"]);
  off();
  off();
  store.subscribe(() => {});
  await settle();
  assert.equal(device.calls.length, 1);
});

test("merge patches are those of RFC 7396", () => {
  for (const [value, patch, want] of [
    [{ a: "b" }, { a: "c" }, { a: "c" }], [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }], [{ a: "b" }, { a: null }, {}], [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }], [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }], [{ e: null }, { a: 1 }, { e: null, a: 1 }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as const) {
    const before = structuredClone(value);
    assert.deepEqual(merge(value, patch), want);
    assert.deepEqual(value, before, "the old one stays");
  }
});
