// Tabs that share one connection: in a SharedWorker, behind a leader, or not at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TidingsError } from "../src/fault.ts";
import { ASK_MS } from "../src/share/host.ts";
import { SETTLE_MS } from "../src/share/leader.ts";
import { WELCOME_MS } from "../src/share/share.ts";
import { SILENT_MS } from "../src/share/tab.ts";
import { Browser, Tab } from "./browser.ts";
import { control, event, json, jwt, problem, settle } from "./world.ts";

const last = (t: Tab) => t.world.to("/v1/events").at(-1)!;
const query = (t: Tab) => last(t).url.search;

for (const how of ["worker", "locks"] as const) {
  const has = how === "worker" ? (["SharedWorker", "BroadcastChannel", "locks"] as const) : (["BroadcastChannel", "locks"] as const);
  const begin = async (n: number, options = {}) => {
    const browser = new Browser([...has]);
    const tabs: Tab[] = [];
    for (let i = 0; i < n; i++) tabs.push(await browser.open({ token: jwt("ann"), ...options }, ["a", `own${i}`]));
    await browser.pass(SETTLE_MS);
    const [host] = browser.streams;
    await host!.answer();
    await settle();
    return { browser, tabs, host: host! };
  };

  test(`${how}: seven tabs, one connection, each its own topics`, async () => {
    const { browser, tabs, host } = await begin(7);
    assert.equal(browser.streams.length, 1);
    assert.deepEqual(tabs.map((t) => t.state), Array(7).fill("live"));
    assert.equal(browser.workers.size, how === "worker" ? 1 : 0);
    await host.world.write(event(6) + event(7, "room.own3") + event(8, "room.nobody"));
    assert.deepEqual(tabs.map((t) => t.data), tabs.map((_, i) => (i === 3 ? [6, 7] : [6])));
    assert.deepEqual(tabs.map((t) => t.world.to("/v1/events").length), tabs.map((t) => (t === host ? 1 : 0)));
  });

  test(`${how}: the first tab dies, nothing is lost or doubled`, async () => {
    const { browser, tabs, host } = await begin(3);
    await host.world.write(event(6) + event(7));
    await tabs[0]!.die();
    await browser.pass(SETTLE_MS + 50);
    assert.equal(browser.streams.length, 1);
    const now = browser.streams[0]!;
    if (how === "worker") assert.equal(now, host, "the worker lives on");
    else {
      assert.equal(query(now), "?topics=room.a%2Croom.own1%2Croom.own2&cursor=e-7", "of all who are left, from where they are");
      await now.answer(7);
    }
    await now.world.write(event(7) + event(8) + event(9, "room.own2"));
    assert.deepEqual(tabs.map((t) => t.data), [[6, 7], [6, 7, 8], [6, 7, 8, 9]]);
    assert.deepEqual(tabs.slice(1).map((t) => t.state), ["live", "live"]);
  });

  test(`${how}: a tab that was away gets what it missed, and the others nothing twice`, async () => {
    const { browser, tabs, host } = await begin(2);
    const other = tabs.find((t) => t !== host)!;
    await host.world.write(event(6));
    await other.world.moment("pagehide");
    await host.world.write(event(7) + event(8));
    assert.deepEqual(other.data, [6]);
    await other.world.moment("pageshow");
    await settle();
    const now = browser.streams[0]!;
    assert.match(query(now), /cursor=e-6/);
    await now.answer(6);
    await now.world.write(event(7) + event(8) + event(9));
    for (const t of tabs) assert.deepEqual(t.data, [6, 7, 8, 9]);
  });

  test(`${how}: a tab that came late and heard nothing yet loses nothing either`, async () => {
    const { browser, tabs, host } = await begin(1);
    await host.world.write(event(6));
    const late = await browser.open({ token: jwt("ann") });
    browser.auto = 6;
    await host.die();
    if (how === "locks") await tabs[0]!.die();
    await browser.pass(how === "locks" ? SETTLE_MS + 50 : SILENT_MS + 20_000, 5000);
    assert.match(query(browser.streams[0]!), /cursor=e-6/);
    assert.deepEqual(late.data, []);
  });

  test(`${how}: a tab from another log hears of a gap, alone`, async () => {
    const { browser, tabs, host } = await begin(1);
    await host.world.write(event(9));
    const late = await browser.open({ token: jwt("ann"), cursor: "f-3" });
    assert.deepEqual(late.gaps, ["a epoch"]);
    assert.deepEqual(tabs[0]!.gaps, []);
    assert.equal(host.world.to("/v1/events").length, 1, "nothing begins anew");
    await host.world.write(event(10));
    assert.deepEqual(late.data, [10]);
  });

  test(`${how}: tokens were not to be had when the tabs were opened`, async () => {
    const browser = new Browser([...has]);
    let away = true;
    const token = () => {
      if (away) throw new Error("login away");
      return jwt("ann");
    };
    const tabs: Tab[] = [];
    for (let i = 0; i < 7; i++) tabs.push(await browser.open({ token }));
    assert.deepEqual(tabs.map((t) => t.state), Array(7).fill("waiting"));
    tabs[6]!.world.up = false;
    await browser.pass(10_000);
    assert.equal(tabs[6]!.state, "offline");
    away = false;
    tabs[0]!.rt.retryNow();
    await tabs[1]!.world.moment("visibilitychange");
    await browser.pass(SETTLE_MS);
    assert.deepEqual(tabs.map((t) => t.state).slice(0, 2), ["connecting", "connecting"]);
    await browser.streams[0]!.answer();
    await browser.pass(40_000);
    assert.equal(browser.streams.length, 1, "one connection for all");
    assert.deepEqual(tabs.map((t) => t.state), Array(7).fill("live"));
  });

  test(`${how}: nobody is signed in, and one question says so`, async () => {
    const browser = new Browser([...has]);
    let asked = 0;
    const tab = await browser.open({
      token: () => {
        asked++;
        throw new TidingsError("signed_out", "Nobody is signed in.", 401);
      },
    });
    const denied = { state: "denied", reason: "Nobody is signed in.", code: "signed_out", hint: "" };
    assert.deepEqual([tab.rt.status.get(), asked], [denied, 1]);
    await tab.world.moment("visibilitychange");
    await browser.pass(120_000, 5000);
    assert.equal(asked, 1);
    tab.rt.retryNow();
    await settle();
    assert.deepEqual([tab.rt.status.get(), asked], [denied, 2]);
    tab.rt.close();
    assert.equal(tab.world.waiting, 0, "timers");
  });

  test(`${how}: the way that works is remembered by the tabs`, async () => {
    const browser = new Browser([...has]);
    const first = new Tab(browser); // a page that was loaded again: its host never saw one before
    const way = JSON.stringify([1, first.world.time + 600_000]);
    first.world.stored.set("tidings:http://edge/rt", way);
    browser.tabs.push(first);
    first.load({ token: jwt("ann") }, ["a"]);
    await settle();
    await browser.pass(SETTLE_MS);
    const world = how === "worker" ? [...browser.workers.values()][0]!.tab.world : first.world;
    assert.equal(world.sockets.length, 1);
    assert.equal(world.to("/v1/events").length, 0);
    // Who comes later is told.
    await world.sockets[0]!.say({ type: "tidings.hello", cursor: "e-5", data: { conn: "C", node: "n", topics: ["room.a"], heartbeat_ms: 60_000 } });
    const later = await browser.open({ token: jwt("ann") });
    assert.equal(later.world.stored.get("tidings:http://edge/rt"), way);
  });

  test(`${how}: different users, keys and servers never share`, async () => {
    const browser = new Browser([...has]);
    for (const options of [{ token: jwt("ann") }, { token: jwt("bob") }, { token: jwt("ann"), key: "k" }, { token: jwt("ann"), url: "http://other/rt" }]) await browser.open(options);
    await browser.pass(SETTLE_MS);
    assert.equal(browser.streams.length, 4);
    assert.deepEqual(browser.streams.map((t) => last(t).token).sort(), [jwt("ann"), jwt("ann"), jwt("ann"), jwt("bob")].map((t) => "Bearer " + t).sort());
  });

  test(`${how}: topics come and go with tabs`, async () => {
    const { browser, tabs, host } = await begin(2);
    const other = tabs.find((t) => t !== host) ?? tabs[1]!;
    const i = tabs.indexOf(other);
    const bodies = () => host.world.to("/v1/connections/").map((r) => r.body);
    const before = bodies().length;
    other.rt.room("x").on("*", () => {});
    await settle();
    assert.deepEqual(bodies().slice(before), [{ add: ["room.x"], remove: [] }]);
    other.rt.close();
    await settle();
    assert.deepEqual(bodies().at(-1), { add: [], remove: [`room.own${i}`, "room.x"] });
    assert.equal(browser.held.filter((h) => h.tab === other).length, 0);
  });

  test(`${how}: a crash takes the tab's topics with it`, async () => {
    const { tabs, host } = await begin(3);
    const other = tabs[2]!;
    await other.die();
    assert.deepEqual(host.world.to("/v1/connections/").at(-1)!.body, { add: [], remove: ["room.own2"] });
  });

  test(`${how}: a refusal reaches the tab it concerns`, async () => {
    const { tabs, host } = await begin(2);
    host.world.on("/v1/connections/", () => problem(403, "topic_denied"));
    host.world.on("/v1/topics/", () => problem(403, "topic_denied"));
    const errors: string[] = [];
    tabs[1]!.rt.room("secret").onError((e) => errors.push(`${e.code} ${e.status} ${e.detail} ${e.hint} ${e instanceof Error}`));
    tabs[1]!.rt.room("secret").on("*", () => {});
    await settle();
    assert.deepEqual(errors, ["topic_denied 403 It is topic_denied. Do better. true"]);
    assert.deepEqual(tabs.map((t) => t.state), ["live", "live"]);
  });

  test(`${how}: exceptSelf is about a tab, not about the connection`, async () => {
    const { tabs, host } = await begin(2);
    for (const t of tabs) t.world.on("/v1/publish", () => json({ cursor: "e-6" }));
    const { id } = await tabs[1]!.rt.room("a").publish("t", 6, { exceptSelf: true });
    await host.world.write(event(6, "room.a", "t", 6, id) + event(7));
    assert.deepEqual(tabs.map((t) => t.data), [[6, 7], [7]]);
  });

  test(`${how}: everybody gone, everything gone`, async () => {
    const { browser, tabs } = await begin(3);
    for (const t of tabs) t.rt.close();
    await settle();
    await browser.pass(2000);
    assert.equal(browser.streams.length, 0);
    assert.equal(browser.held.length, 0);
    assert.equal(browser.queue.length, 0);
    assert.equal(browser.channels.size, 0);
  });
}

test("worker: a token is asked of a tab that lives, and answers", async () => {
  const browser = new Browser(["SharedWorker", "locks"]);
  let n = 0;
  await browser.open({ token: () => jwt("ann", n++) });
  const mute = await browser.open({ token: (stale) => (stale ? new Promise<string>(() => {}) : jwt("ann", 90)) });
  const [host] = browser.streams;
  await host!.answer();
  assert.equal(last(host!).token, "Bearer " + jwt("ann", 0));
  await host!.world.write(control("expiring", { in_ms: 60_000 }));
  await browser.pass(ASK_MS + 100);
  assert.deepEqual(host!.world.to("/v1/connections/").at(-1)!.body, { token: jwt("ann", 1) }, "the second tab does not answer, the first does");
  await mute.die();
  assert.equal(n, 2);
});

test("worker: without a tab that has a token it waits", async () => {
  const browser = new Browser(["SharedWorker", "locks"]);
  let ok = true;
  const tab = await browser.open({ token: () => { if (!ok) throw new Error("login away"); return jwt("ann", ok ? 1 : 0); } });
  await browser.streams[0]!.answer();
  ok = false;
  const host = browser.streams[0]!;
  host.world.on("/v1/events", () => problem(401, "token_expired"));
  await host.world.end();
  await browser.pass(1500);
  const s = tab.rt.status.get();
  assert.ok(s.state === "waiting" && s.reason === "login away", JSON.stringify(s));
});

test("worker: a dead one is followed by a new one", async () => {
  const browser = new Browser(["SharedWorker", "locks"]);
  const tabs = [await browser.open({ token: jwt("ann") }), await browser.open({ token: jwt("ann") })];
  const host = browser.streams[0]!;
  await host.answer();
  await host.world.write(event(6));
  await browser.pass(60_000, 5000);
  assert.equal(browser.streams[0], host, "silence is broken by signs of life");
  browser.auto = 6;
  await host.die();
  await browser.pass(SILENT_MS + 20_000, 5000);
  const [now, ...more] = browser.streams;
  assert.ok(now && now !== host && !more.length);
  assert.match(query(now), /cursor=e-6/);
  await now.world.write(event(7));
  for (const t of tabs) assert.deepEqual(t.data, [6, 7]);
});

test("worker: one that can't be had: the tabs lead themselves", async () => {
  for (const broken of ["throw", "error", "mute"]) {
    const browser = new Browser(["SharedWorker", "BroadcastChannel", "locks"]);
    browser.broken = broken;
    const tabs = [await browser.open({ token: jwt("ann") }), await browser.open({ token: jwt("ann") })];
    await browser.pass((broken === "mute" ? WELCOME_MS : 0) + SETTLE_MS + 50);
    assert.equal(browser.streams.length, 1, broken);
    await browser.streams[0]!.answer();
    assert.deepEqual(tabs.map((t) => t.state), ["live", "live"], broken);
  }
});

test("locks: a leader that hangs loses its lock, and follows when it wakes", async () => {
  const browser = new Browser(["BroadcastChannel", "locks"]);
  const tabs = [await browser.open({ token: jwt("ann") }), await browser.open({ token: jwt("ann") })];
  await browser.pass(SETTLE_MS);
  const [leader] = browser.streams;
  await leader!.answer();
  await leader!.world.write(event(6));
  leader!.frozen = true;
  browser.auto = 6;
  await browser.pass(SILENT_MS + 20_000, 5000);
  const other = tabs.find((t) => t !== leader)!;
  assert.deepEqual(browser.streams, [other], "one connection");
  leader!.frozen = false;
  await settle();
  await other.world.write(event(7));
  for (const t of tabs) assert.deepEqual(t.data, [6, 7]);
});

test("nothing to meet on, or not wished: a connection of its own", async () => {
  for (const [has, share] of [[[], "auto"], [["locks"], "auto"], [["BroadcastChannel", "locks"], "worker"], [["SharedWorker", "BroadcastChannel", "locks"], false]] as const) {
    const browser = new Browser([...has]);
    const tabs = [await browser.open({ token: jwt("ann"), share }), await browser.open({ token: jwt("ann"), share })];
    assert.deepEqual(browser.streams, tabs);
    for (const t of tabs) await t.answer();
    assert.deepEqual(tabs.map((t) => t.state), ["live", "live"]);
  }
});

test("a token that does not say whose it is, is shared under a key only", async () => {
  const browser = new Browser(["BroadcastChannel", "locks"]);
  await browser.open({ token: "opaque" });
  await browser.open({ token: "opaque" });
  assert.equal(browser.streams.length, 2);
  await browser.open({ token: "opaque", key: "ann" });
  await browser.open({ token: "opaque", key: "ann" });
  await browser.pass(SETTLE_MS);
  assert.equal(browser.streams.length, 3);
});
