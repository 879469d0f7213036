import assert from "node:assert/strict";
import { test } from "node:test";
import { canCancel, fold, look, merge, recipients, summarize, table, type Delivery, type Step, type Timeline } from "../src/story.ts";
import { after, moment } from "../src/when.ts";

const NOW = Date.parse("2026-11-23T08:00:00Z");
const delivery = (state: string, user = "ann", channel = "mail"): Delivery => ({ user, channel, state });
const timeline = (part: Partial<Timeline>): Timeline => ({ id: "n", at: "2026-11-23T07:00:00Z", category: "orders", severity: "normal", to: ["ann"], deliveries: [], steps: [], ...part });

test("a summary says the worst first, and whether more is to come", () => {
  const of = (part: Partial<Timeline>) => {
    const { look: [tone, words], last } = summarize(timeline(part), NOW);
    return [tone, words, last];
  };
  assert.deepEqual(of({}), ["busy", "Accepted", false]);
  assert.deepEqual(of({ due: "2026-11-24T08:00:00Z" }), ["busy", "Planned", false]);
  assert.deepEqual(of({ repeats: true, due: "2026-11-24T08:00:00Z" }), ["busy", "Repeats", false]);
  assert.deepEqual(of({ canceled: true, due: "2026-11-24T08:00:00Z" }), ["off", "Canceled", true]);
  assert.deepEqual(of({ deliveries: [delivery("dropped")] }), ["off", "Nobody", true]);
  assert.deepEqual(of({ deliveries: [delivery("sent"), delivery("dropped")] }), ["good", "Sent", true]);
  assert.deepEqual(of({ deliveries: [delivery("sent"), delivery("delivered")] }), ["good", "2 delivered", true]);
  assert.deepEqual(of({ deliveries: [delivery("sent"), delivery("retry")] }), ["warn", "1 retrying", false]);
  assert.deepEqual(of({ deliveries: [delivery("retry"), delivery("dead"), delivery("dead")] }), ["bad", "2 dead", false]);
  assert.deepEqual(of({ deliveries: [delivery("held")] }), ["warn", "Held", false]);
  assert.deepEqual(of({ deliveries: [delivery("something new")] }), ["good", "Something new", true]);
});

test("what has begun can't be canceled", () => {
  assert.equal(canCancel(timeline({ deliveries: [delivery("sent"), delivery("retry")] }), NOW), false);
  assert.equal(canCancel(timeline({ deliveries: [delivery("held")] }), NOW), true);
  assert.equal(canCancel(timeline({ due: "2026-11-24T08:00:00Z" }), NOW), true);
  assert.equal(canCancel(timeline({ due: "2026-11-22T08:00:00Z" }), NOW), false);
  assert.equal(canCancel(timeline({ repeats: true, canceled: true }), NOW), false);
});

test("decisions of one moment are one step, and those about several people, too", () => {
  const routed = (user: string, channel: string, reason: string, detail: string): Step => ({ at: "t1", what: "routed", user, channel, reason, detail });
  const about = (user: string): Step[] => [routed(user, "push", "unavailable", "Not here."), routed(user, "inbox", "default", "By default."), routed(user, "mail", "default", "By default.")];
  const steps = [{ at: "t0", what: "requested" }, ...about("ann"), ...about("bob"), routed("eve", "mail", "no_address", "No address."), { at: "t2", what: "queued", user: "ann", channel: "mail" }];
  const list = fold(steps);
  assert.deepEqual(list.map((m) => [m.what, m.users ?? m.user]), [["requested", undefined], ["routed", ["ann", "bob"]], ["routed", ["eve"]], ["queued", "ann"]]);
  assert.deepEqual(list[1]!.choices, [
    { channels: ["inbox", "mail"], used: true, why: "By default." }, { channels: ["push"], used: false, why: "Not here." },
  ]);
  assert.equal(steps.length, 9, "the steps stay as they are");
});

test("the matrix has the channels in one order and gaps where nothing was decided", () => {
  const t = table([delivery("sent", "ann", "mail"), delivery("delivered", "ann", "inbox"), delivery("dropped", "bob", "pager"), delivery("sent", "bob", "mail")]);
  assert.deepEqual(t.channels, ["inbox", "mail", "pager"]);
  assert.deepEqual(t.people.map((p) => [p.user, ...p.cells.map((c) => c?.state)]), [["ann", "delivered", "sent", undefined], ["bob", undefined, "sent", "dropped"]]);
});

test("states that are not known are shown as they are", () => {
  assert.deepEqual(look("sent"), ["good", "Sent"]);
  assert.deepEqual(look("brand_new"), ["off", "Brand new"]);
  assert.deepEqual(look(""), ["off", "–"]);
});

test("recipients are people, and topics that begin with room.", () => {
  assert.deepEqual(recipients(" ann, bob  ann\nroom.ops topic:all "), ["ann", "bob", { topic: "room.ops" }, { topic: "all" }]);
});

test("a newer page replaces its range and keeps what is older", () => {
  const key = (n: number) => String(n);
  const older = (a: number, b: number) => a < b;
  assert.deepEqual(merge([5, 4, 3, 2, 1], [6, 5, 3], true, key, older), [6, 5, 3, 2, 1]);
  assert.deepEqual(merge([5, 4, 3], [6, 5], false, key, older), [6, 5], "it is all there is");
  assert.deepEqual(merge([5, 4], [], true, key, older), []);
});

test("moments of today have no day", () => {
  const now = new Date(2026, 10, 23, 12, 0, 0).getTime();
  assert.equal(moment(new Date(2026, 10, 23, 9, 5, 7).getTime(), now), "09:05:07");
  assert.equal(moment(new Date(2026, 10, 22, 9, 5, 7).getTime(), now), "22 Nov, 09:05");
  assert.equal(moment(new Date(2025, 0, 2, 9, 5, 7).getTime(), now), "2 Jan 2025");
  assert.equal(moment("soon"), "–");
  assert.equal(moment(undefined), "–");
});

test("durations since the beginning", () => {
  assert.deepEqual([3.4, 1_200, 60_000, 3_725_000, 90_000_000, -1].map(after), ["+3 ms", "+1.2 s", "+1 min 0 s", "+1 h 2 min", "+1 d 1 h", ""]);
});
