// The session is a token and what the server says about it. The token lives in sessionStorage:
// it ends with the tab and is never part of an address that could be logged, shared or bookmarked.

import { Cell, type Readable } from "./cell.ts";
import { api, ask, problemOf, type Problem } from "./ask.ts";

const KEY = "tidings.token";

/** Info is the answer of /console/api/info. */
export interface Info {
  version: string;
  node: string;
  /** prefix is the first token of every NATS subject. */
  prefix: string;
  dev: boolean;
  user: string;
}

/** Session is where signing in stands. */
export type Session =
  | { name: "checking" }
  | { name: "needed"; problem?: Problem }
  | { name: "ready"; info: Info };

const cell = new Cell<Session>({ name: "checking" });
let memory = ""; // where storage is forbidden the token lives as long as the page

/** session changes as tokens come and go. */
export const session: Readable<Session> = cell;

/** token returns the bearer token, "" for none. */
export function token(): string {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory;
  }
}

/** begin takes a token out of the address, if there is one, and signs in. It listens for later
 * ones too: a new link opened in the same tab changes the fragment and loads nothing. */
export function begin(): void {
  capture();
  addEventListener("hashchange", () => capture() && void check());
  void check();
}

/** use signs in with a pasted token. */
export function use(text: string): void {
  // People paste the whole link, a quoted token, or one with "Bearer " before it.
  const found = /[#&?]token=([^&\s]+)/.exec(text);
  store(decode(found ? found[1]! : text.trim().replace(/^Bearer\s+/i, "").replace(/^["']|["']$/g, "")));
  void check();
}

/** forget signs out. */
export function forget(): void {
  store("");
  cell.set({ name: "needed" });
}

/** reject is called when the server stopped accepting the token. */
export function reject(problem: Problem): void {
  cell.set({ name: "needed", problem });
}

function capture(): boolean {
  const fragment = location.hash.slice(1);
  const found = /(?:^|[&?])token=([^&]+)&?/.exec(fragment);
  if (!found) return false;
  store(decode(found[1]!));
  const rest = fragment.replace(found[0], found[0][0] === "?" ? "?" : "").replace(/[?&]$/, "");
  history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  return true;
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

function store(value: string): void {
  memory = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // memory has it.
  }
}

async function check(): Promise<void> {
  const asked = token();
  cell.set({ name: "checking" });
  try {
    const info = await ask<Partial<Info>>(api("info"), undefined, undefined, asked);
    if (asked === token()) cell.set({ name: "ready", info: readInfo(info) });
  } catch (e) {
    const problem = problemOf(e);
    if (asked !== token()) return;
    // Nobody did anything wrong by opening the page without a token.
    cell.set(asked || problem.status !== 401 ? { name: "needed", problem } : { name: "needed" });
  }
}

function readInfo(o: Partial<Record<keyof Info, unknown>>): Info {
  const s = (key: keyof Info) => (typeof o[key] === "string" ? o[key] : "");
  return {
    version: s("version"), node: s("node"), prefix: s("prefix") || "tidings",
    dev: o.dev === true, user: s("user"),
  };
}
