// What the page shows is part of the address, after the #, so that it can be shared and survives a
// reload. The token never is.

/** VIEWS are the views, in the order of the navigation. */
export const VIEWS = ["overview", "connections", "topics", "events", "streams", "notifications", "mailbox", "dead", "templates", "try"] as const;
/** View is one of them. */
export type View = (typeof VIEWS)[number];

/** Route is the state in the address. */
export interface Route {
  view: View;
  /** query holds what the view was asked for; what is empty is left out. */
  query: Readonly<Record<string, string>>;
}

/** DEFAULT_TOPICS shows everything most operators may read. */
export const DEFAULT_TOPICS = "room.>,all";

/** readRoute reads "#/connections?user=ann". What names no view is the overview; an overview with
 * topics is a link from the time when events stood below the charts. */
export function readRoute(hash: string): Route {
  const [, name = "", search = ""] = /^#?\/?([a-z]*)\??(.*)$/s.exec(hash) ?? [];
  const query: Record<string, string> = {};
  for (const [key, value] of new URLSearchParams(search)) if (value && key !== "token") query[key] = value;
  const view = VIEWS.find((v) => v === name) ?? "overview";
  return { view: view === "overview" && (query.topics || query.type || query.q) ? "events" : view, query };
}

/** writeRoute is the inverse of readRoute. */
export function writeRoute({ view, query }: Route): string {
  // Commas and wildcards are legal in a fragment, and people should be able to read it.
  const q = Object.entries(query).filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3E/g, ">")}`);
  return `#/${view === "overview" ? "" : view}${q.length ? `?${q.join("&")}` : ""}`;
}

/** splitTopics cuts a typed list. */
export function splitTopics(s: string): string[] {
  return [...new Set(s.split(/[\s,]+/).filter(Boolean))];
}
