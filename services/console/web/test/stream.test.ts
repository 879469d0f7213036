import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../src/sse.ts";
import { HELLO_MS, Stream, type Environment, type Options, type State } from "../src/stream.ts";

/** World is a server, a clock and a die under the test's control. */
class World implements Environment {
  time = 1_000_000;
  dice = 0.5;
  up = true;
  requests: { url: URL; init: RequestInit }[] = [];
  private timers = new Map<number, { at: number; f: () => void }>();
  private nextTimer = 1;
  /** answer makes the response of the next requests. */
  answer: () => Response | Promise<Response> = () => this.open();
  /** lines writes to the stream that was opened last. */
  private writer: ReadableStreamDefaultController<Uint8Array> | undefined;

  now = () => this.time;
  random = () => this.dice;
  online = () => this.up;
  fetch = async (url: string, init: RequestInit) => {
    this.requests.push({ url: new URL(url, "http://edge"), init });
    return this.answer();
  };
  setTimeout = (f: () => void, ms: number) => {
    this.timers.set(this.nextTimer, { at: this.time + ms, f });
    return this.nextTimer++;
  };
  clearTimeout = (t: unknown) => void this.timers.delete(t as number);

  open(): Response {
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (this.writer = c) });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }
  async write(text: string): Promise<void> {
    this.writer!.enqueue(new TextEncoder().encode(text));
    await settle();
  }
  async end(): Promise<void> {
    this.writer!.close();
    await settle();
  }
  async pass(ms: number): Promise<void> {
    this.time += ms;
    for (const [key, { at, f }] of [...this.timers]) {
      if (at > this.time || !this.timers.delete(key)) continue;
      f();
    }
    await settle();
  }
}

/** settle lets every promise that can go on do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
  await new Promise((r) => setImmediate(r));
}

const hello = (more = "") =>
  `id: e-5\nevent: tidings.hello\ndata: {"conn":"c1","node":"n1","epoch":"e","cursor":"e-5","topics":["all"],"resumed":false,"heartbeat_ms":1000${more}}\n\n`;
const live = `event: tidings.live\ndata: {"cursor":"e-5"}\n\n`;

async function begin(options: Partial<Options> = {}) {
  const world = new World();
  const events: Message[] = [];
  const controls: string[] = [];
  const states: State[] = [];
  const stream = new Stream({
    url: "/v1/events", topics: ["all", "room.ops"], token: () => "secret",
    event: (m) => events.push(m), control: (type) => controls.push(type), ...options,
  }, world);
  stream.state.subscribe((s) => states.push(s));
  return { world, stream, events, controls, states, names: () => states.map((s) => s.name) };
}

test("connects, catches up, is live", async () => {
  const { world, stream, events, controls, names } = await begin({ rewind: 10 });
  stream.start();
  await settle();
  const { url, init } = world.requests[0]!;
  assert.equal(url.search, "?topics=all%2Croom.ops&rewind=10");
  assert.equal(new Headers(init.headers).get("Authorization"), "Bearer secret");
  assert.ok(!url.href.includes("secret"));
  await world.write(hello());
  await world.write(`id: e-6\nevent: cpu\ndata: {}\n\n${live}`);
  assert.deepEqual(names(), ["connecting", "catching-up", "live"]);
  assert.deepEqual(events, [{ type: "cpu", data: "{}", id: "e-6", placed: true }]);
  assert.deepEqual(controls, ["tidings.hello", "tidings.live"]);
  assert.equal(stream.facts.node, "n1");
  assert.equal(stream.facts.cursor, "e-6");
});

test("without a token no header is sent", async () => {
  const { world, stream } = await begin({ token: () => "" });
  stream.start();
  await settle();
  assert.equal(new Headers(world.requests[0]!.init.headers).get("Authorization"), null);
});

test("resumes at its cursor, which heartbeats move", async () => {
  const { world, stream } = await begin({ rewind: 10 });
  stream.start();
  await settle();
  await world.write(`retry: 700\n${hello()}${live}`);
  await world.write("id: e-9\n\n");
  await world.end();
  const state = stream.state.get();
  assert.equal(state.name, "waiting");
  assert.equal(state.name === "waiting" && state.retryAt, world.time + 700, "the first wait is what retry said");
  await world.pass(700);
  assert.equal(world.requests[1]!.url.search, "?topics=all%2Croom.ops&cursor=e-9");
  await world.write(hello());
  assert.equal(stream.facts.reconnects, 1);
});

test("silence is noticed", async () => {
  const { world, stream } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live);
  await world.pass(2_400);
  await world.write(": anything counts\n");
  await world.pass(2_400);
  assert.equal(stream.state.get().name, "live");
  await world.pass(101);
  assert.equal(stream.state.get().name, "waiting");
});

test("a stream that never says hello is given up", async () => {
  const { world, stream } = await begin();
  stream.start();
  await settle();
  await world.write(": bytes, but no hello\n");
  await world.pass(HELLO_MS);
  assert.equal(stream.state.get().name, "waiting");
});

test("waits grow with full jitter and shrink after it worked", async () => {
  const { world, stream } = await begin();
  world.answer = () => Promise.reject(new TypeError("no network"));
  stream.start();
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    await settle();
    const s = stream.state.get();
    assert.ok(s.name === "waiting");
    waits.push(s.retryAt - world.time);
    await world.pass(s.retryAt - world.time);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  world.answer = () => world.open();
  await world.pass(15_000);
  await world.write(hello() + live);
  await world.end();
  const s = stream.state.get();
  assert.ok(s.name === "waiting" && s.retryAt - world.time === 500);
});

test("a network that is away is called offline and still tried", async () => {
  const { world, stream } = await begin();
  world.up = false;
  world.answer = () => Promise.reject(new TypeError("no network"));
  stream.start();
  await settle();
  assert.equal(stream.state.get().name, "offline");
  await world.pass(500);
  assert.equal(world.requests.length, 2);
});

test("Retry-After is a floor", async () => {
  const { world, stream } = await begin();
  world.answer = () => new Response(`{"code":"overloaded","detail":"Too many."}`, { status: 503, headers: { "Retry-After": "20" } });
  stream.start();
  await settle();
  const s = stream.state.get();
  assert.ok(s.name === "waiting" && s.reason === "Too many.");
  assert.equal(s.retryAt - world.time, 21_000);
});

test("a refusal for good stops and tells why", async () => {
  for (const status of [400, 401, 403, 404]) {
    const { world, stream } = await begin();
    world.answer = () => new Response(`{"code":"topic_denied","detail":"Not yours.","hint":"Ask."}`, { status });
    stream.start();
    await settle();
    assert.deepEqual(stream.state.get(), {
      name: "denied", problem: { status, code: "topic_denied", detail: "Not yours.", hint: "Ask." },
    });
    await world.pass(1e9);
    assert.equal(world.requests.length, 1);
  }
});

test("204 means go away", async () => {
  const { world, stream } = await begin();
  world.answer = () => new Response(null, { status: 204 });
  stream.start();
  await settle();
  assert.equal(stream.state.get().name, "denied");
});

test("bye says whether and when to come back", async () => {
  const { world, stream } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live);
  await world.write(`event: tidings.bye\ndata: {"code":"draining","reason":"A deploy.","return":true,"retry_ms":9000}\n\n`);
  let s = stream.state.get();
  assert.ok(s.name === "waiting" && s.reason === "A deploy.");
  assert.ok(s.retryAt - world.time >= 9000);
  await world.pass(s.retryAt - world.time);
  await world.write(`event: tidings.bye\ndata: {"code":"revoked","reason":"Gone.","return":false,"retry_ms":0}\n\n`);
  s = stream.state.get();
  assert.ok(s.name === "denied" && s.problem.code === "revoked" && s.problem.detail === "Gone.");
  await world.pass(1e9);
  assert.equal(world.requests.length, 2);
});

test("retryNow ends a wait, check ends a sleep", async () => {
  const { world, stream } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live);
  stream.check();
  assert.equal(stream.state.get().name, "live", "nothing is wrong");
  world.time += 60_000; // asleep: no timer ran
  stream.check();
  await settle();
  assert.equal(world.requests.length, 2);
  await world.end();
  assert.equal(stream.state.get().name, "waiting");
  stream.retryNow();
  await settle();
  assert.equal(world.requests.length, 3);
});

test("stop is final and late bytes are not heard", async () => {
  const { world, stream, events } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live);
  stream.stop();
  await world.write(`data: {}\n\n`).catch(() => {});
  await world.pass(1e9);
  assert.equal(stream.state.get().name, "idle");
  assert.equal(events.length, 0);
  assert.equal(world.requests.length, 1);
});

test("a rest keeps the place, skip gives it up", async () => {
  const { world, stream, events } = await begin({ rewind: 10 });
  stream.start();
  await settle();
  await world.write(hello() + live);
  stream.rest();
  await world.write(`id: e-6\ndata: {}\n\n`).catch(() => {});
  await world.pass(1e9);
  assert.equal(stream.state.get().name, "idle");
  assert.equal(world.requests.length, 1, "nothing is tried while resting");
  stream.start();
  await settle();
  assert.equal(world.requests[1]!.url.searchParams.get("cursor"), "e-5");
  stream.rest();
  stream.skip();
  stream.start();
  await settle();
  assert.equal(world.requests[2]!.url.searchParams.get("cursor"), null);
  assert.equal(world.requests[2]!.url.searchParams.get("rewind"), "10");
  assert.equal(events.length, 0);
});

test("what was denied stays denied through a rest", async () => {
  const { world, stream } = await begin();
  world.answer = () => new Response("", { status: 403 });
  stream.start();
  await settle();
  stream.rest();
  stream.start();
  await settle();
  assert.equal(stream.state.get().name, "denied");
  assert.equal(world.requests.length, 1);
});
