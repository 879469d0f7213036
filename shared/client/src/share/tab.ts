// A tab's end of a shared connection.

import type { Environment } from "../environment.ts";
import { thrown } from "../fault.ts";
import { keyOf } from "../ladder.ts";
import type { Line, Note } from "../status.ts";
import type { Tokens } from "../token.ts";
import { fromPlain, plain, type Config, type ToHost, type ToTab } from "./words.ts";

/** SILENT_MS is after how long without a word a host counts as dead: browsers let the timers of
 * hidden tabs, of which one may be the host, run once a minute. */
export const SILENT_MS = 150_000;
/** LOOK_MS is how often that is looked at. */
export const LOOK_MS = 10_000;

/** Tab is a Line that hears by messages. */
export interface Tab extends Line {
  hear(m: ToTab): void;
  /** join tells a new host about the tab, once it has wanted something. */
  join(): void;
}

/** Parts of a tab. */
export interface Parts {
  config: Config;
  env: Environment;
  tokens: Tokens;
  /** cursor is how far the tab has come. */
  cursor(): string | undefined;
  out(note: Note): void;
}

/** tabOf makes a Tab. post reaches the host; revive is called when that seems dead; lock is the
 * Web Lock that the tab holds. */
export function tabOf({ config, env, tokens, cursor, out }: Parts, lock: string | undefined, post: (m: ToHost) => void, revive: () => void): Tab {
  let topics: string[] | undefined;
  let joined = false;
  let heard = env.now();

  const join = () => {
    joined = false; // what a host says before its welcome was not meant for us
    if (topics) post({ do: "join", topics, cursor: cursor(), lock, config });
  };
  const token = async (ask: number, stale: boolean) => {
    try {
      // Ours may be older than the one that was refused, so another one is asked for.
      const now = await tokens();
      post({ do: "token", ask, token: stale ? await tokens(now) : now });
    } catch (e) {
      post({ do: "token", ask, error: plain(thrown(e)) });
    }
  };
  /** remember keeps the way that works, for who comes next. */
  const remember = (way: string) => {
    config.way = way;
    try {
      env.memory().setItem(keyOf(config.base), way);
    } catch {
      // Storage may be full or forbidden: then a reload tries all ways again.
    }
  };
  const look = () => {
    const due = env.now() + LOOK_MS;
    off = env.later(() => {
      const now = env.now();
      if (now > due + LOOK_MS) heard = now; // after a sleep, the silence was our own
      if (now - heard > SILENT_MS) {
        heard = now;
        revive();
      }
      look();
    }, LOOK_MS);
  };
  let off = () => {};
  look();

  return {
    join,
    hear(m) {
      heard = env.now();
      if (m.say === "join") join();
      else if (m.say === "welcome") joined = true;
      else if (m.say === "way") remember(m.way);
      else if (m.say === "ask") void token(m.ask, m.stale);
      else if (joined && m.say === "note") out(m.note);
      else if (joined && m.say === "refused") out({ note: "refused", topic: m.topic, error: fromPlain(m.error) });
    },
    want(now) {
      const first = !topics;
      topics = now;
      if (first) {
        out({ note: "status", status: { state: "connecting" } });
        join();
      } else post({ do: "want", topics });
    },
    check: (online) => post({ do: "check", online }),
    retry: () => post({ do: "retry" }),
    close() {
      off();
      post({ do: "leave" });
    },
  };
}
