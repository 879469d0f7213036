// Publishing, iterators and what else the client does by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, PUBLISH_MS } from "../src/client.ts";
import { TidingsError } from "../src/fault.ts";
import { event, hello, json, jwt, live, problem, settle, World } from "./world.ts";

function begin() {
  const world = new World();
  const rt = connect({ url: "http://edge/rt", share: false, token: jwt("ann") }, world);
  return { world, rt, room: rt.room("a"), posts: () => world.to("/v1/publish").map((r) => r.body) };
}

test("publish: what is sent, and what comes back", async () => {
  const { world, room, posts } = begin();
  world.on("/v1/publish", () => json({ seq: 7, cursor: "e-7", duplicate: true }));
  assert.deepEqual(await room.publish("t", { a: 1 }, { key: "k" }), { id: "k", cursor: "e-7", duplicate: true });
  assert.deepEqual(posts(), [{ topic: "room.a", type: "t", data: { a: 1 }, id: "k", ephemeral: false }]);
  const { id } = await room.publish("t", 1);
  assert.ok(id.length > 20);
  assert.notEqual((await room.publish("t", 1)).id, id);
});

test("publish: repeated with the same id until it is stored", async () => {
  const { world, room, posts } = begin();
  const answers: (() => Response)[] = [
    () => { throw new TypeError("fetch failed"); },
    () => problem(503, "log_unavailable", { "Retry-After": "5" }),
    () => problem(429, "slow_down"),
    () => new Response("<html>", { status: 502 }),
    () => json({ cursor: "e-7" }),
  ];
  world.on("/v1/publish", () => answers.shift()!());
  const done = room.publish("t", 1);
  await settle();
  await world.pass(499);
  assert.equal(posts().length, 1);
  await world.pass(1);
  assert.equal(posts().length, 2);
  await world.pass(5_000);
  assert.equal(posts().length, 2, "Retry-After, and a little more");
  await world.pass(12_000);
  assert.equal((await done).cursor, "e-7");
  assert.equal(new Set(posts().map((b) => b.id)).size, 1);
});

test("publish: what does not answer is asked again, within the bound", async () => {
  const { world, room, posts } = begin();
  world.on("/v1/publish", () => new Promise(() => {}));
  const done = assert.rejects(room.publish("t", 1), { code: "timeout" });
  await settle();
  await world.pass(PUBLISH_MS + 20_000);
  await done;
  assert.ok(posts().length >= 3 && posts().length <= 5, `${posts().length}`);
  const short = assert.rejects(room.publish("t", 1, { timeout: 0 }), { code: "timeout" });
  await settle();
  await world.pass(20_000);
  await short;
});

test("publish: a refusal is not repeated, an ephemeral event is not either", async () => {
  const { world, room, posts } = begin();
  world.on("/v1/publish", () => problem(403, "publish_denied"));
  await assert.rejects(room.publish("t", 1), (e: unknown) => e instanceof TidingsError && e.code === "publish_denied" && e.detail === "It is publish_denied." && e.hint === "Do better.");
  world.on("/v1/publish", () => problem(503, "away"));
  await assert.rejects(room.publish("t", 1, { ephemeral: true }), { code: "away" });
  assert.equal(posts().length, 2);
});

test("publish: a signal ends it, also while it waits", async () => {
  const { world, room, posts } = begin();
  const stop = new AbortController();
  world.on("/v1/publish", () => problem(503, "away"));
  const done = assert.rejects(room.publish("t", 1, { signal: stop.signal }), { code: "closed" });
  await settle();
  stop.abort();
  await done;
  assert.equal(posts().length, 1);
  await assert.rejects(room.publish("t", 1, { signal: stop.signal }), { code: "closed" });
});

test("publish: a refused token is replaced once", async () => {
  const world = new World();
  let n = 0;
  const rt = connect({ url: "http://edge/rt", share: false, token: () => jwt("ann", n++) }, world);
  world.on("/v1/publish", (r) => (r.token === "Bearer " + jwt("ann", 1) ? json({ cursor: "e-1" }) : problem(401, "token_expired")));
  assert.equal((await rt.room("a").publish("t", 1)).cursor, "e-1");
  world.on("/v1/publish", () => problem(401, "token_expired"));
  await assert.rejects(rt.room("a").publish("t", 1), { code: "token_expired" });
  assert.equal(n, 3);
});

test("exceptSelf drops the own event, once, over a reconnect", async () => {
  const { world, room } = begin();
  world.on("/v1/publish", () => json({ cursor: "e-6" }));
  const seen: unknown[] = [];
  room.on("*", (m) => seen.push(m.data));
  await settle();
  await world.write(hello(["room.a"]) + live);
  const { id } = await room.publish("t", "mine", { exceptSelf: true });
  await world.end();
  await world.pass(1000);
  await world.write(hello(["room.a"]) + event(6, "room.a", "t", "mine", id) + event(7, "room.a", "t", "theirs", id + "x") + live);
  assert.deepEqual(seen, ["theirs"]);
});

test("listeners: by type and by *, one's fault is not another's, off is off", async () => {
  const { world, rt, room } = begin();
  const seen: string[] = [];
  const faults: unknown[] = [];
  (globalThis as any).reportError = (e: unknown) => faults.push(e);
  room.on("a", () => { throw new Error("mine"); });
  const off = room.on("a", (d, m) => seen.push(`a ${d} ${m.topic}`));
  room.on("*", (m) => seen.push(`* ${m.type}`));
  rt.topic("room.>").on("b", (d) => seen.push(`> ${d}`));
  await settle();
  await world.write(hello(["room.a", "room.>"]) + live + event(6, "room.a", "a") + event(7, "room.a", "b") + event(8, "room.x.y", "b"));
  off();
  off();
  await world.write(event(9, "room.a", "a"));
  assert.deepEqual(seen, ["a 6 room.a", "* a", "* b", "> 7", "> 8", "* a"]);
  assert.equal(faults.length, 2);
  delete (globalThis as any).reportError;
});

test("topics from the beginning", async () => {
  const world = new World();
  connect({ url: "http://edge/rt", share: false, topics: ["all", "user"] }, world);
  await settle();
  assert.equal(world.to("/v1/events")[0]!.url.searchParams.get("topics"), "all,user");
});

test("an iterator begins with the log only when what is new is certain to come", async () => {
  const { world, room } = begin();
  world.on("/v1/topics/room.a/events", (r) => {
    const at = Number((r.url.searchParams.get("after") ?? "e-0").slice(2));
    const events = [1, 2, 3, 4, 5, 6].filter((n) => n > at).slice(0, 3);
    return json({ events: events.map((n) => ({ topic: "room.a", type: n === 2 ? "u" : "t", data: n, cursor: `e-${n}` })), cursor: `e-${Math.min(6, at + 3)}`, more: at < 3, gone: false });
  });
  const got: [unknown, boolean][] = [];
  const reading = (async () => {
    for await (const m of room.events("t", { since: "e-0" })) {
      got.push([m.data, m.replayed]);
      if (m.data === 8) break;
    }
  })();
  await settle();
  assert.equal(world.to("/v1/topics/").length, 0, "before the hello nothing is read");
  await world.write(hello(["room.a"]) + live + event(5));
  await world.write(event(6) + event(7) + event(8));
  await reading;
  assert.deepEqual(got, [[1, true], [3, true], [4, true], [5, true], [6, true], [7, false], [8, false]]);
  await settle();
  await world.pass(1000);
  assert.ok(world.to("/v1/events")[0]!.init.signal!.aborted, "the last listener has gone");
});

test("a slow reader's buffer is bounded, and the log has the rest", async () => {
  const { world, room } = begin();
  world.on("/v1/topics/room.a/events", (r) => {
    const at = Number(r.url.searchParams.get("after")!.slice(2));
    const events = Array.from({ length: 20 }, (_, i) => i + 6).filter((n) => n > at);
    return json({ events: events.map((n) => ({ topic: "room.a", type: "t", data: n, cursor: `e-${n}` })), cursor: "e-25", more: false, gone: false });
  });
  const it = room.events("t", { buffer: 2 });
  const first = it.next();
  await settle();
  await world.write(hello(["room.a"]) + live + event(6));
  assert.equal((await first).value.data, 6);
  for (let n = 7; n <= 25; n++) await world.write(event(n));
  const got: unknown[] = [];
  for (let n = 7; n <= 25; n++) got.push((await it.next()).value.data);
  assert.deepEqual(got, Array.from({ length: 19 }, (_, i) => i + 7));
  await world.write(event(26));
  assert.equal((await it.next()).value.data, 26);
  assert.equal(world.to("/v1/topics/").length, 1);
  await it.return!();
});
