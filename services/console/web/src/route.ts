// What the tail shows is part of the address, after the #, so that it can be shared and survives
// a reload. The token never is.

/** Route is the state in the address. */
export interface Route {
  /** topics is a list of topics and patterns, comma separated, as typed. */
  topics: string;
  type: string;
  text: string;
}

/** DEFAULT_TOPICS shows everything most operators may read. */
export const DEFAULT_TOPICS = "room.>,all";

/** readRoute reads "#/?topics=…&type=…&q=…". */
export function readRoute(hash: string): Route {
  const q = new URLSearchParams(hash.slice(hash.indexOf("?") + 1 || hash.length));
  return { topics: q.get("topics") || DEFAULT_TOPICS, type: q.get("type") ?? "", text: q.get("q") ?? "" };
}

/** writeRoute is the inverse of readRoute; defaults are left out. */
export function writeRoute(r: Route): string {
  const q: string[] = [];
  // Commas and wildcards are legal in a fragment, and people should be able to read it.
  const add = (name: string, value: string) => q.push(`${name}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3E/g, ">")}`);
  if (r.topics !== DEFAULT_TOPICS) add("topics", r.topics);
  if (r.type) add("type", r.type);
  if (r.text) add("q", r.text);
  return q.length ? `#/?${q.join("&")}` : "#/";
}

/** splitTopics cuts the typed list. */
export function splitTopics(s: string): string[] {
  return [...new Set(s.split(/[\s,]+/).filter(Boolean))];
}
