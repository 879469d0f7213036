// What is asked for once: it does not change, and what hangs on it, such as a frame, must not begin
// anew because somebody looked at another tab.

import { useEffect, useState } from "preact/hooks";
import { ask, problemOf, type Problem } from "./ask.ts";

/** FRESH_MS is how old an answer becomes: the addresses in it are good for a quarter of an hour. */
const FRESH_MS = 10 * 60_000;

/** Load is what is known by now. */
export interface Load<T> {
  data: T | undefined;
  problem: Problem | undefined;
  again(): void;
}

/** useLoad asks for path. Another path forgets the answer. */
export function useLoad<T>(path: string): Load<T> {
  const [{ data, problem, of }, set] = useState<{ data?: T; problem?: Problem; of: string }>({ of: "" });
  const [turn, next] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => next((n) => n + 1), FRESH_MS);
    ask<T>(path, undefined, abort.signal).then(
      (d) => set({ data: d, of: path }),
      (e: unknown) => abort.signal.aborted || set((old) => ({ ...(old.of === path && old.data !== undefined && { data: old.data }), problem: problemOf(e), of: path })),
    );
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [path, turn]);
  return { data: of === path ? data : undefined, problem: of === path ? problem : undefined, again: () => next((n) => n + 1) };
}
