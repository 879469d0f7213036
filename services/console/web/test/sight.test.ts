import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FAR_MS, REST_MS, sight } from "../src/sight.ts";
import { Source } from "../src/source.ts";
import type { Row } from "../src/tail.ts";

const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
Object.assign(globalThis, { document: page, window: new EventTarget() });
let frames = 0;
globalThis.requestAnimationFrame = (f) => (setImmediate(() => f(++frames * 1000)), frames);

let said: string[] = [];
const sleeper = {
  rest: () => void said.push("rest"),
  wake: (_since: number, far: boolean) => void said.push(far ? "wake far" : "wake"),
  check: () => void said.push("check"),
};

function show(state: "visible" | "hidden"): void {
  page.visibilityState = state;
  page.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  said = [];
  page.visibilityState = "visible";
});

test("a hidden page rests after a while and wakes when it is seen", () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const off = sight(sleeper);
  show("hidden");
  mock.timers.tick(REST_MS - 1);
  show("visible");
  assert.deepEqual(said, ["check"], "a glance elsewhere costs nothing");
  show("hidden");
  mock.timers.tick(REST_MS - 1);
  window.dispatchEvent(new Event("online"));
  mock.timers.tick(1);
  assert.deepEqual(said, ["check", "rest"], "what else happens does not put the rest off");
  show("visible");
  show("hidden");
  mock.timers.tick(FAR_MS + 1);
  show("visible");
  assert.deepEqual(said.slice(2), ["wake", "rest", "wake far"]);
  off();
  show("hidden");
  mock.timers.tick(FAR_MS);
  assert.equal(said.length, 5);
  mock.timers.reset();
});

test("a page opened in the background rests too", () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  page.visibilityState = "hidden";
  const off = sight(sleeper);
  mock.timers.tick(REST_MS);
  assert.deepEqual(said, ["rest"]);
  off();
  mock.timers.reset();
});

/** event is number n as the stream sends it. */
const event = (n: number) => `id: e-${n}\ndata: {"topic":"room.a","type":"t${n}"}\n\n`;
const head = (n: number) => `id: e-${n}\nevent: tidings.hello\ndata: {"conn":"c","epoch":"e"}\n\n`;
const live = `event: tidings.live\ndata: {}\n\n`;
const shown = (rows: Row[]) => rows.map((r) => (r.kind === "event" ? r.envelope.type : `(${r.text})`));

test("a source that skips shows nothing twice", async () => {
  const answers = [head(0) + live + event(1) + event(2), head(1) + event(2) + event(7) + live + event(8)];
  let asked = "";
  globalThis.fetch = async (url) => {
    asked = String(url);
    const text = answers.shift()!;
    return new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode(text)) }));
  };
  const settle = async () => {
    for (let i = 0; i < 50; i++) await new Promise((r) => setImmediate(r));
  };
  const source = new Source(["room.a"], () => "");
  source.start();
  await settle();
  assert.deepEqual(shown(source.tail.rows), ["t1", "t2"]);
  source.stream.get().rest();
  source.skip(Date.now());
  source.start();
  await settle();
  assert.ok(!asked.includes("cursor="), asked);
  assert.deepEqual(shown(source.tail.rows), ["t1", "t2", "(Away)", "t7", "t8"]);
  source.stop();
});
