import assert from "node:assert/strict";
import { test } from "node:test";
import { CAP_MS, delay, MAX_HINT_MS } from "../src/backoff.ts";
import { after } from "../src/cursor.ts";
import { isFinal, refusal, retryAfter, thrown, TidingsError } from "../src/fault.ts";
import { message } from "../src/message.ts";
import { escape, matches, roomTopic } from "../src/names.ts";
import { bell, cell } from "../src/store.ts";
import { subject, TOKEN_MS, tokensOf } from "../src/token.ts";
import { jwt, problem, settle, World } from "./world.ts";

test("the wait before an attempt", () => {
  assert.equal(delay(0, 3000, 0, () => 0.9), 3000, "the server's retry is random already");
  assert.equal(delay(1, 3000, 0, () => 0.5), 3000);
  assert.equal(delay(50, 0, 0, () => 1), CAP_MS);
  assert.equal(delay(0, 0, 5000, () => 0), 5000);
  assert.equal(delay(0, 0, 5000, () => 0.9), 5450, "a floor is spread");
  assert.equal(delay(0, NaN, Infinity, () => 0), MAX_HINT_MS);
  assert.equal(delay(0, NaN, -1, () => 0.5), 500);
  for (let n = 0; n < 40; n++) {
    for (const dice of [0, 0.3, 0.999]) {
      const ms = delay(n, 0, 0, () => dice);
      assert.ok(ms >= 0 && ms <= Math.min(CAP_MS, 1000 * 2 ** n), `${n}: ${ms}`);
    }
  }
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfter(null, 0), 0);
  assert.equal(retryAfter("7", 0), 7000);
  assert.equal(retryAfter("0", 1e12), 0);
  assert.equal(retryAfter("soon", 0), 0);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 30_000), 30_000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 90_000), 0);
});

test("cursors are 64 bits wide", () => {
  assert.ok(after("e-1", undefined));
  assert.ok(after("e-10", "e-9"));
  assert.ok(!after("e-9", "e-10"));
  assert.ok(!after("e-9", "e-9"));
  assert.ok(after("e-18446744073709551615", "e-18446744073709551614"));
  assert.ok(!after("e-9007199254740992", "e-9007199254740993"));
  assert.ok(after("f-1", "e-9"), "another log's is news");
});

test("names are escaped as the server does", () => {
  assert.equal(escape("ann@example.com"), "ann=40example=2Ecom");
  assert.equal(escape("order 42"), "order=2042");
  assert.equal(escape("größe"), "gr=C3=B6=C3=9Fe");
  assert.equal(escape("a=b.c*d>e%f!~'()_-"), "a=3Db=2Ec=2Ad=3Ee=25f=21=7E=27=28=29_-");
  assert.equal(escape("🚀"), "=F0=9F=9A=80");
  assert.equal(roomTopic("order 42"), "room.order=2042");
  assert.equal(roomTopic("a.b"), "room.a.b");
  assert.equal(roomTopic(["a.b", "c"]), "room.a=2Eb.c");
  // The server's rule, byte by byte.
  for (let b = 1; b < 128; b++) {
    const c = String.fromCharCode(b);
    const want = /[A-Za-z0-9_-]/.test(c) ? c : "=" + b.toString(16).toUpperCase().padStart(2, "0");
    assert.equal(escape(c), want);
  }
  for (const bad of ["", "a.", ".a", "a..b"]) assert.throws(() => roomTopic(bad), (e: TidingsError) => e.code === "bad_name", bad);
  assert.throws(() => roomTopic([]), TidingsError);
});

test("patterns select as NATS's do", () => {
  const naive = (p: string[], t: string[]): boolean =>
    p.length === 0 ? t.length === 0 : p[0] === ">" ? t.length > 0 : t.length > 0 && (p[0] === "*" || p[0] === t[0]) && naive(p.slice(1), t.slice(1));
  const words = (n: number, alphabet: string[]): string[][] => (n === 0 ? [[]] : [[], ...words(n - 1, alphabet).flatMap((w) => alphabet.map((a) => [...w, a]))]);
  let yes = 0;
  for (const p of words(3, ["room", "a", "*", ">"])) {
    if (!p.length || p.slice(0, -1).includes(">")) continue;
    for (const t of words(4, ["room", "a", "b"])) {
      if (!t.length) continue;
      const want = naive(p, t);
      yes += +want;
      assert.equal(matches(p.join("."), t.join("."), ""), want, `${p.join(".")} ${t.join(".")}`);
    }
  }
  assert.ok(yes > 100);
  assert.ok(matches("user", "user.ann", "user.ann"));
  assert.ok(!matches("user", "user.bob", "user.ann"));
  assert.ok(matches("user", "user.bob", ""), "while it is unknown");
  assert.ok(!matches("user", "room.a", ""));
});

test("faults", async () => {
  const e = await refusal(problem(503, "log_unavailable", { "Retry-After": "5" }), 0);
  assert.deepEqual([e.code, e.status, e.detail, e.message, e.hint, e.retryAfter], ["log_unavailable", 503, "It is log_unavailable.", "It is log_unavailable.", "Do better.", 5000]);
  const proxy = await refusal(new Response("<html>", { status: 404 }), 0);
  assert.deepEqual([proxy.code, proxy.detail, proxy.hint], ["http", "The server answered 404.", ""]);
  assert.ok(e instanceof Error && e instanceof TidingsError && !(new Error("x") instanceof TidingsError));
  assert.equal(thrown(e), e);
  assert.equal(thrown(new TypeError("fetch failed")).code, "network");
  assert.equal(thrown("odd").detail, "odd");
  const final = (status: number, code: string) => isFinal(new TidingsError(code, "", status));
  for (const [status, code] of [[204, "http"], [400, "http"], [401, "x"], [403, "http"], [404, "topic_unknown"], [422, "x"]] as const) assert.ok(final(status, code), `${status}`);
  for (const [status, code] of [[0, "network"], [404, "http"], [405, "http"], [408, "x"], [425, "x"], [429, "x"], [500, "x"], [502, "http"], [503, "x"]] as const) assert.ok(!final(status, code), `${status}`);
});

test("tokens: one call for all who wait, another one when stale", async () => {
  const world = new World();
  let n = 0;
  const stales: unknown[] = [];
  const tokens = tokensOf((stale) => (stales.push(stale), jwt("ann", n++)), world);
  assert.deepEqual(await Promise.all([tokens(), tokens(), tokens()]), Array(3).fill(jwt("ann", 0)));
  assert.equal(await tokens("older"), jwt("ann", 0), "there is another one than that");
  assert.deepEqual(await Promise.all([tokens(jwt("ann", 0)), tokens(jwt("ann", 0))]), Array(2).fill(jwt("ann", 1)));
  assert.deepEqual(stales, [undefined, jwt("ann", 0)]);
  assert.equal(await tokensOf(undefined, world)(), "");
  assert.equal(await tokensOf(" t\n", world)("x"), "t");
});

test("tokens: another user's, none, one that never comes", async () => {
  const world = new World();
  const users = ["ann", "bob", "ann"];
  const tokens = tokensOf(() => jwt(users.shift()!), world);
  await tokens();
  await assert.rejects(tokens(jwt("ann")), { code: "user_changed" });
  const none = tokensOf((() => undefined) as any, world);
  await assert.rejects(none(), { code: "no_token" });
  const throws = tokensOf(() => { throw new Error("offline"); }, world);
  await assert.rejects(throws(), /offline/);
  const never = tokensOf(() => new Promise<string>(() => {}), world);
  const wait = assert.rejects(never(), { code: "no_token" });
  await world.pass(TOKEN_MS);
  await wait;
  assert.equal(world.waiting, 0);
});

test("subjects of tokens", () => {
  assert.equal(subject(jwt("ann")), "ann");
  assert.equal(subject(jwt("ann")), subject(jwt("ann", 7)));
  assert.notEqual(subject(jwt("größe")), subject(jwt("grösse")));
  for (const opaque of ["", "abc", "a.b.c", "a..c", "a.bnVsbA.c"]) assert.equal(subject(opaque), "", opaque);
});

test("stores", async () => {
  const c = cell(1);
  const seen: number[] = [];
  const off = c.subscribe((v) => seen.push(v));
  const faults: unknown[] = [];
  (globalThis as any).reportError = (e: unknown) => faults.push(e);
  const offBad = c.subscribe(() => { throw new Error("listener"); });
  c.subscribe((v) => v === 2 && off());
  c.set(2);
  c.set(3);
  off();
  assert.deepEqual(seen, [1, 2]);
  assert.equal(faults.length, 3);
  offBad();
  const { get, subscribe } = c;
  assert.equal(get(), 3);
  subscribe(() => {})();
  delete (globalThis as any).reportError;
  const b = bell<[number]>();
  let rung = 0;
  const fn = () => void rung++;
  const one = b.add(fn);
  b.add(fn);
  assert.equal(b.ring(1), 2);
  one();
  one();
  assert.equal(b.size(), 1);
  await settle();
});

test("messages", () => {
  assert.deepEqual(message({ topic: "room.a", type: "t", data: 1 }, true), {
    topic: "room.a", type: "t", id: "", source: "", time: "", data: 1, cursor: undefined, replayed: true,
  });
  assert.deepEqual(message({ topic: "all", data_base64: "/wA=" }, false).data, new Uint8Array([255, 0]));
});
