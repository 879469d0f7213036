// Which way the tabs of a browser share one connection.

import type { Api } from "../api.ts";
import type { Options } from "../client.ts";
import type { Connection } from "../connection.ts";
import type { Line, Note } from "../status.ts";
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
  /** alone makes a connection of the tab's own. */
  alone(out: (note: Note) => void): Connection;
}

/** share makes a Line that shares its connection with the other tabs of the same user, if the
 * browser has what it takes. */
export function share(shared: Shared): Line {
  const { api, options, env } = shared;
  const { grounds = groundsHere() } = env;
  const { key = "", share: how, worker, credentials, transports, rewind } = options;
  let line: Line | undefined;
  let wanted: Parameters<Line["want"]> | undefined;
  let closed = false;
  let release = () => {};

  const use = (next: Line) => {
    line?.close();
    line = next;
    if (wanted) next.want(...wanted);
  };
  const alone = () => use(shared.alone(shared.out));

  const begin = async () => {
    // Different users never share: the key has the token's subject. Whose an opaque token is
    // only the page can tell, by a key.
    const token = await api.tokens();
    const user = subject(token);
    if (closed) return;
    if (token && !user && !key) return alone();
    const name = JSON.stringify([VERSION, api.base, user, key]);
    const { id, lock } = await hold();
    if (closed) return release();
    const config = { base: api.base, credentials, transports, rewind };
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

  begin().catch(() => closed || alone()); // without a token: its own connection waits for one
  return {
    want(...all) {
      if (!wanted) shared.out({ note: "status", status: { state: "connecting" } });
      wanted = all;
      line?.want(...all);
    },
    check: (online) => line?.check(online),
    retry: () => line?.retry(),
    close() {
      closed = true;
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
  let port: MessagePort | undefined;
  let greeted = false;
  const start = () => {
    const worker = new Worker(script ?? new URL("./worker.js", import.meta.url), name);
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
