// Time, for what changes by itself.

import type { Environment } from "../environment.ts";

/** Clock is the part of the world that an inbox needs beside its client. */
export type Clock = Pick<Environment, "now" | "later">;

/** CLOCK is the real one. */
export const CLOCK: Clock = {
  now: Date.now,
  later(f, ms) {
    const timer = setTimeout(f, ms);
    return () => clearTimeout(timer);
  },
};
