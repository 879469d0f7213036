// The store of notifications: changes that show before they are stored, and readers that nothing
// escapes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client.ts";
import type { Entry } from "../src/inbox/fold.ts";
import { FRESH_MS, LINGER_MS, MAX_ITEMS, notifications, READY_MS, RETRY_MS, type Notifications } from "../src/inbox/inbox.ts";
import { Browser } from "./browser.ts";
import { Device, dice, Facts, randomItem, refused, Time } from "./inboxes.ts";
import { control, event, hello, json, jwt, live, settle, World } from "./world.ts";

const DAY_MS = 86_400_000;

/** begin is a store of a device that has read an inbox of so many items. */
async function begin(count = 3, options: { onNew?: (e: Entry) => void } = {}) {
  const time = new Time();
  const facts = new Facts(time.now() - DAY_MS, dice(1));
  for (let i = 0; i < count; i++) facts.put({ id: "i" + i });
  facts.now = time.now();
  const device = new Device();
  const inbox = notifications(device.client, { clock: time, ...options });
  const off = inbox.subscribe(() => {});
  const page = async () => {
    const call = device.take("/v1/inbox?");
    const query = new URLSearchParams(call.path.split("?")[1]);
    assert.equal(query.get("filter"), "all");
    call.answer(facts.page(Number(query.get("before") ?? Infinity), Number(query.get("limit"))));
    await settle();
  };
  await page();
  /** answer carries a change out, and answers. */
  const answer = async () => {
    await settle();
    const call = device.take("/v1/inbox/state");
    facts.do(call.body);
    call.answer({ state: facts.state(), unread: facts.view().unread, unseen: facts.view().unseen });
    await settle();
    return call.body;
  };
  return { time, facts, device, inbox, off, page, answer };
}

/** same says that a store shows what there is. */
function same(inbox: Notifications, facts: Facts, why = ""): void {
  const { items, unread, unseen } = inbox.get();
  assert.deepEqual({ items, unread, unseen }, facts.view(), why);
}

test("it reads what there is, page by page, and follows", async () => {
  const { facts, device, inbox, page } = await begin(120);
  assert.equal(inbox.get().items.length, 50);
  assert.ok(inbox.get().loading, "more is to come");
  await page();
  assert.ok(!inbox.get().loading);
  same(inbox, facts);
  device.say("inbox.item", facts.put({}));
  same(inbox, facts);
  facts.do({ read: "all" });
  device.say("inbox.state", facts.state());
  assert.equal(inbox.get().unread, 0);
  same(inbox, facts);
  assert.equal(device.calls.length, 0);
});

test("pages may hold fewer than it asked for: the server bounds their bytes", async () => {
  const { facts, device, inbox } = await begin(120); // the first page holds 50
  const unread = facts.view().unread;
  let pages = 0;
  for (; inbox.get().loading; pages++) {
    const call = device.take("/v1/inbox?");
    const query = new URLSearchParams(call.path.split("?")[1]);
    assert.equal(query.get("filter"), "all");
    call.answer({ ...facts.page(Number(query.get("before")), pages % 2 ? 1 : 9), unread });
    await settle();
  }
  assert.equal(pages, 14);
  assert.equal(inbox.get().unread, unread);
  same(inbox, facts);
  assert.equal(device.calls.length, 0);
});

test("events out of order and once more change nothing, and old states neither", async () => {
  const { facts, device, inbox } = await begin();
  const [a, b] = [facts.put({}), facts.put({})];
  const old = facts.state();
  facts.do({ read: "all" });
  const now = facts.state();
  for (const [type, data] of [["state", now], ["item", b], ["item", a], ["state", old], ["item", b], ["state", now]] as const) device.say("inbox." + type, data);
  same(inbox, facts);
  for (const bad of [null, {}, { n: 1.5, id: "x" }, { n: 7 }, "x"]) device.say("inbox.item", bad);
  for (const bad of [null, {}, { rev: "x" }]) device.say("inbox.state", bad);
  same(inbox, facts);
});

test("what came while it read is not lost, and what is gone goes", async () => {
  const { facts, device, inbox } = await begin();
  inbox.reload();
  const page = facts.page();
  device.say("inbox.item", facts.put({ id: "late" }));
  facts.do({ read: ["late"] });
  device.say("inbox.state", facts.state());
  facts.facts.splice(1, 1); // erased
  device.take("/v1/inbox?").answer({ ...page, items: page.items.filter((e) => e.id !== "i1") });
  await settle();
  same(inbox, facts);
});

test("it holds no more than its bound, the newest", async () => {
  const { facts, device, inbox } = await begin(0);
  for (let i = 0; i < MAX_ITEMS + 50; i++) device.say("inbox.item", facts.put({}));
  assert.equal(inbox.get().items.length, MAX_ITEMS);
  assert.equal(inbox.get().items[0]!.n, facts.facts.at(-1)!.item.n);
  assert.equal(inbox.get().unread, MAX_ITEMS);
});

test("a change shows at once, and an answer decides", async () => {
  const { facts, device, inbox, answer } = await begin();
  const done = inbox.read("i1");
  assert.equal(inbox.get().unread, 2);
  facts.do({ archived: ["i0"] }); // another device was first
  device.say("inbox.state", facts.state());
  assert.equal(inbox.get().unread, 1, "over the newest state that there is");
  assert.deepEqual(await answer(), { read: ["i1"] });
  await done;
  same(inbox, facts);
});

test("a refusal takes a change back, and only that", async () => {
  const { facts, device, inbox, answer } = await begin();
  const first = inbox.archive(["i0", "i1"]);
  const second = inbox.unread("i2");
  const third = inbox.seen();
  assert.deepEqual([inbox.get().unread, inbox.get().unseen], [1, 0]);
  assert.equal(device.calls.length, 0, "they begin in a moment");
  await settle();
  assert.equal(device.calls.length, 1, "one after the other");
  device.take("/v1/inbox/state").refuse(refused(422));
  await assert.rejects(first, { code: "refused" });
  assert.equal(inbox.get().unread, 3);
  await settle();
  await answer();
  await answer();
  await Promise.all([second, third]);
  same(inbox, facts);
  await inbox.undo();
  assert.equal(inbox.get().unread, 3, "unread changed nothing, so there is nothing to undo");
  void inbox.read("i0"); // a refusal that nobody listens to does no harm
  await settle();
  device.take("/v1/inbox/state").refuse(refused(403));
  await settle();
  same(inbox, facts);
  await inbox.undo();
  assert.equal(device.calls.length, 0, "what was refused needs no undo");
});

test("undo takes back what was done: of all read exactly what was unread", async () => {
  const { facts, inbox, answer, device } = await begin(4);
  void inbox.read("i1");
  void inbox.archive("i2");
  await settle();
  await answer();
  await answer();
  void inbox.read("all");
  await settle();
  assert.deepEqual(await answer(), { read: "all" });
  const later = facts.put({ id: "later" });
  device.say("inbox.item", later);
  assert.equal(inbox.get().unread, 1);
  void inbox.undo();
  await settle();
  assert.deepEqual(await answer(), { unread: ["i3", "i2", "i0"] });
  same(inbox, facts);
  await inbox.undo();
  assert.equal(device.calls.length, 0, "once");
  const until = new Date(facts.now + 60_500);
  void inbox.snooze("i3", until);
  await settle();
  assert.deepEqual((await answer()).snoozed, [{ id: "i3", until: new Date(facts.now + 61_000).toISOString() }], "whole seconds, never too early");
  same(inbox, facts);
  void inbox.archive("i3");
  await settle();
  await answer();
  void inbox.undo();
  await settle();
  assert.deepEqual(Object.keys(await answer()).sort(), ["snoozed", "unarchived"], "and it sleeps again");
  same(inbox, facts);
});

test("mark all as read does not reach what the person could not know", async () => {
  const { facts, device, inbox, answer } = await begin();
  void inbox.read("all");
  device.say("inbox.item", facts.put({}));
  assert.equal(inbox.get().unread, 1);
  await settle();
  await answer(); // the server was told later than that
  same(inbox, facts);
});

test("seen is asked once, and of the newest known", async () => {
  const { facts, inbox, answer, device } = await begin();
  void inbox.seen();
  void inbox.seen();
  await settle();
  assert.deepEqual(await answer(), { seen: facts.facts.at(-1)!.item.n });
  assert.equal(device.calls.length, 0);
  await inbox.read([]);
  assert.equal(device.calls.length, 0);
});

test("items expire and wake up by themselves, and timers go with the last listener", async () => {
  const { time, facts, device, inbox, off } = await begin();
  device.say("inbox.item", facts.put({ id: "short", expires: new Date(time.now() + 5_000).toISOString() }));
  facts.do({ snoozed: [{ id: "i0", until: new Date(time.now() + 9_000).toISOString() }] });
  device.say("inbox.state", facts.state());
  assert.equal(inbox.get().unread, 3);
  time.pass(4_999);
  assert.equal(inbox.get().unread, 3);
  time.pass(1);
  assert.equal(inbox.get().unread, 2);
  time.pass(4_000);
  assert.equal(inbox.get().unread, 3);
  facts.now = time.now();
  same(inbox, facts);
  device.say("inbox.item", facts.put({ expires: new Date(time.now() + 100 * DAY_MS).toISOString() }));
  off();
  time.pass(LINGER_MS);
  assert.deepEqual([time.waiting, device.heard], [0, 0]);
});

test("what is new: fresh, unknown, unread; not what came while it was away", async () => {
  const told: string[] = [];
  const { time, facts, device, inbox, page } = await begin(3, { onNew: (e) => told.push(e.id) });
  assert.equal(told.length, 0, "what is read at first is not");
  const off = inbox.onNew((e) => told.push("+" + e.id));
  const item = facts.put({ id: "a" });
  device.say("inbox.item", item);
  device.say("inbox.item", item);
  device.say("inbox.item", facts.put({ id: "old", at: new Date(time.now() - FRESH_MS).toISOString() }));
  device.say("inbox.item", facts.put({ id: "over", expires: new Date(time.now()).toISOString() }));
  off();
  facts.put({ id: "missed" });
  facts.do({ read: ["gone"] });
  device.gap("dropped");
  await page();
  assert.deepEqual(told, ["a", "+a", "missed"]);
  same(inbox, facts);
});

test("a gap is read over; another log's begins anew", async () => {
  const { facts, device, inbox, page } = await begin();
  facts.put({});
  facts.do({ read: "all" });
  facts.put({});
  device.gap("dropped");
  await page();
  same(inbox, facts);
  // The states of a new server begin again, and its items too.
  const other = new Facts(facts.now - 2 * DAY_MS, dice(2));
  other.put({ id: "first" });
  other.now = facts.now;
  device.gap("epoch");
  device.take("/v1/inbox?").answer(other.page());
  await settle();
  same(inbox, other);
  other.do({ read: ["first"] });
  device.say("inbox.state", other.state());
  same(inbox, other);
});

test("a reading that fails is said and tried again; one that is refused waits for reload", async () => {
  const time = new Time();
  const device = new Device();
  const inbox = notifications(device.client, { clock: time });
  const facts = new Facts(time.now(), dice(1));
  facts.put({});
  const off = inbox.subscribe(() => {});
  device.take("/v1/inbox?").refuse(refused(503));
  await settle();
  assert.deepEqual([inbox.get().loading, inbox.get().error?.status], [false, 503]);
  time.pass(RETRY_MS);
  device.take("/v1/inbox?").refuse(refused(403));
  await settle();
  time.pass(10 * RETRY_MS);
  assert.equal(device.calls.length, 0);
  inbox.reload();
  device.take("/v1/inbox?").answer(facts.page());
  await settle();
  assert.equal(inbox.get().error, undefined);
  same(inbox, facts);
  off();
});

test("without a stream it reads at once, and again when nothing can be missed any more", async () => {
  const time = new Time();
  const device = new Device();
  device.ready.set([]);
  const facts = new Facts(time.now(), dice(1));
  const inbox = notifications(device.client, { clock: time });
  const offs = [inbox.subscribe(() => {}), inbox.subscribe(() => {})];
  assert.equal(device.calls.length, 0);
  time.pass(READY_MS);
  device.take("/v1/inbox?").answer(facts.page());
  await settle();
  facts.put({});
  device.ready.set(["user"]);
  device.take("/v1/inbox?").answer(facts.page());
  await settle();
  same(inbox, facts);
  device.ready.set([]);
  device.ready.set(["user"]); // a reconnect resumes
  assert.equal(device.calls.length, 0);
  // Strict mode: off and on again at once is one following.
  for (const off of offs) off();
  const off = inbox.subscribe(() => {});
  time.pass(10 * LINGER_MS);
  assert.deepEqual([device.calls.length, device.heard], [0, 2]);
  off();
  off();
  time.pass(LINGER_MS);
  inbox.subscribe(() => {});
  assert.equal(device.calls.length, 1, "after a pause it reads again");
});

test("two tabs and two devices agree in the end, whatever the lines do", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = dice(seed);
    const time = new Time();
    const facts = new Facts(time.now(), random);
    const tabs = Array.from({ length: 4 }, () => ({ device: new Device(), line: [] as [string, unknown][], inbox: undefined as unknown as Notifications }));
    const tell = (type: string, data: unknown) => tabs.forEach((t) => t.line.push([type, structuredClone(data)]));
    const serve = ({ device }: (typeof tabs)[number]) => {
      const { path, body, answer, refuse } = device.calls.shift()!;
      if (path.startsWith("/v1/inbox?")) return answer(facts.page(Number(new URLSearchParams(path.split("?")[1]).get("before") ?? Infinity), 7));
      if (random() < 0.15) return refuse(refused(503));
      facts.do(body);
      const state = facts.state();
      tell("inbox.state", state);
      answer({ state });
    };
    const flow = ({ device, line }: (typeof tabs)[number]) => {
      const [type, data] = line.shift()!;
      device.say(type, data);
      if (random() < 0.2) line.splice(Math.floor(random() * 3), 0, [type, data]); // once more, later
    };
    for (const t of tabs) {
      t.inbox = notifications(t.device.client, { clock: time });
      t.inbox.subscribe(() => {});
    }
    for (let step = 0; step < 80; step++) {
      time.pass(Math.floor(random() * 500));
      facts.now = time.now();
      const t = tabs[Math.floor(random() * 4)]!;
      const what = random();
      const ids = t.inbox.get().items.filter(() => random() < 0.2).map((e) => e.id);
      if (what < 0.2) tell("inbox.item", facts.put(randomItem(random, facts.now)));
      else if (what < 0.25) void t.inbox.read("all");
      else if (what < 0.3) void t.inbox.undo();
      else if (what < 0.35) void t.inbox.seen();
      else if (what < 0.4 && ids.length) void t.inbox.snooze(ids[0]!, time.now() + 3_000);
      else if (what < 0.55) void t.inbox[(["read", "unread", "archive", "unarchive"] as const)[Math.floor(random() * 4)]!](ids);
      else if (what < 0.75 && t.device.calls.length) serve(t);
      else if (t.line.length) flow(t);
      if (random() < 0.5) await new Promise((r) => setImmediate(r));
    }
    for (let rest = true; rest; ) {
      rest = false;
      for (const t of tabs) {
        while (t.line.length) flow(t);
        while (t.device.calls.length) {
          rest = true;
          serve(t);
          await settle();
        }
      }
    }
    facts.now = time.now();
    for (const t of tabs) same(t.inbox, facts, `seed ${seed}`);
  }
});

test("over a real client: its own topic, its token, one reading", async () => {
  const world = new World();
  const rt = connect({ url: "http://edge/rt", share: false, token: jwt("ann") }, world);
  const facts = new Facts(world.time, dice(1));
  facts.put({ id: "a" });
  world.on("/v1/inbox", (r) => {
    assert.equal(r.token, "Bearer " + jwt("ann"));
    if (r.path === "/v1/inbox") return json(facts.page());
    facts.do(r.body);
    return json({ state: facts.state(), unread: 0, unseen: 0 });
  });
  const inbox = notifications(rt, { clock: world });
  const off = inbox.subscribe(() => {});
  await settle();
  assert.equal(world.to("/v1/events")[0]!.url.searchParams.get("topics"), "user");
  await world.write(hello(["user.ann"]) + live);
  same(inbox, facts);
  await world.write(event(6, "user.ann", "inbox.item", facts.put({ id: "b" })));
  same(inbox, facts);
  await inbox.read("b");
  same(inbox, facts);
  facts.put({ id: "c" });
  await world.write(control("gap", { topic: "user.ann", after: "e-6", before: "e-9", reason: "dropped" }));
  same(inbox, facts);
  assert.equal(world.to("/v1/inbox").length, 3);
  off();
  await world.pass(LINGER_MS + 2_000);
  assert.ok(world.to("/v1/events").at(-1)!.init.signal!.aborted);
});

for (const share of ["worker", "locks"] as const) {
  test(`a tab that has no connection of its own hears the same: ${share}`, async () => {
    const browser = new Browser(["SharedWorker", "BroadcastChannel", "locks"]);
    browser.auto = 5;
    const facts = new Facts(1_000_000, dice(1));
    const inboxes: Notifications[] = [];
    for (let i = 0; i < 3; i++) {
      const tab = await browser.open({ share, token: jwt("ann") }, []);
      tab.world.on("/v1/inbox", () => json(facts.page()));
      const inbox = notifications(tab.rt, { clock: tab.world });
      inbox.subscribe(() => {});
      inboxes.push(inbox);
      await settle();
      await browser.pass(2_000);
    }
    assert.equal(browser.streams.length, 1);
    const item = facts.put({ id: "a" });
    await browser.streams[0]!.world.write(event(6, "user.ann", "inbox.item", item));
    for (const inbox of inboxes) assert.deepEqual([inbox.get().unread, inbox.get().items[0]?.id], [1, "a"]);
  });
}
