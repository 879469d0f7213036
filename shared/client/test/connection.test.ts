// The life of a connection on a virtual clock, with a server that does as the test says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client.ts";
import { HELLO_MS, HIDDEN_MS, HURRIED, POLL_MS, TICK_MS } from "../src/connection.ts";
import { REMEMBER_MS } from "../src/ladder.ts";
import { last, start, up } from "./listener.ts";
import { control, event, hello, json, jwt, live, problem, settle, World } from "./world.ts";

test("connects, catches up, is live", async () => {
  const { world, names, seqs, events, rt } = await start();
  const { url, token, init } = last(world);
  assert.equal(url.search, "?topics=room.a");
  assert.equal(token, "Bearer " + jwt("ann"));
  assert.equal(init.cache, "no-store");
  assert.equal(names(), "idle connecting");
  await world.write(hello(["room.a"]) + event(6) + live + event(7));
  assert.equal(names(), "idle connecting catching-up live");
  assert.equal(seqs(), "6 7");
  assert.deepEqual(events.map((m) => m.replayed), [true, false]);
  assert.equal(rt.cursor, "e-7");
  assert.deepEqual(rt.status.get(), { state: "live", via: "sse", node: "n1", conn: "C1" });
});

test("nothing is sent before somebody listens, nothing is left when it is closed", async () => {
  const world = new World();
  const rt = connect({ url: "http://edge/rt", share: false }, world);
  rt.room("a").onGap(() => {});
  await settle();
  assert.equal(world.requests.length, 0);
  rt.room("a").on("*", () => {});
  await settle();
  assert.equal(last(world).token, null, "without a token the cookie must do");
  rt.close();
  assert.equal(rt.status.get().state, "idle");
  assert.equal(world.waiting, 0, "timers");
  assert.ok(last(world).init.signal!.aborted);
});

test("resumes at its cursor, which heartbeats move", async () => {
  const { world, states, rt } = await up({ rewind: 10 });
  assert.equal(last(world).url.search, "?topics=room.a&rewind=10");
  await world.write("retry: 700\n\nid: e-9\n\n");
  assert.equal(rt.cursor, "e-9");
  await world.end();
  assert.deepEqual(states.at(-1), { state: "waiting", retryAt: world.time + 700, reason: "The connection ended." }, "the first wait is what retry said");
  await world.pass(699);
  assert.equal(world.to("/v1/events").length, 1);
  await world.pass(1);
  assert.equal(last(world).url.search, "?topics=room.a&cursor=e-9");
  await world.broken();
  assert.equal(states.at(-1)!.state, "waiting");
});

test("a cursor kept from a former visit", async () => {
  const { world } = await start({ cursor: "e-3", rewind: 10 });
  assert.equal(last(world).url.search, "?topics=room.a&cursor=e-3");
});

test("repetitions are dropped, ephemeral events are not", async () => {
  const { world, seqs, events } = await up();
  await world.write(event(6) + event(7) + event(7) + event(6));
  await world.write(`event: t\ndata: {"topic":"room.a","type":"t","data":"e"}\n\n`.repeat(2));
  await world.end();
  await world.pass(1000);
  await world.write(hello(["room.a"], 6) + event(6) + event(7) + event(8) + live);
  assert.equal(seqs(), "6 7   8");
  assert.deepEqual(events.map((m) => m.data), [6, 7, "e", "e", 8]);
});

test("waits grow with full jitter under a ceiling, and shrink after it worked", async () => {
  const world = new World();
  world.dice = 1;
  world.on("/v1/events", () => { throw new TypeError("fetch failed"); });
  const { rt } = await start({}, world);
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const s = rt.status.get();
    assert.ok(s.state === "waiting" && s.reason === "fetch failed");
    waits.push(s.retryAt - world.time);
    await world.pass(s.retryAt - world.time);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  world.scripts = [];
  await world.pass(30_000);
  await world.write(hello(["room.a"]) + live);
  await world.end();
  const s = rt.status.get();
  assert.ok("retryAt" in s && s.retryAt - world.time === 1000);
});

test("a refusal that will pass says when", async () => {
  for (const [answer, least] of [
    [() => problem(503, "log_unavailable", { "Retry-After": "7" }), 7000],
    [() => problem(429, "slow_down", { "Retry-After": "3" }), 3000],
    [() => new Response("<html>bad gateway", { status: 502 }), 0],
    [() => new Response("<html>not here", { status: 404 }), 0],
  ] as const) {
    const world = new World();
    world.dice = 0;
    world.on("/v1/events", answer);
    const { rt } = await start({}, world);
    const s = rt.status.get();
    assert.ok(s.state === "waiting");
    assert.equal(s.retryAt - world.time, least);
  }
});

test("a bye is obeyed", async () => {
  const { world, rt, states } = await up();
  world.dice = 0;
  await world.write(control("bye", { code: "draining", reason: "This node shuts down.", return: true, retry_ms: 4000 }));
  assert.deepEqual(states.at(-1), { state: "waiting", retryAt: world.time + 4000, reason: "This node shuts down." });
  assert.ok(last(world).init.signal!.aborted, "it does not wait to be thrown out");
  await world.moment("visibilitychange");
  assert.equal(world.to("/v1/events").length, 1, "what the server asked for stands");
  rt.retryNow();
  await settle();
  assert.equal(world.to("/v1/events").length, 2, "what the user asks for, too");
  await world.write(control("bye", { code: "banned", reason: "Go.", return: false, retry_ms: 0 }));
  assert.deepEqual(states.at(-1), { state: "denied", reason: "Go.", code: "banned", hint: "" });
  await world.pass(3_600_000);
  assert.equal(world.to("/v1/events").length, 2);
});

test("cut and revoked, by every way", async () => {
  const cut = { code: "cut", reason: "An operator ended this connection.", return: true, retry_ms: 9000 };
  const off = { ...cut, return: false, retry_ms: 0 };
  const revoked = { code: "revoked", reason: "Your right to be here has been revoked.", return: false, retry_ms: 0 };
  const denied = ({ code, reason }: typeof cut) => ({ state: "denied", reason, code, hint: "" });
  for (const bye of [cut, off, revoked]) {
    const { world, rt, states } = await up();
    await world.write(control("bye", bye));
    if (bye.return) {
      const s = rt.status.get();
      assert.ok(s.state === "waiting" && s.retryAt - world.time >= 9000 && s.reason === cut.reason);
      continue;
    }
    assert.deepEqual(states.at(-1), denied(bye));
    // The token is of no use any more: another one may be, once the user asks.
    world.on("/v1/events", () => problem(401, "token_revoked"));
    rt.retryNow();
    await settle();
    const s = rt.status.get();
    assert.ok(s.state === "denied" && s.code === "token_revoked" && world.to("/v1/events").length === 3);
  }
  for (const [bye, code] of [[cut, 4008], [off, 4403], [revoked, 4403]] as const) {
    for (const heard of [true, false]) {
      const world = new World();
      world.on("/v1/tickets", () => json({ ticket: "T" }));
      const { rt, a } = await start({ transports: ["ws"] }, world);
      a.onError(() => assert.fail("a topic was refused"));
      const [ws] = world.sockets;
      await ws!.say({ type: "tidings.hello", cursor: "e-5", data: { conn: "C", node: "n", topics: ["room.a"], heartbeat_ms: 1000 } }, { type: "tidings.live", data: {} });
      if (heard) await ws!.say({ type: "tidings.bye", data: bye });
      ws!.close(code, bye.code);
      await settle();
      const s = rt.status.get();
      if (code === 4008) assert.ok(s.state === "waiting" && (!heard || s.retryAt - world.time >= 9000));
      else assert.deepEqual([s.state, "code" in s && s.code], ["denied", bye.code], "also by the close code alone");
    }
  }
  for (const bye of [cut, off, revoked]) {
    const world = new World();
    world.on("/v1/poll", (r) => (r.url.searchParams.get("wait") === "0" ? json({ events: [], cursor: "e-5" }) : bye.return ? problem(503, bye.code, { "Retry-After": "9" }) : problem(403, bye.code)));
    const { rt, a } = await start({ transports: ["poll"] }, world);
    a.onError(() => assert.fail("a topic was refused"));
    await settle();
    const s = rt.status.get();
    if (bye.return) assert.ok(s.state === "waiting" && s.retryAt - world.time >= 9000);
    else assert.deepEqual([s.state, "code" in s && s.code, world.to("/v1/topics/").length], ["denied", bye.code, 0]);
  }
});

test("an outage rules out no way that worked", async () => {
  const world = new World();
  world.dice = 0.5;
  world.stored.set("tidings:http://edge/rt", JSON.stringify([1, world.time + REMEMBER_MS]));
  const answers = [() => json({ ticket: "T" }), ...Array(4).fill(() => problem(502, "away")), ...Array(4).fill(() => { throw new TypeError("refused"); })];
  world.on("/v1/tickets", () => (answers.shift() ?? (() => json({ ticket: "T" })))());
  await start({}, world);
  world.sockets[0]!.close();
  await settle();
  await world.pass(120_000);
  assert.equal(answers.length, 0);
  assert.equal(world.sockets.length > 1, true);
  assert.match(world.sockets[1]!.url, /ws:/);
});

test("204 means to go away", async () => {
  const world = new World();
  world.on("/v1/events", () => new Response(null, { status: 204 }));
  const { now } = await start({}, world);
  assert.equal(now(), "denied");
});

test("offline is a word for waiting", async () => {
  const { world, now } = await up();
  world.up = false;
  await world.broken();
  assert.equal(now(), "offline");
  await world.moment("online");
  assert.equal(world.to("/v1/events").length, 2);
  assert.equal(now(), "connecting");
});

test("silence is noticed after 2.5 heartbeats, and any byte breaks it", async () => {
  const { world, now, names } = await up();
  await world.write(hello(["room.a"]).replace('"heartbeat_ms":1000', '"heartbeat_ms":10000'));
  await world.pass(20_000);
  await world.write(": anything counts\n");
  await world.pass(24_000);
  assert.equal(world.to("/v1/events").length, 1);
  await world.pass(TICK_MS + 1000);
  assert.equal(world.to("/v1/events").length, 2, "and then at once: the silence was wait enough");
  assert.equal(now(), "connecting");
  assert.ok(!names().includes("waiting"));
});

test("wakes", async () => {
  const { world, now } = await up();
  await world.write(hello(["room.a"]).replace('"heartbeat_ms":1000', '"heartbeat_ms":15000'));
  await world.pass(10_000);
  await world.moment("visibilitychange");
  assert.equal(world.to("/v1/events").length, 1, "all is well");
  await world.sleep(600_000);
  await world.moment("visibilitychange");
  assert.equal(world.to("/v1/events").length, 2, "the page was seen again after a sleep");
  await world.write(hello(["room.a"]) + live);
  await world.sleep(600_000);
  assert.equal(now(), "live");
  await world.pass(TICK_MS);
  assert.equal(world.to("/v1/events").length, 3, "the clock jumped");
  await world.write(hello(["room.a"]) + live);
  await world.moment("online");
  assert.equal(world.to("/v1/events").length, 4, "a new network");
});

test("what was heard before a sleep proves nothing after it", async () => {
  const { world } = await up();
  await world.write(hello(["room.a"]).replace('"heartbeat_ms":1000', '"heartbeat_ms":15000'));
  world.time += 2 * TICK_MS + 1;
  await world.write("id: e-6\n\n"); // it waited in a buffer
  await world.pass(0);
  assert.equal(world.to("/v1/events").length, 2);
  assert.equal(last(world).url.search, "?topics=room.a&cursor=e-6");
  await world.write(hello(["room.a"]) + live);
  world.time += 2 * TICK_MS + 1;
  await world.broken();
  assert.equal(world.to("/v1/events").length, 3, "nor is there a wait for what broke meanwhile");
  await world.write(hello(["room.a"]) + live);
  await world.broken();
  assert.equal(world.to("/v1/events").length, 3, "but there is for what breaks later");
});

test("late timers of a hidden page are no sleep", async () => {
  const { world } = await up();
  world.unseen = true;
  await world.write(hello(["room.a"]).replace('"heartbeat_ms":1000', '"heartbeat_ms":15000'));
  for (let minute = 0; minute < 5; minute++) {
    world.time += 60_000;
    await world.write("id: e-6\n\n");
    await world.pass(0);
  }
  assert.equal(world.to("/v1/events").length, 1);
  world.time += HIDDEN_MS + TICK_MS + 1;
  await world.pass(0);
  assert.equal(world.to("/v1/events").length, 2);
});

test("a wait that a sleep interrupted ends with it", async () => {
  const { world } = await up();
  await world.write("retry: 4000\n\n");
  await world.end();
  await world.sleep(100_000);
  await world.pass(TICK_MS);
  assert.equal(world.to("/v1/events").length, 2);
});

test("the back/forward cache: no stream is kept, nothing is lost", async () => {
  const { world, now, seqs } = await up();
  await world.write(event(6));
  await world.moment("pagehide");
  await world.moment("visibilitychange");
  assert.equal(now(), "idle");
  assert.ok(last(world).init.signal!.aborted);
  await world.pass(60_000);
  assert.equal(world.to("/v1/events").length, 1);
  await world.moment("pageshow");
  assert.equal(last(world).url.search, "?topics=room.a&cursor=e-6");
  await world.write(hello(["room.a"], 6) + event(6) + event(7) + live);
  assert.equal(seqs(), "6 7");
});

test("the back/forward cache, before anything but the hello came", async () => {
  const { world } = await up();
  await world.moment("pagehide");
  await world.moment("pageshow");
  assert.equal(last(world).url.search, "?topics=room.a&cursor=e-5");
});

test("two starts without a hello: WebSocket, and remembered", async () => {
  const world = new World();
  world.on("/v1/tickets", () => json({ ticket: "T" }));
  const { rt, now, seqs } = await start({}, world);
  await world.write(": bytes, but no hello\n");
  await world.pass(HELLO_MS);
  assert.equal(world.to("/v1/events").length, 2);
  await world.pass(HELLO_MS);
  assert.equal(world.sockets.length, 1, "after 6 s");
  const [ws] = world.sockets;
  assert.equal(ws!.url, "ws://edge/rt/v1/ws?topics=room.a&ticket=T");
  assert.equal(world.to("/v1/tickets")[0]!.token, "Bearer " + jwt("ann"));
  await ws!.say(
    { type: "tidings.hello", cursor: "e-5", data: { conn: "C2", node: "n1", topics: ["room.a"], heartbeat_ms: 1000, retry_ms: 4321 } },
    { topic: "room.a", type: "t", data: 6, cursor: "e-6" }, { type: "tidings.live", data: {} }, { re: 1, ok: true, cursor: "e-999" }, { cursor: "e-7" },
  );
  assert.deepEqual(rt.status.get(), { state: "live", via: "ws", node: "n1", conn: "C2" });
  assert.equal(seqs(), "6");
  assert.equal(rt.cursor, "e-7", "an answer moves no cursor");
  ws!.close();
  await settle();
  const s = rt.status.get();
  assert.ok("retryAt" in s && s.retryAt - world.time === 4321, "retry_ms of the hello");
  await world.pass(4321);
  assert.match(world.sockets[1]!.url, /cursor=e-7/);
  assert.equal(now(), "connecting");
  rt.close();
  // Another page of the same visit goes there at once, but not for ever.
  world.requests = [];
  const again = await start({}, world);
  assert.equal(world.sockets.length, 3);
  assert.equal(world.to("/v1/events").length, 0);
  again.rt.close();
  world.time += REMEMBER_MS;
  await start({}, world);
  assert.equal(world.to("/v1/events").length, 1);
});

test("a WebSocket that is blocked too: long-poll", async () => {
  const world = new World();
  world.dice = 0;
  const polls: ((r: Response) => void)[] = [];
  world.on("/v1/tickets", () => json({ ticket: "T" }));
  world.on("/v1/events", () => new Promise(() => {}));
  world.on("/v1/poll", () => new Promise((r) => polls.push(r)));
  const { rt, seqs, a } = await start({}, world);
  await world.pass(2 * HELLO_MS);
  assert.equal(world.sockets.length, 1);
  world.sockets[0]!.close(); // as a proxy that answers 403 looks to a page
  await settle();
  await world.pass(0);
  world.sockets[1]!.close();
  await settle();
  await world.pass(0);
  assert.equal(world.to("/v1/poll").at(-1)!.url.search, "?topics=room.a&wait=0");
  polls.shift()!(json({ events: [], cursor: "e-5" }));
  await settle();
  assert.deepEqual(rt.status.get(), { state: "live", via: "poll", node: "", conn: "" });
  assert.equal(world.to("/v1/poll").at(-1)!.url.search, "?topics=room.a&wait=25&cursor=e-5");
  polls.shift()!(json({ events: [{ topic: "room.a", type: "t", cursor: "e-7" }, { type: "tidings.gap", cursor: "e-8", data: { topic: "room.a", reason: "dropped", before: "e-8" } }], cursor: "e-9" }));
  await settle();
  assert.equal(seqs(), "7");
  assert.equal(rt.cursor, "e-9");
  // Other topics: asked anew, from the same place, without a word to the server.
  rt.room("b").on("*", () => {});
  await settle();
  assert.equal(world.to("/v1/poll").at(-1)!.url.search, "?topics=room.a%2Croom.b&wait=25&cursor=e-9");
  assert.ok(world.to("/v1/poll").at(-2)!.init.signal!.aborted);
  assert.equal(a.pattern, "room.a");
  // After a while the better ways deserve another try.
  polls.pop()!(json({ events: [], cursor: "e-9" }));
  await world.pass(1000);
  world.time += REMEMBER_MS;
  polls.pop()!(json({ events: [], cursor: "e-9" }));
  await settle();
  await world.pass(TICK_MS + 1000);
  assert.equal(world.to("/v1/events").at(-1)!.url.searchParams.get("cursor"), "e-9");
});

test("an empty answer at once is no reason to ask at once", async () => {
  const world = new World();
  world.on("/v1/poll", () => json({ events: [], cursor: "e-5" }));
  await start({ transports: ["poll"] }, world);
  await world.pass(10_000);
  assert.ok(world.to("/v1/poll").length < 15, `${world.to("/v1/poll").length}`);
});

test("a server that hangs is not called in a hurry for ever", async () => {
  const world = new World();
  world.on("/v1/", () => new Promise(() => {}));
  const { names } = await start({}, world);
  await world.pass(HURRIED * HELLO_MS + POLL_MS + 1);
  assert.match(names(), /waiting/);
  const before = world.requests.length;
  await world.pass(600_000);
  assert.ok(world.requests.length - before < 60, `${world.requests.length - before} in 10 min`);
});

test("a server that is down rules no way out", async () => {
  const world = new World();
  world.on("/v1/", () => { throw new TypeError("refused"); });
  const { rt } = await start({}, world);
  await world.pass(300_000);
  world.scripts = [];
  for (let i = 0; i < 3; i++) {
    rt.retryNow();
    await settle();
  }
  assert.equal(world.to("/v1/poll").length, 0);
  assert.equal(last(world).path, "/v1/events");
});

