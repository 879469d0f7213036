import assert from "node:assert/strict";
import { test } from "node:test";

Object.assign(globalThis, { sessionStorage: undefined });
const { Mesh } = await import("../src/mesh.ts");
type Member = import("../src/mesh.ts").Member;

const edge = (tag: string, figures: Record<string, unknown>): Member => ({ service: "edge", node: `n-${tag}`, tag, version: "1", started: "2026-01-02T03:00:00Z", figures });
const at = (s: number) => new Date(Date.UTC(2026, 0, 2, 3, 4, s)).toISOString();

test("the mesh as one: what was published counts once, what was delivered everywhere", () => {
  const mesh = new Mesh();
  const now = (name: string) => mesh.series.column(name).at(-1);
  mesh.take({ at: at(1), members: [edge("a", { head: 100, delivered: 10, connections: 2, lag: 0, canary_ms: -1 })], gone: [] });
  assert.deepEqual([now("published"), now("delivered"), now("connections"), now("latency")], [null, null, 2, null]);
  mesh.take({
    at: at(2), gone: [],
    members: [edge("a", { head: 130, delivered: 40, connections: 2, lag: 1, canary_ms: 3 }), edge("b", { head: 128, delivered: 500, connections: 5, lag: 3, canary_ms: 8.5 })],
  });
  assert.deepEqual(["published", "delivered", "connections", "lag", "latency"].map(now), [30, 30, 7, 3, 8.5]);
  mesh.take({ at: at(3), members: [edge("b", { head: 120, delivered: 510, connections: 5 })], gone: [edge("a", {})] });
  assert.deepEqual(["published", "delivered", "connections", "lag"].map(now), [null, 10, 5, null]); // another log
  assert.deepEqual(mesh.members.map((k) => [k.key, k.gone]), [["edge a", true], ["edge b", false]]);
});

test("who has no edge has no numbers", () => {
  const mesh = new Mesh();
  mesh.take({ at: at(1), members: [], gone: [] });
  assert.equal(mesh.series.column("connections").at(-1), null);
  assert.deepEqual(mesh.members, []);
});
