// The client against the real server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect, type Options } from "../src/client.ts";
import type { Via } from "../src/status.ts";
import { Server, until } from "./server.ts";

const server = new Server();
before(() => server.start());
after(() => server.end());

type Events = { n: number; text: string };
const clients: { close(): void }[] = [];
after(() => clients.forEach((rt) => rt.close()));
const open = (user: string, options: Options = {}) => {
  const rt = connect<Events>({ url: server.url, share: false, token: server.token(user), ...options });
  clients.push(rt);
  return rt;
};
const alive = (rt: ReturnType<typeof open>) => until(() => rt.status.get().state === "live", () => JSON.stringify(rt.status.get()));

for (const via of ["sse", "ws", "poll"] as Via[]) {
  describe(via, () => {
    const room = `flow.${via}`;

    test("live, other topics on the live stream, own topic", async () => {
      const rt = open("ann", { transports: [via] });
      const seen: string[] = [];
      rt.room(room).on("text", (d, m) => seen.push(`${d} ${m.topic} ${m.source} ${m.replayed}`));
      await alive(rt);
      const s = rt.status.get();
      assert.ok(s.state === "live" && s.via === via);
      await rt.room(room).publish("text", "one");
      await until(() => seen.length === 1);
      assert.deepEqual(seen, [`one room.${room} user.ann false`]);
      const conn = s.conn;
      const other = rt.room([room, "order 42"]);
      const off = other.on("text", (d) => seen.push(d));
      rt.user().on("*", () => {});
      await until(async () => {
        await other.publish("text", "two");
        return seen.includes("two");
      });
      off();
      const count = seen.length;
      await until(async () => {
        await rt.room(room).publish("text", "three");
        return seen.length > count;
      });
      const now = rt.status.get();
      assert.ok(now.state === "live" && now.conn === conn, "the same stream");
      rt.close();
    });

    test("killed and started again: nothing lost, nothing doubled", async () => {
      const rt = open("ann", { transports: [via] });
      const writer = open("bob", { transports: [via] });
      const seen: number[] = [];
      const gaps: unknown[] = [];
      rt.room(room).on("n", (n) => seen.push(n));
      rt.room(room).onGap((g) => gaps.push(g));
      await alive(rt);
      let last = 0;
      let stop = false;
      const writing = (async () => {
        while (!stop) await writer.room(room).publish("n", ++last, { timeout: 60_000 });
      })();
      await until(() => seen.length > 20);
      await server.kill();
      await until(() => rt.status.get().state !== "live");
      await server.start();
      const then = last;
      await until(() => last > then + 20);
      stop = true;
      await writing;
      await until(() => seen.at(-1) === last, () => `${seen.at(-1)} of ${last}`);
      assert.deepEqual(seen, Array.from({ length: last }, (_, i) => i + 1));
      assert.deepEqual(gaps, []);
      rt.close();
      writer.close();
    });

    test("a token is renewed and nobody notices", async () => {
      let fetched = 0;
      const rt = open("ann", { transports: [via], token: () => server.token("ann", fetched++ ? 3600 : 4) });
      const states: string[] = [];
      const seen: string[] = [];
      rt.room(room).on("text", (d) => seen.push(d));
      await alive(rt);
      rt.status.subscribe((s) => states.push(s.state));
      const writer = open("bob");
      // Past the end of the first token.
      const end = Date.now() + 6_000;
      let sent = 0;
      while (Date.now() < end) {
        await writer.room(room).publish("text", String(++sent));
        await new Promise((r) => setTimeout(r, 100));
      }
      await until(() => seen.length === sent);
      assert.equal(fetched, 2);
      assert.deepEqual(seen, Array.from({ length: sent }, (_, i) => String(i + 1)));
      if (via !== "poll") assert.deepEqual(states, ["live"]);
      rt.close();
      writer.close();
    });
  });
}

test("publishing is idempotent, and heard by others only if wished so", async () => {
  const ann = open("ann");
  const other = open("ann");
  const room = ann.room("publish");
  const mine: string[] = [];
  const theirs: string[] = [];
  room.on("text", (d) => mine.push(d));
  other.room("publish").on("text", (d) => theirs.push(d));
  await Promise.all([alive(ann), alive(other)]);
  const first = await room.publish("text", "once", { key: "k1" });
  const again = await room.publish("text", "once", { key: "k1" });
  assert.deepEqual([first.duplicate, again.duplicate, first.id, again.cursor], [false, true, "k1", first.cursor]);
  await room.publish("text", "not to me", { exceptSelf: true });
  const e = await room.publish("text", "passing", { ephemeral: true });
  assert.equal(e.cursor, undefined);
  await room.publish("text", "last");
  await until(() => mine.includes("last") && theirs.includes("last"));
  assert.deepEqual(mine.filter((t) => t !== "passing"), ["once", "last"]);
  assert.deepEqual(theirs.filter((t) => t !== "passing"), ["once", "not to me", "last"]);
  await assert.rejects(ann.topic("all").publish("text", "x"), { code: "publish_denied", status: 403 });
  ann.close();
  other.close();
});

test("events from a cursor, from the beginning, and through a small buffer", async () => {
  const rt = open("ann");
  const room = rt.room("iterate");
  const cursors: string[] = [];
  for (let n = 1; n <= 250; n++) cursors.push((await room.publish("n", n)).cursor!);
  const stop = new AbortController();
  const read = async (since: string | undefined, count: number, buffer = 1000) => {
    const got: number[] = [];
    for await (const m of room.events("n", { ...(since !== undefined && { since }), buffer, signal: stop.signal })) {
      got.push(m.data);
      if (got.length === count) break;
    }
    return got;
  };
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const all = read("", 400);
  const some = read(cursors[99], 300);
  const slow = (async () => {
    const got: number[] = [];
    for await (const m of room.events("n", { since: cursors[199]!, buffer: 3 })) {
      got.push(m.data);
      await new Promise((r) => setTimeout(r, 5));
      if (got.length === 200) break;
    }
    return got;
  })();
  for (let n = 251; n <= 400; n++) await room.publish("n", n);
  assert.deepEqual(await all, numbers(1, 400));
  assert.deepEqual(await some, numbers(101, 400));
  assert.deepEqual(await slow, numbers(201, 400));
  const none = read(undefined, 1);
  await alive(rt);
  stop.abort();
  assert.deepEqual(await none, []);
  const gaps: unknown[] = [];
  for await (const m of room.events("n", { since: "0ther-5", onGap: (g) => gaps.push(g) })) if (m.data === 1) break;
  assert.deepEqual(gaps, [{ topic: "room.iterate", after: "0ther-5", before: cursors[0], reason: "dropped" }]);
  const page = await room.history({ after: cursors[9]!, limit: 5 });
  assert.deepEqual([page.events.map((e) => e.data), page.more], [numbers(11, 15), true]);
  await assert.rejects((async () => {
    for await (const _ of rt.room("x").events("n", { since: "odd" })) assert.fail("an event");
  })(), { code: "bad_cursor" });
  rt.close();
});

test("what may not be read is told, and the rest goes on", async () => {
  const rt = open("eve", { token: server.token("eve", 3600, "room.open.>") });
  const errors: string[] = [];
  const seen: string[] = [];
  rt.room("closed").onError((e) => errors.push(`${e.code} ${e.status} ${e.detail}`));
  rt.room("open.a").on("text", (d) => seen.push(d));
  rt.room("closed").on("*", () => {});
  await alive(rt);
  assert.deepEqual(errors, ['topic_denied 403 Your token does not let you read "room.closed".']);
  const off = rt.room("closed").on("*", () => {});
  rt.room("elsewhere").onError((e) => errors.push(e.code));
  rt.room("elsewhere").on("*", () => {});
  await until(() => errors.length === 2);
  await rt.room("open.a").publish("text", "still here");
  await until(() => seen.length === 1);
  off();
  rt.close();
});

test("a wrong token is denied with the server's words", async () => {
  for (const transports of [["sse"], ["ws"], ["poll"]] as Via[][]) {
    const rt = open("ann", { token: "nonsense", transports });
    rt.room("a").on("*", () => {});
    await until(() => rt.status.get().state === "denied", () => JSON.stringify(rt.status.get()));
    const s = rt.status.get();
    assert.ok(s.state === "denied" && s.code.startsWith("token_"), JSON.stringify(s));
    rt.close();
  }
});
