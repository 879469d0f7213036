// Which way the tabs of a browser share one connection.

import type { Api } from "../api.ts";
import { delay } from "../backoff.ts";
import type { Options } from "../client.ts";
import type { Connection } from "../connection.ts";
import type { Environment } from "../environment.ts";
import { isFinal, thrown, type TidingsError } from "../fault.ts";
import { keyOf } from "../ladder.ts";
import type { Line, Note, Status } from "../status.ts";
import type { Off } from "../store.ts";
import { subject } from "../token.ts";
import { leaderLine } from "./leader.ts";
import { tabOf, type Parts } from "./tab.ts";
import { groundsHere, VERSION, type Grounds, type ToTab } from "./words.ts";

/** WELCOME_MS is how long a SharedWorker may take to answer: it has to be loaded first. */
export const WELCOME_MS = 5_000;

/** Shared is all that sharing needs of a client. */
export interface Shared extends Omit<Parts, "tokens" | "config"> {
  api: Api;
  options: Options;
  /** alone makes a connection of the tab's own, or of this world. */
  alone(out: (note: Note) => void, world?: Environment): Connection;
}

/** share makes a Line that shares its connection with the other tabs of the same user, if the
 * browser has what it takes. */
export function share(shared: Shared): Line {
  const { api, options, env, out } = shared;
  const { grounds = groundsHere() } = env;
  const { key = "", share: how, worker, credentials, transports, rewind } = options;
  let line: Line | undefined;
  let wanted: Parameters<Line["want"]> | undefined;
  let closed = false;
  let release = () => {};
  let rests: "waiting" | "denied" | undefined; // without a token
  let attempt = 0;
  let timer: Off = () => {};

  const use = (next: Line) => {
    line?.close();
    line = next;
    if (wanted) next.want(...wanted);
  };
  const alone = () => use(shared.alone(out));
  const set = (status: Status) => out({ note: "status", status });

  /** begin finds out who the user is, since different users never share: the key has the token's
   * subject. Whose an opaque token is only the page can tell, by a key. */
  const begin = async () => {
    timer();
    rests = undefined;
    set({ state: "connecting" });
    let token: string;
    try {
      token = await api.tokens();
    } catch (e) {
      return closed || rest(thrown(e));
    }
    const user = subject(token);
    if (closed) return;
    if (token && !user && !key) return alone();
    const name = JSON.stringify([VERSION, api.base, user, key]);
    const { id, lock } = await hold();
    if (closed) return release();
    const config = { base: api.base, credentials, transports, rewind, way: recall() };
    const parts = { ...shared, config, tokens: api.tokens };
    const lead = () => {
      if (how !== "worker" && lock && grounds.BroadcastChannel) use(leaderLine(name, id, lock, grounds as Required<Grounds>, parts, shared.alone));
      else alone();
    };
    if (how === "locks" || !grounds.SharedWorker) return lead();
    try {
      use(workerLine(name, id, lock, grounds.SharedWorker, parts, worker, () => closed || lead()));
    } catch {
      lead(); // the page's policy, or a script of another origin
    }
  };

  /** rest follows an attempt without a token. A connection of its own would wait for one too, but
   * then go on alone for ever: seven tabs that were opened while tokens were not to be had are more
   * than HTTP/1.1 lets through. */
  const rest = (error: TidingsError) => {
    const { code, detail: reason, hint, retryAfter } = error;
    if (isFinal(error)) {
      rests = "denied";
      return set({ state: "denied", reason, code, hint });
    }
    rests = "waiting";
    const ms = delay(attempt++, 0, retryAfter, env.random);
    timer = env.later(start, ms);
    set({ state: env.online() ? "waiting" : "offline", retryAt: env.now() + ms, reason });
  };
  const start = () => void begin().catch(() => closed || alone());

  /** recall returns what the page remembers of the way that works. */
  const recall = () => {
    try {
      return env.memory().getItem(keyOf(api.base)) ?? undefined;
    } catch {
      return undefined;
    }
  };

  /** hold takes a lock that tells others whether this tab lives. */
  const hold = async () => {
    const id = String(Math.random()).slice(2);
    const { locks } = grounds;
    if (!locks) return { id, lock: undefined };
    const lock = `${VERSION} tab ${id}`;
    await new Promise<void>((held) => {
      locks.request(lock, () => new Promise<void>((done) => {
        release = done;
        held();
      })).catch(() => held());
    });
    return { id, lock };
  };

  return {
    want(...all) {
      const first = !wanted;
      wanted = all;
      if (first) start();
      line?.want(...all);
    },
    check(online) {
      if (line) line.check(online);
      else if (rests === "waiting") start();
    },
    retry() {
      if (line) line.retry();
      else if (rests) start();
    },
    close() {
      closed = true;
      timer();
      line?.close();
      release();
    },
  };
}

/** workerLine makes the Line of a tab whose host is a SharedWorker. fail is called if that does not
 * come to life. */
function workerLine(
  name: string,
  id: string,
  lock: string | undefined,
  Worker: typeof SharedWorker,
  parts: Parts,
  script: string | URL | undefined,
  fail: () => void,
): Line {
  const url = trusted(script ?? new URL("./worker.js", import.meta.url));
  let port: MessagePort | undefined;
  let greeted = false;
  const start = () => {
    const worker = new Worker(url, name);
    worker.onerror = () => greeted || give();
    port?.close();
    port = worker.port;
    port.onmessage = ({ data }: MessageEvent<ToTab>) => {
      greeted = true;
      tab.hear(data);
    };
  };
  const tab = tabOf(parts, lock, (m) => port!.postMessage([id, m]), () => {
    start(); // a dead worker is followed by a new one
    tab.join();
  });
  const give = () => {
    off();
    fail();
  };
  const off = parts.env.later(() => greeted || give(), WELCOME_MS);
  start();
  return {
    ...tab,
    close() {
      off();
      tab.close();
      port?.close();
    },
  };
}

/** trusted makes a script's URL one that a page takes which requires trusted types, if that lets us
 * have the policy "tidings". An object that is no URL is one already. */
function trusted(script: string | URL): string | URL {
  if (typeof script !== "string" && !(script instanceof URL)) return script;
  const { trustedTypes } = globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } };
  try {
    policy ??= trustedTypes?.createPolicy("tidings", { createScriptURL: (url) => url });
  } catch {
    // The page names the policies that it allows, and not ours.
  }
  return policy ? policy.createScriptURL(String(script)) : script;
}

/** Policy makes URLs that a browser believes to be good. */
interface Policy {
  createScriptURL(url: string): string;
}

/** policy is ours; a page may have but one of a name. */
let policy: Policy | undefined;
