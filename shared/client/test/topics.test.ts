// Tokens and topics of a connection, and what it hears.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../src/client.ts";
import { LINGER_MS } from "../src/connection.ts";
import { last, start, up } from "./listener.ts";
import { control, event, hello, json, jwt, live, problem, settle, World } from "./world.ts";

test("401: one other token, then denied", async () => {
  const world = new World();
  world.on("/v1/events", () => problem(401, "token_expired"));
  let n = 0;
  const { rt, states } = await start({ token: () => jwt("ann", n++) }, world);
  assert.deepEqual(world.to("/v1/events").map((r) => r.token), ["Bearer " + jwt("ann", 0), "Bearer " + jwt("ann", 1)]);
  assert.deepEqual(states.at(-1), { state: "denied", reason: "It is token_expired.", code: "token_expired", hint: "Do better." });
  world.scripts = [];
  rt.retryNow();
  await settle();
  assert.equal(last(world).token, "Bearer " + jwt("ann", 2));
  await world.write(hello(["room.a"]) + live);
  assert.equal(rt.status.get().state, "live");
});

test("a token callback that fails is waited for", async () => {
  const world = new World();
  let ok = false;
  const { rt } = await start({ token: async () => { if (!ok) throw new Error("login server away"); return jwt("ann"); } }, world);
  const s = rt.status.get();
  assert.ok(s.state === "waiting" && s.reason === "login server away");
  ok = true;
  await world.pass(1000);
  assert.equal(world.to("/v1/events").length, 1);
});

test("a token callback that refuses is asked once, and no topic suffers", async () => {
  for (const status of [401, 403]) {
    const world = new World();
    let [asked, signedIn] = [0, false];
    const { rt, a, now } = await start({
      token: () => {
        asked++;
        if (signedIn) return jwt("ann");
        // That of another copy of the package.
        throw Object.assign(new Error("Nobody is signed in."), { name: "TidingsError", code: "signed_out", detail: "Nobody is signed in.", hint: "Sign in.", status });
      },
    }, world);
    a.onError(() => assert.fail("a topic was refused"));
    assert.deepEqual(rt.status.get(), { state: "denied", reason: "Nobody is signed in.", code: "signed_out", hint: "Sign in." });
    await world.moment("visibilitychange");
    await world.pass(3_600_000);
    assert.deepEqual([asked, world.requests.length], [1, 0]);
    await assert.rejects(a.publish("t", 1), { code: "signed_out", status });
    assert.equal(asked, 2);
    signedIn = true;
    rt.retryNow();
    await settle();
    assert.deepEqual([now(), asked, last(world).token], ["connecting", 3, "Bearer " + jwt("ann")]);
  }
});

test("renewal before expiry, on the live stream", async () => {
  const world = new World();
  world.on("/v1/connections/", () => json({ conn: "C1", topics: ["room.a"], cursor: "e-5" }));
  let n = 0;
  const { names, now } = await up({ token: () => jwt("ann", n++) }, world);
  const before = names();
  await world.write(control("expiring", { in_ms: 60_000 }));
  const [r] = world.to("/v1/connections/C1/token");
  assert.deepEqual(r!.body, { token: jwt("ann", 1) });
  assert.equal(names(), before, "nobody saw a thing");
  await world.end();
  await world.pass(1000);
  assert.equal(last(world).token, "Bearer " + jwt("ann", 1));
  assert.equal(now(), "connecting");
});

test("renewal that fails is tried again, then the stream begins anew with the new token", async () => {
  const world = new World();
  world.on("/v1/connections/", () => problem(503, "busy"));
  let n = 0;
  const { states, now } = await up({ token: () => jwt("ann", n++) }, world);
  await world.write(hello(["room.a"]).replace('"heartbeat_ms":1000', '"heartbeat_ms":100000') + live);
  await world.write(control("expiring", { in_ms: 16_000 }));
  await world.pass(15_999);
  assert.ok(world.to("/v1/connections/").length >= 3);
  assert.equal(now(), "live");
  await world.write(control("bye", { code: "token_expired", reason: "Over.", return: true, retry_ms: 2000 }));
  assert.equal(states.at(-1)!.state, "waiting");
  await world.pass(2200);
  assert.equal(last(world).token, "Bearer " + jwt("ann", 1));
  assert.equal(n, 2, "the token that was fetched serves");
});

test("a token of another user ends it", async () => {
  const world = new World();
  const users = ["ann", "bob"];
  const { states } = await up({ token: () => jwt(users.shift()!) }, world);
  await world.write(control("expiring", { in_ms: 60_000 }));
  const s = states.at(-1)!;
  assert.ok(s.state === "denied" && s.code === "user_changed");
  assert.equal(world.to("/v1/connections/").length, 0);
});

test("topics of one moment are one change; what fails reconnects", async () => {
  const world = new World();
  let had = ["room.a"];
  world.on("/v1/connections/C1/topics", (r) => {
    had = [...had.filter((t) => !r.body.remove.includes(t)), ...r.body.add.map((t: string) => (t === "user" ? "user.ann" : t))];
    return json({ topics: had });
  });
  const { rt, off } = await up({}, world);
  const mine: unknown[] = [];
  const offB = rt.room("b c").on("*", () => {});
  rt.user().on("t", (d) => mine.push(d));
  rt.topic("all").on("*", () => {})();
  await settle();
  assert.deepEqual(world.to("/v1/connections/").map((r) => r.body), [{ add: ["room.b=20c", "user"], remove: [] }]);
  await world.write(event(6, "user.ann") + event(7, "user.bob") + event(8, "room.b=20c"));
  assert.deepEqual(mine, [6], "user is the own topic only");
  offB();
  rt.room("d").on("*", () => {});
  await settle();
  assert.deepEqual(world.to("/v1/connections/").at(-1)!.body, { add: ["room.d"], remove: ["room.b=20c"] });
  world.on("/v1/connections/C1/topics", () => problem(404, "connection_unknown"));
  off();
  await settle();
  assert.equal(last(world).url.search, "?topics=user%2Croom.d&cursor=e-8");
});

test("changes that come while one is on its way go after it", async () => {
  const world = new World();
  const answers: ((r: Response) => void)[] = [];
  world.on("/v1/connections/C1/topics", () => new Promise((r) => answers.push(r)));
  const { rt } = await up({}, world);
  rt.room("b").on("*", () => {});
  await settle();
  const off = rt.room("c").on("*", () => {});
  await settle();
  off();
  rt.room("d").on("*", () => {});
  await settle();
  assert.equal(answers.length, 1);
  answers.shift()!(json({ topics: ["room.a", "room.b"] }));
  await settle();
  assert.deepEqual(world.to("/v1/connections/").at(-1)!.body, { add: ["room.d"], remove: [] });
});

test("a stream outlives its last topic a little", async () => {
  const { world, off, a, now } = await up();
  off();
  await settle();
  await world.pass(LINGER_MS - 1);
  const again = a.on("*", () => {});
  await settle();
  await world.pass(LINGER_MS);
  assert.equal(world.requests.length, 1);
  assert.equal(now(), "live");
  again();
  await settle();
  await world.pass(LINGER_MS);
  assert.equal(now(), "idle");
  a.on("*", () => {});
  await settle();
  assert.equal(last(world).url.search, "?topics=room.a", "a new listener begins now");
});

test("a topic that may not be read concerns nobody else", async () => {
  const world = new World();
  world.on("/v1/topics/", (r) => (r.path.includes("secret") ? problem(403, "topic_denied") : json({ events: [] })));
  world.on("/v1/connections/", (r) => (r.body.add.includes("room.secret") ? problem(403, "topic_denied") : json({ topics: ["room.a", ...r.body.add] })));
  const { rt, now } = await up({}, world);
  const errors: string[] = [];
  const secret = rt.room("secret");
  secret.onError((e) => errors.push(e.code));
  const off = secret.on("*", () => {});
  rt.room("b").on("*", () => {});
  await settle();
  assert.deepEqual(errors, ["topic_denied"]);
  assert.equal(now(), "live");
  assert.deepEqual(world.to("/v1/connections/").at(-1)!.body, { add: ["room.b"], remove: [] });
  // It is not asked for again, but it may be once nobody wanted it for a moment.
  await world.end();
  await world.pass(1000);
  assert.equal(last(world).url.searchParams.get("topics"), "room.a,room.b");
  await world.write(hello(["room.a", "room.b"], 6) + live);
  off();
  await settle();
  secret.on("*", () => {});
  await settle();
  assert.deepEqual(errors, ["topic_denied", "topic_denied"]);
});

test("a first request that is refused for one of its topics", async () => {
  const world = new World();
  world.on("/v1/topics/", (r) => (r.path.includes("secret") ? problem(403, "topic_denied") : json({ events: [] })));
  world.on("/v1/events", (r) => (r.url.searchParams.get("topics")!.includes("secret") ? problem(403, "topic_denied") : world.stream()));
  const errors: string[] = [];
  const rt = connect({ url: "http://edge/rt", share: false }, world);
  rt.room("secret").onError((e) => errors.push(e.code));
  const off = rt.room("secret").on("*", () => {});
  await settle();
  assert.deepEqual(rt.status.get(), { state: "denied", reason: "It is topic_denied.", code: "topic_denied", hint: "Do better." }, "alone");
  rt.room("a").on("*", () => {});
  await settle();
  assert.equal(last(world).url.search, "?topics=room.a", "in company");
  assert.deepEqual(errors, ["topic_denied"]);
  off();
});

test("a request that is wrong as a whole is denied, and no topic suffers", async () => {
  for (const [status, code] of [[400, "bad_cursor"], [403, "origin_not_allowed"]] as const) {
    const world = new World();
    world.on("/v1/events", () => problem(status, code));
    const { a, states } = await start({ cursor: "odd" }, world);
    a.onError(() => assert.fail("a topic was refused"));
    await settle();
    const s = states.at(-1)!;
    assert.ok(s.state === "denied" && s.code === code);
    assert.equal(world.requests.length, 1);
  }
});

test("gaps: told, once, and the cursor goes where the log goes", async () => {
  const { world, a, rt, seqs } = await up();
  const gaps: string[] = [];
  a.onGap((g) => gaps.push(`${g.reason} ${g.after} ${g.before}`));
  rt.room("b").onGap(() => gaps.push("of another topic"));
  await world.write(event(20));
  const gap = (reason: string, after: string, before: string, id: string) =>
    `id: ${id}\nevent: tidings.gap\ndata: ${JSON.stringify({ topic: "room.a", after, before, reason })}\n\n`;
  await world.write(gap("dropped", "e-20", "e-30", "e-29") + event(30));
  await world.write(gap("dropped", "e-5", "e-9", "e-9") + event(10));
  assert.deepEqual(gaps, ["dropped e-20 e-30"], "what was seen is not missing");
  await world.write(gap("ahead", "e-30", "e-12", "e-12") + event(13));
  assert.equal(seqs(), "20 30 13", "the log lost its end and goes on below");
  await world.write(gap("epoch", "e-13", "f-2", "f-2") + event(3).replace("e-3", "f-3"));
  assert.equal(seqs(), "20 30 13 3");
  assert.equal(rt.cursor, "f-3");
});

test("the log is away and back", async () => {
  const { world, names } = await up();
  await world.write(control("away", { reason: "no log" }) + live);
  assert.match(names(), /live catching-up live$/);
});

test("what is no JSON is passed over", async () => {
  const { world, seqs } = await up();
  await world.write(`id: e-6\nevent: t\ndata: nonsense\n\nid: e-7\nevent: tidings.live\ndata: 5\n\n` + event(8));
  assert.equal(seqs(), "8");
});
