// The top of the overview: what the whole mesh does, and who it is.

import { Blocked, Stale } from "./blocked.tsx";
import { Card } from "./card.tsx";
import { ceiling, compact, count, latency, rate, span, text } from "./format.ts";
import { useCell, useClock } from "./hooks.ts";
import { figure, type Member, type Mesh } from "./mesh.ts";
import type { Kept } from "./settle.ts";
import { State } from "./state.tsx";

/** WINDOW is the width of the strips in seconds. */
const WINDOW = 120;

/** Strips draws the five measures of the mesh above each other, and its members beside them. */
export function Strips({ mesh }: { mesh: Mesh }) {
  useCell(mesh.version);
  const { series, problem } = mesh;
  if (problem && !series.last) return <section class="group mesh-group"><Blocked problem={problem} again={() => mesh.again()} /></section>;
  const frame = { series, window: WINDOW, end: series.last, strip: true };
  const whole = { tick: (v: number) => compact(v, 1000), top: (n: number) => 2 * Math.ceil(ceiling(n, 4) / 2) };
  return (
    <section class="group mesh-group" aria-labelledby="mesh-title">
      <header class="group-head">
        <h2 id="mesh-title">Mesh</h2>
        <span class="facts">the last two minutes, all edges together</span>
      </header>
      <Stale problem={problem} />
      <div class="mesh">
        <div class="strips">
          <Card title="Published" values={[{ column: "published", label: "to the log" }]} format={rate} {...whole} {...frame} />
          <Card title="Delivered" values={[{ column: "delivered", label: "to connections" }]} format={rate} {...whole} {...frame} />
          <Card title="Connections" values={[{ column: "connections", label: "open" }]} format={count} {...whole} {...frame} />
          <Card title="Lag" values={[{ column: "lag", label: "of the slowest edge" }]} format={count} {...whole} {...frame} />
          <Card title="Latency" values={[{ column: "latency", label: "of the last canary" }]} format={latency}
            tick={(v) => `${compact(v, 1000)} ms`} top={(n) => ceiling(n, 4)} {...frame} />
        </div>
        <Members mesh={mesh} />
      </div>
    </section>
  );
}

function Members({ mesh }: { mesh: Mesh }) {
  const now = useClock(1000);
  return (
    <div class="members" tabIndex={0} role="region" aria-label="Services of the mesh">
      <table class="grid">
        <thead><tr><th>Service</th><th>State</th><th>Figures</th><th class="n">Up</th></tr></thead>
        <tbody>
          {mesh.members.map((k) => (
            <tr key={k.key} class={k.gone ? "gone" : ""}>
              <td class="service"><b>{k.row.service}</b><span class="clip small" title={`${k.row.node} ${k.row.tag} ${k.row.version}`}>{k.row.node}</span></td>
              <td class="st"><Health kept={k} /></td>
              <td class="figures">{figuresOf(k.row, mesh.delivered.now.get(k.key)).map(([name, v]) => <span key={name}>{name}<b>{v}</b></span>)}</td>
              <td class="n up">{k.gone ? "" : span(now - Date.parse(k.row.started))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Health({ kept: { row, gone } }: { kept: Kept<Member> }) {
  const f = row.figures ?? {};
  const why = typeof f.reason === "string" ? f.reason : undefined;
  if (gone) return <State tone="bad" words="Gone" why="It does not answer any more" />;
  if (f.draining === true) return <State tone="busy" words="Draining" why={why} />;
  if (f.away === true) return <State tone="warn" words="Log away" why={why} />;
  if (f.ready === false) return <State tone="warn" words="Not ready" why={why} />;
  return <State tone="good" words={f.ready === true ? "Ready" : "Up"} />;
}

/** figuresOf chooses what a member is judged by: for an edge its own, for others the first numbers
 * they tell. */
function figuresOf(m: Member, delivered: number | undefined): [string, string][] {
  if (m.service !== "edge") {
    return Object.entries(m.figures ?? {}).filter(([name, v]) => typeof v === "number" && name !== "uptime_s").slice(0, 2)
      .map(([name, v]) => [name.replaceAll("_", " "), text(count(v as number))]);
  }
  const n = (name: string) => figure(m, name) ?? 0;
  return [
    ["conn.", text(count(n("connections")))],
    ["out", delivered === undefined ? "–" : text(rate(delivered))],
    ["lag", text(count(n("lag")))],
  ];
}
