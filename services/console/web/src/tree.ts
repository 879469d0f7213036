// Topics as a tree: room.orders.42 is below room.orders, which is below room.

/** TopicRow is one of GET topics. */
export interface TopicRow {
  topic: string;
  subscribers: number;
  /** held is how many of its events the edges have in memory, events how many came. */
  held: number;
  events: number;
  /** last is the sequence of the newest, 0 for none. */
  last: number;
}

/** Node is a token of some topics. Its numbers are those of all below it too. */
export interface Node {
  token: string;
  path: string;
  depth: number;
  children: Map<string, Node>;
  /** rate is in events per second, null before it is known. */
  rate: number | null;
  subscribers: number;
  held: number;
  last: number;
}

/** isPattern says that a topic has wildcards: others' events come by it, it has none of its own. */
export function isPattern(topic: string): boolean {
  return /(^|\.)[*>](\.|$)/.test(topic);
}

/** grow makes the tree. */
export function grow(topics: TopicRow[], rates: ReadonlyMap<string, number>): Node {
  const root = leaf("", "", -1);
  for (const t of topics) {
    const own = !isPattern(t.topic);
    const add = (n: Node) => {
      n.subscribers += t.subscribers;
      if (!own) return;
      n.held += t.held;
      n.last = Math.max(n.last, t.last);
      const rate = rates.get(t.topic);
      if (rate !== undefined) n.rate = (n.rate ?? 0) + rate;
    };
    let at = root;
    add(at);
    t.topic.split(".").forEach((token, depth) => {
      let next = at.children.get(token);
      if (!next) at.children.set(token, (next = leaf(token, at.path ? `${at.path}.${token}` : token, depth)));
      add((at = next));
    });
  }
  return root;
}

function leaf(token: string, path: string, depth: number): Node {
  return { token, path, depth, children: new Map(), rate: null, subscribers: 0, held: 0, last: 0 };
}

/** Order is what siblings are sorted by. */
export type Order = "topic" | "rate" | "subscribers" | "held";

/** rank gives every node its place among its siblings. */
export function rank(root: Node, order: Order): Map<string, number> {
  const places = new Map<string, number>();
  const visit = (n: Node) => {
    const number = (c: Node) => (order === "topic" ? 0 : c[order] ?? 0);
    const sorted = [...n.children.values()].sort((a, b) => number(b) - number(a) || (a.token < b.token ? -1 : 1));
    for (const c of sorted) {
      places.set(c.path, places.size);
      visit(c);
    }
  };
  visit(root);
  return places;
}

/** extend gives those without a place one after all others. */
export function extend(places: ReadonlyMap<string, number>, root: Node): Map<string, number> {
  const next = new Map(places);
  for (const path of rank(root, "topic").keys()) if (!next.has(path)) next.set(path, next.size);
  return next;
}

/** visible lists the nodes below open ones, in their places. What has no place yet is left out and
 * counted. */
export function visible(root: Node, open: ReadonlySet<string>, places: ReadonlyMap<string, number>): { nodes: Node[]; fresh: number } {
  const nodes: Node[] = [];
  let fresh = 0;
  const visit = (n: Node) => {
    const known = [...n.children.values()].filter((c) => places.has(c.path) || void fresh++);
    known.sort((a, b) => places.get(a.path)! - places.get(b.path)!);
    for (const c of known) {
      nodes.push(c);
      if (open.has(c.path)) visit(c);
    }
  };
  visit(root);
  return { nodes, fresh };
}
