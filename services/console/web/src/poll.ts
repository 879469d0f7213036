// A poll asks again and again, while the page is seen.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, problemOf, type Problem } from "./ask.ts";

/** SLOWEST_MS bounds the wait after failures. */
const SLOWEST_MS = 15_000;

/** Poll is what is known by now. */
export interface Poll<T> {
  /** data is the last answer, undefined before the first; it may be that of another path. */
  data: T | undefined;
  /** path is what data answers. */
  path: string;
  /** problem says why there is nothing newer. */
  problem: Problem | undefined;
}

/** repeat asks for path every ms milliseconds, one request at a time, until the returned stop is
 * called; again asks at once. While the page is hidden nobody asks. After a failure it waits
 * longer, after a refusal that will not change it waits for again. */
export function repeat<T>(path: string, ms: number, take: (data: T) => void, fail: (p: Problem) => void): { stop(): void; again(): void } {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let failures = 0;
  const run = async () => {
    clearTimeout(timer);
    if (busy || document.hidden || abort.signal.aborted) return;
    busy = true;
    let wait = ms;
    try {
      take(await ask<T>(path, undefined, abort.signal));
      failures = 0;
    } catch (e) {
      if (abort.signal.aborted) return;
      const problem = problemOf(e);
      fail(problem);
      wait = problem.status >= 400 && problem.status < 500 ? Infinity : Math.min(SLOWEST_MS, ms * 2 ** ++failures);
    }
    busy = false;
    if (wait < Infinity) timer = setTimeout(run, wait);
  };
  document.addEventListener("visibilitychange", run);
  void run();
  return {
    again: () => void run(),
    stop() {
      clearTimeout(timer);
      abort.abort();
      document.removeEventListener("visibilitychange", run);
    },
  };
}

/** usePoll is repeat for a component. A change of path keeps the old answer until the new one. */
export function usePoll<T>(path: string, ms: number): Poll<T> & { again(): void } {
  const [poll, set] = useState<Poll<T>>({ data: undefined, path: "", problem: undefined });
  const again = useRef(() => {});
  useEffect(() => {
    const r = repeat<T>(path, ms, (data) => set({ data, path, problem: undefined }), (problem) => set((p) => ({ ...p, problem })));
    again.current = r.again;
    return r.stop;
  }, [path, ms]);
  return { ...poll, again: () => again.current() };
}
