// Where the page is, and the ways to go elsewhere.

import { Cell, type Readable } from "./cell.ts";
import { readRoute, writeRoute, type Route, type View } from "./route.ts";

const cell = new Cell<Route>(readRoute(location.hash));

/** route changes with the address. */
export const route: Readable<Route> = cell;

/** left is how each view was left. */
const left = new Map<View, Route["query"]>();
cell.subscribe((r) => void left.set(r.view, r.query));
addEventListener("hashchange", () => cell.set(readRoute(location.hash)));

/** link is the address of a view. */
export function link(view: View, query: Route["query"] = {}): string {
  return writeRoute({ view, query });
}

/** recall is the address of a view as it was left; that of the view in sight is without anything. */
export function recall(view: View): string {
  return link(view, view === cell.get().view ? {} : left.get(view));
}

/** go opens a view; the way back leads here. */
export function go(view: View, query: Route["query"] = {}): void {
  location.hash = link(view, query);
}

/** amend changes what the view is asked for, without a step in the history: it is typed letter by
 * letter. */
export function amend(part: Route["query"]): void {
  const { view, query } = cell.get();
  const next = { view, query: { ...query, ...part } };
  history.replaceState(null, "", writeRoute(next));
  cell.set(readRoute(writeRoute(next)));
}
