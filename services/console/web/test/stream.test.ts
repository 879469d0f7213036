import assert from "node:assert/strict";
import { test } from "node:test";
import type { Environment } from "../../../../shared/client/src/environment.ts";
import { Stream, type Message, type Options, type State } from "../src/stream.ts";

/** World is a server, a clock and a die under the test's control. */
class World implements Environment {
  time = 1_000_000;
  requests: { url: URL; init: RequestInit }[] = [];
  private timers = new Map<number, { at: number; f: () => void }>();
  private nextTimer = 1;
  /** answer makes the response of the next requests. */
  answer: () => Response | Promise<Response> = () => this.open();
  /** writer writes to the stream that was opened last. */
  private writer: ReadableStreamDefaultController<Uint8Array> | undefined;

  now = () => this.time;
  random = () => 0.5;
  online = () => true;
  socket = (): never => {
    throw new Error("there are no sockets");
  };
  memory = (): never => {
    throw new Error("there is no memory");
  };
  moments = () => () => {};
  hidden = () => false;
  fetch = async (url: string, init: RequestInit) => {
    this.requests.push({ url: new URL(url, "http://edge"), init });
    return this.answer();
  };
  later = (f: () => void, ms: number) => {
    const key = this.nextTimer++;
    this.timers.set(key, { at: this.time + ms, f });
    return () => void this.timers.delete(key);
  };

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
  /** pass lets time pass in steps that no timer is shorter than. */
  async pass(ms: number): Promise<void> {
    for (const end = this.time + ms; this.time < end; ) {
      this.time = Math.min(end, this.time + 500);
      for (const [key, { at, f }] of [...this.timers]) {
        if (at > this.time || !this.timers.delete(key)) continue;
        f();
      }
      await settle();
    }
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
    topics: ["all", "room.ops"], token: () => "secret",
    event: (m) => events.push(m), control: (type) => controls.push(type), ...options,
  }, world);
  stream.state.subscribe((s) => states.push(s));
  return { world, stream, events, controls, states, names: () => states.map((s) => s.name) };
}

const last = (world: World) => world.requests.at(-1)!.url.searchParams;

test("connects, catches up, is live, and hands out what was sent", async () => {
  const { world, stream, events, controls, names } = await begin({ rewind: 10 });
  stream.start();
  await settle();
  assert.equal(last(world).get("topics"), "all,room.ops");
  assert.equal(last(world).get("rewind"), "10");
  assert.equal((world.requests[0]!.init.headers as Record<string, string>).Authorization, "Bearer secret");
  await world.write(hello());
  const raw = `{"topic":"all","type":"n","data":{"big":12345678901234567890}}`;
  await world.write(`id: e-6\nevent: n\ndata: ${raw}\n\n${live}event: t\ndata: {"topic":"all"}\n\n`);
  assert.deepEqual(events, [{ type: "n", data: raw, id: "e-6" }, { type: "t", data: `{"topic":"all"}`, id: "" }]);
  assert.deepEqual(controls, ["tidings.hello", "tidings.live"]);
  assert.deepEqual(names(), ["connecting", "catching-up", "live"]);
  assert.deepEqual({ ...stream.facts, lastByte: 0 }, { conn: "c1", node: "n1", cursor: "e-6", topics: ["all"], lastByte: 0, reconnects: 0, events: 2 });
});

test("resumes at its cursor, which heartbeats move", async () => {
  const { world, stream, names } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live + "id: e-9\n\n");
  await world.end();
  assert.equal(names().at(-1), "waiting");
  await world.pass(40_000);
  assert.equal(last(world).get("cursor"), "e-9");
  await world.write(hello());
  assert.equal(stream.facts.reconnects, 1);
});

test("silence is noticed", async () => {
  const { world, stream } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live);
  await world.pass(10_000); // ten heartbeats
  assert.equal(world.requests.length > 1, true);
});

test("a refusal for good stops and tells why, also through a rest", async () => {
  const { world, stream } = await begin();
  world.answer = () => new Response(`{"code":"token_expired","detail":"It has expired.","hint":"Get another."}`, { status: 401 });
  stream.start();
  await settle();
  stream.rest();
  assert.deepEqual(stream.state.get(), { name: "denied", problem: { status: 0, code: "token_expired", detail: "It has expired.", hint: "Get another." } });
});

test("bye says not to come back", async () => {
  const { world, stream, controls } = await begin();
  stream.start();
  await settle();
  await world.write(hello() + live + `event: tidings.bye\ndata: {"code":"cut","reason":"An operator ended it.","return":false,"retry_ms":0}\n\n`);
  const state = stream.state.get();
  assert.equal(state.name === "denied" && state.problem.code, "cut");
  assert.equal(controls.at(-1), "tidings.bye");
});

test("a topic that is refused is told, the others go on", async () => {
  const { world, stream, controls } = await begin();
  const refused = () => new Response(`{"code":"topic_denied","detail":"Not yours."}`, { status: 403 });
  world.answer = () => {
    const { url } = world.requests.at(-1)!;
    if (url.pathname.endsWith("/room.ops/events")) return refused();
    if (url.pathname.startsWith("/v1/topics/")) return new Response("{}");
    return url.searchParams.get("topics")!.includes("room.ops") ? refused() : world.open();
  };
  stream.start();
  await settle();
  await world.write(hello() + live);
  assert.equal(stream.state.get().name, "live");
  assert.equal(last(world).get("topics"), "all");
  assert.deepEqual(controls, ["refused", "tidings.hello", "tidings.live"]);
});

test("retryNow ends a wait", async () => {
  const { world, stream } = await begin();
  stream.retryNow();
  stream.start();
  await settle();
  await world.end();
  stream.retryNow();
  await settle();
  assert.equal(world.requests.length, 2);
});

test("a rest keeps the place, skip gives it up, stop is final", async () => {
  const { world, stream, events, names } = await begin({ rewind: 7 });
  stream.start();
  await settle();
  await world.write(hello() + live + `id: e-8\nevent: n\ndata: {}\n\n`);
  stream.rest();
  stream.start();
  await settle();
  assert.equal(last(world).get("cursor"), "e-8");
  stream.rest();
  stream.skip();
  stream.start();
  await settle();
  assert.deepEqual([last(world).get("cursor"), last(world).get("rewind")], [null, "7"]);
  stream.stop();
  await settle();
  assert.equal(names().at(-1), "idle");
  assert.equal(events.length, 1);
});
