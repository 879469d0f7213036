// Which way to the server to take. A proxy that holds a stream back answers 200 and then says
// nothing, so only the server's hello proves that a way works.

import type { Environment } from "./environment.ts";

/** MUTE_STARTS is how many starts without a hello in a row rule a way out. */
export const MUTE_STARTS = 2;
/** REMEMBER_MS is how long a way is kept after the better ones failed: networks change. */
export const REMEMBER_MS = 10 * 60_000;

/** Ladder remembers the way that works, also over a reload of the page. */
export interface Ladder {
  /** rung is the way to take now, 0 for the first choice. */
  rung(): number;
  /** stale says that the better ways deserve another try. */
  stale(): boolean;
  /** worked notes a hello. */
  worked(): void;
  /** lasted notes that a way carries more than a hello. */
  lasted(): void;
  /** failed notes a start without a hello, or a stream that fell silent after it. */
  failed(): void;
}

/** keyOf is where the memory has the way to the server of that URL. */
export const keyOf = (base: string) => "tidings:" + base;

/** ladderOf makes a Ladder of so many rungs, which are ways to the server of that URL. */
export function ladderOf(base: string, rungs: number, env: Environment): Ladder {
  let [rung, until, mute] = [0, 0, 0];
  // Storage may hold somebody else's value, be full or forbidden: then this page remembers alone.
  try {
    [rung, until] = JSON.parse(env.memory().getItem(keyOf(base))!);
    if (!(rung < rungs && until > env.now())) rung = until = 0;
  } catch {}
  const stale = () => until > 0 && env.now() > until;
  return {
    stale,
    rung() {
      if (stale()) rung = until = 0;
      return rung;
    },
    worked() {
      if (!rung || until) return;
      until = env.now() + REMEMBER_MS;
      try {
        env.memory().setItem(keyOf(base), JSON.stringify([rung, until]));
      } catch {}
    },
    lasted: () => void (mute = 0),
    failed() {
      if (++mute < MUTE_STARTS) return;
      mute = until = 0;
      rung = (rung + 1) % rungs;
    },
  };
}
