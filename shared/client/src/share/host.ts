// The host has the one connection of all tabs. It may live in a SharedWorker or in one of the tabs.

import type { Connection } from "../connection.ts";
import { after, split } from "../cursor.ts";
import type { Environment } from "../environment.ts";
import { thrown, TidingsError } from "../fault.ts";
import { matches } from "../names.ts";
import type { Note } from "../status.ts";
import { fromPlain, plain, type Grounds, type Plain, type ToHost, type ToTab } from "./words.ts";

/** ALIVE_MS is how often tabs hear that the host lives. */
export const ALIVE_MS = 10_000;
/** ASK_MS is how long a tab may take to fetch a token before another is asked. */
export const ASK_MS = 8_000;

/** Host serves tabs. */
export interface Host {
  hear(tab: string, m: ToHost): void;
  /** token asks a living tab for a token. */
  token(stale?: string): Promise<string>;
  close(): void;
}

/** hostOf makes a host. connect makes its connection, in a world whose memory is that of the tabs,
 * since a worker has none; way is what the first of them remembers. send reaches the tabs named,
 * and gone is told which has left or died. For settle milliseconds it only listens: when a host
 * follows another one, all its tabs should have told their cursors before it connects, or else it
 * would have to begin again for each. */
export function hostOf(
  connect: (out: (note: Note) => void, world: Environment) => Connection,
  send: (tabs: string[], m: ToTab) => void,
  { locks }: Grounds,
  env: Environment,
  settle: number,
  way: string | undefined,
  gone: (tab: string) => void = () => {},
): Host {
  const tabs = new Map<string, string[]>(); // topics, of the newest tab last
  const asks = new Map<number, { resolve(token: string): void; reject(e: TidingsError): void }>();
  const end = new AbortController();
  let status: (Note & { note: "status" }) | undefined;
  let quiet = false; // what the connection says concerns nobody
  let ready: Note & { note: "ready" } = { note: "ready", topics: [], own: "" };
  let settled = !settle;
  let asked = 0;

  const all = () => [...tabs.keys()];
  const having = (is: (topic: string) => boolean) => all().filter((tab) => tabs.get(tab)!.some(is));
  const memory = {
    getItem: () => way ?? null,
    setItem(_: string, value: string) {
      way = value;
      send(all(), { say: "way", way });
    },
  };
  const connection = connect((note) => {
    if (quiet) return;
    if (note.note === "status") status = note;
    if (note.note === "ready") ready = note;
    if (note.note === "refused") return send(having((t) => t === note.topic), { say: "refused", topic: note.topic, error: plain(note.error) });
    const to = note.note === "event" ? having((t) => matches(t, note.frame.topic ?? "", ready.own)) : all();
    if (to.length) send(to, { say: "note", note });
  }, { ...env, memory: () => memory });

  const want = () => settled && connection.want([...new Set([...tabs.values()].flat())], undefined);
  const drop = (tab: string) => {
    if (!tabs.delete(tab)) return;
    gone(tab);
    want();
  };

  const alive = () => {
    send(all(), { say: "alive" });
    silence = env.later(alive, ALIVE_MS);
  };
  let silence = env.later(alive, ALIVE_MS);
  const settling = env.later(() => {
    settled = true;
    want();
  }, settle);

  /** welcome takes a tab in. It may have missed what others have seen: while it was in the
   * back/forward cache, or because the former host died. Then all goes back to where it is, and
   * the others, who know what they have seen, drop the repetition. */
  const welcome = (tab: string, cursor: string | undefined) => {
    send([tab], { say: "welcome" });
    if (way) send([tab], { say: "way", way });
    if (status) send([tab], { say: "note", note: status });
    send([tab], { say: "note", note: ready });
    const at = connection.cursor();
    if (!cursor) {
      // What comes from here on is the tab's business, should the host die soon.
      if (at) send([tab], { say: "note", note: { note: "at", cursor: at } });
      return;
    }
    if (!at) {
      // It only notes the place as long as nothing is wanted.
      quiet = !status || status.status.state === "idle";
      connection.resume(cursor);
      quiet = false;
    }
    else if (split(at)[0] !== split(cursor)[0]) {
      // It has seen another log, of which nothing can come any more.
      for (const topic of tabs.get(tab)!) {
        send([tab], { say: "note", note: { note: "gap", cursor: at, gap: { topic, after: cursor, before: at, reason: "epoch" } } });
      }
    } else if (after(at, cursor)) connection.resume(cursor);
  };

  return {
    hear(tab, m) {
      if (m.do === "join") {
        tabs.set(tab, m.topics);
        // Its lock is free when the tab is gone, however it went.
        if (m.lock) locks?.request(m.lock, { signal: end.signal }, () => drop(tab)).catch(() => {});
        welcome(tab, m.cursor);
        want();
      } else if (m.do === "want") {
        if (!tabs.has(tab)) return send([tab], { say: "join" });
        tabs.set(tab, m.topics);
        want();
      } else if (m.do === "check") connection.check(m.online);
      else if (m.do === "retry") connection.retry();
      else if (m.do === "leave") drop(tab);
      else if (m.error) asks.get(m.ask)?.reject(fromPlain(m.error));
      else asks.get(m.ask)?.resolve(m.token!);
    },
    async token(stale) {
      let last: Plain = ["no_token", "No tab has a token.", 0, ""];
      for (const tab of all().reverse()) {
        const ask = ++asked;
        try {
          return await new Promise<string>((resolve, reject) => {
            asks.set(ask, { resolve, reject });
            env.later(() => reject(new TidingsError("no_token", "A tab did not answer.")), ASK_MS);
            send([tab], { say: "ask", ask, stale: stale !== undefined });
          });
        } catch (e) {
          last = plain(thrown(e));
        } finally {
          asks.delete(ask);
        }
      }
      throw fromPlain(last);
    },
    close() {
      end.abort();
      silence();
      settling();
      tabs.clear();
      connection.close();
    },
  };
}
