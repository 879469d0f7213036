import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { asCurl, asNats, quote } from "../src/commands.ts";
import { bytes, ceiling, count, percent, rate, span, text, traffic } from "../src/format.ts";
import { member, pretty, tokens } from "../src/json.ts";
import { readRoute, splitTopics, writeRoute } from "../src/route.ts";
import { HOLE_S, MAX_SAMPLES, Series } from "../src/series.ts";
import { before, parseCursor } from "../src/wire.ts";

test("cursors are 64 bits wide", () => {
  assert.deepEqual(parseCursor("Ab9-18446744073709551615"), { epoch: "Ab9", seq: 18446744073709551615n });
  assert.equal(before("e-9007199254740993"), "e-9007199254740992");
  assert.equal(before("e-0"), "");
  for (const bad of ["", "e", "e-", "-1", "e-01", "e-+1", "e-1 ", "é-1"]) assert.equal(parseCursor(bad), undefined, bad);
});

test("members of JSON, as they were written", () => {
  const o = `{"topic":"a","x":{"data":1},"y":"\\"data\\":2","data" : {"n":12345678901234567890,"s":"}\\\\"} , "z":[1,{"a":"]"}]}`;
  assert.equal(member(o, "data"), `{"n":12345678901234567890,"s":"}\\\\"}`);
  assert.equal(member(o, "z"), `[1,{"a":"]"}]`);
  assert.equal(member(o, "none"), "");
  assert.equal(member(`{"data":true}`, "data"), "true");
  assert.equal(member(`{}`, "data"), "");
  assert.equal(member(`nonsense`, "data"), "");
});

test("pretty sets lines and changes no value", () => {
  const s = `{"a":[],"b":{},"c":[1,{"d":"x:,{}"}],"n":1.0e5,"big":12345678901234567890}`;
  const p = pretty(s, 10_000);
  assert.equal(p, `{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": "x:,{}"\n    }\n  ],\n  "n": 1.0e5,\n  "big": 12345678901234567890\n}`);
  assert.ok(pretty(s, 20).length < 40);
  assert.equal(pretty(`"text"`, 100), `"text"`);
});

test("tokens lose nothing, whole or cut", () => {
  const s = `{"key": "va\\"l", "n": -1.5e+3, "t": true, "ö": null}`;
  for (let i = 0; i <= s.length; i++) assert.equal(tokens(s.slice(0, i)).map((t) => t.text).join(""), s.slice(0, i));
  assert.deepEqual(tokens(s).filter((t) => t.kind !== "mark").map((t) => t.kind), ["key", "string", "key", "number", "key", "word", "key", "word"]);
});

test("commands survive the shell", () => {
  const hostile = `it's $(id) \`id\` "x" \\ \n é`;
  assert.equal(execFileSync("sh", ["-c", `printf %s ${quote(hostile)}`]).toString(), hostile);
  const raw = `{"topic":"room.a","type":"o'brien","data":{"n":12345678901234567890,"s":"it's"}}`;
  const e = { topic: "room.a", type: "o'brien" };
  const args = (command: string) => execFileSync("sh", ["-c", `TOKEN=t; show() { for a; do printf '%s\\0' "$a"; done; }; ${command}`])
    .toString().split("\0").slice(0, -1);
  assert.deepEqual(args(asNats("tidings", e, raw).replace("nats pub", "show")),
    ["-H", "ce-type:o'brien", "tidings.ev.room.a", `{"n":12345678901234567890,"s":"it's"}`]);
  const curl = args(asCurl("http://h", e, raw, "u").replace("curl", "show"));
  assert.deepEqual(curl.slice(0, 4), ["-sS", "http://h/v1/events", "-H", "Authorization: Bearer t"]);
  assert.equal(curl.at(-1), `{"topic":"room.a","type":"o'brien","data":{"n":12345678901234567890,"s":"it's"}}`);
  const cloud = args(asCurl("http://h", { topic: "all", type: "t", data_base64: "/w==" }, "", "u").replace("curl", "show"));
  assert.equal(cloud[5], "Content-Type: application/cloudevents+json");
  assert.deepEqual(JSON.parse(cloud.at(-1)!), {
    specversion: "1.0", id: "u", source: "console", tidingstopic: "all", type: "t", datacontenttype: "application/octet-stream", data_base64: "/w==",
  });
  assert.match(asNats("p", { topic: "all", type: "message", data_base64: "/w==" }, ""), /base64 -d \| nats pub p\.ev\.all --force-stdin/);
});

test("routes", () => {
  assert.deepEqual(readRoute(""), { view: "overview", query: {} });
  assert.deepEqual(readRoute("#/nowhere?a=1"), { view: "overview", query: { a: "1" } });
  assert.deepEqual(readRoute("#/?topics=room.a"), { view: "events", query: { topics: "room.a" } }); // an old link
  for (const route of [
    { view: "overview", query: {} }, { view: "try", query: {} },
    { view: "connections", query: { user: "ann@example.com", state: "live" } },
    { view: "events", query: { topics: "room.a.>,all", type: "!*.metrics", q: "a&b=ü #" } },
  ] as const) assert.deepEqual(readRoute(writeRoute(route)), route);
  assert.equal(writeRoute({ view: "events", query: { topics: "room.a.>,all", type: "" } }), "#/events?topics=room.a.>,all");
  assert.deepEqual(splitTopics(" room.a, all room.a,"), ["room.a", "all"]);
});

test("numbers as people read them", () => {
  assert.equal(text(rate(0)), "0 /s");
  assert.equal(text(rate(5.993)), "6.0 /s");
  assert.equal(text(rate(9.97)), "10 /s");
  assert.equal(text(rate(999.4)), "999 /s");
  assert.equal(text(rate(999.6)), "1.00 k/s");
  assert.equal(text(rate(1234)), "1.23 k/s");
  assert.equal(text(traffic(999.6)), "1000 B/s");
  assert.equal(text(traffic(196_000)), "196 kB/s");
  assert.equal(text(bytes(16.6 * 2 ** 30)), "16.6 GiB");
  assert.equal(text(percent(100)), "100 %");
  assert.equal(text(count(12_345)), "12.3 k");
  assert.equal(span(3_725_000), "1 h 2 min");
  assert.equal(ceiling(5, 20), 20);
  assert.equal(ceiling(412_000, 10), 500_000);
  assert.equal(ceiling(18 * 2 ** 20, 1024, 1024), 20 * 2 ** 20);
  assert.equal(ceiling(NaN, 7), 7);
});

test("series are bounded, rising, and break where samples are missing", () => {
  const s = new Series();
  assert.ok(s.push(100, { a: 1 }));
  assert.ok(!s.push(100, { a: 2 }), "a repetition");
  assert.ok(!s.push(99, { a: 2 }), "an older one");
  assert.ok(s.push(101, { a: 3, b: 1 }));
  assert.deepEqual(s.column("b"), [null, 1]);
  s.push(102 + HOLE_S, { a: 4 });
  assert.deepEqual(s.column("a"), [1, 3, null, 4]);
  assert.equal(s.at(0), 0);
  assert.equal(s.at(100.9), 1);
  assert.equal(s.at(1e9), 3);
  assert.equal(s.top(["a", "b"], 101), 4);
  for (let i = 0; i < 2 * MAX_SAMPLES; i++) s.push(200 + i, { a: i });
  assert.equal(s.x.length, MAX_SAMPLES);
  assert.equal(s.column("b").length, MAX_SAMPLES);
});
