// The mesh: which services run where, and what the edges count, second by second.

import { api } from "./ask.ts";
import { Cell } from "./cell.ts";
import { repeat } from "./poll.ts";
import { Rates } from "./rates.ts";
import { Series } from "./series.ts";
import { settle, type Kept } from "./settle.ts";
import type { Problem } from "./ask.ts";

/** Member is one service of one process. */
export interface Member {
  service: string;
  node: string;
  tag: string;
  version: string;
  started: string;
  figures: Record<string, unknown> | null;
}

/** Roster is the answer of GET mesh. */
export interface Roster {
  at: string;
  members: Member[];
  gone: Member[];
}

/** EVERY_MS is the step of the strips. */
const EVERY_MS = 1_000;
/** MOST bounds the list. */
const MOST = 200;

const keyOf = (m: Member) => `${m.service} ${m.tag}`;

/** Mesh is what the page knows of it. */
export class Mesh {
  readonly series = new Series();
  members: Kept<Member>[] = [];
  problem: Problem | undefined;
  /** delivered holds the events per second of each edge, by key. */
  readonly delivered = new Rates();
  private published = new Rates();
  /** version changes with every answer. */
  readonly version = new Cell(0);
  private poll: ReturnType<typeof repeat> | undefined;

  /** start asks from now on, until stop. */
  start(): void {
    this.poll = repeat<Roster>(api("mesh"), EVERY_MS, (r) => this.take(r), (p) => this.fail(p));
  }

  stop(): void {
    this.poll?.stop();
  }

  /** again asks at once. */
  again(): void {
    this.poll?.again();
  }

  /** take notes an answer. */
  take({ at, members, gone }: Roster): void {
    const ms = Date.parse(at);
    // Who left in order is forgotten by the server after a minute, and here with it.
    const known = new Set([...members, ...gone].map(keyOf));
    const old = this.members.filter((k) => known.has(k.key));
    this.members = settle(old, members, keyOf, MOST, () => true).rows;
    for (const m of gone) {
      if (!this.members.some((k) => k.key === keyOf(m))) this.members.push({ key: keyOf(m), row: m, gone: true });
    }
    this.sample(ms, members.filter((m) => m.service === "edge"));
    this.problem = undefined;
    this.version.set(this.version.get() + 1);
  }

  private sample(ms: number, edges: Member[]): void {
    if (!(ms > 0)) return;
    this.delivered.take(new Map(edges.map((m) => [keyOf(m), figure(m, "delivered") ?? 0])), ms);
    // Every edge follows the whole log: the one that is furthest knows what was published.
    this.published.take(new Map([["log", most(edges, "head") ?? 0]]), ms);
    const known = edges.length > 0;
    this.series.push(ms / 1000, {
      published: this.published.now.get("log") ?? null,
      delivered: this.delivered.now.size ? [...this.delivered.now.values()].reduce((a, b) => a + b, 0) : null,
      connections: known ? edges.reduce((n, m) => n + (figure(m, "connections") ?? 0), 0) : null,
      lag: most(edges, "lag"),
      latency: most(edges, "canary_ms"),
    });
  }

  private fail(problem: Problem): void {
    this.problem = problem;
    this.version.set(this.version.get() + 1);
  }
}

/** figure returns a number among a member's figures, null if there is none or a negative one, which
 * stands for unknown. */
export function figure({ figures }: Member, name: string): number | null {
  const v = figures?.[name];
  return typeof v === "number" && v >= 0 ? v : null;
}

function most(members: Member[], name: string): number | null {
  const known = members.map((m) => figure(m, name)).filter((v) => v !== null);
  return known.length ? Math.max(...known) : null;
}
