// The outside world: everything a test wants to have in its hands.

import type { Grounds } from "./share/words.ts";
import type { Off } from "./store.ts";

/** Moment is an event of the page: it was hidden or became visible, the network came back, it went
 * away (perhaps into the back/forward cache), it is there (perhaps from that cache). */
export type Moment = "visibilitychange" | "online" | "pagehide" | "pageshow";

/** Environment is the world of one client. */
export interface Environment {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** socket opens a WebSocket; it throws where there are none. */
  socket(url: string): WebSocket;
  /** now is milliseconds since 1970. Sleep of the machine passes in it. */
  now(): number;
  /** random is from 0 up to 1. */
  random(): number;
  /** later calls f after ms milliseconds, unless Off comes first. */
  later(f: () => void, ms: number): Off;
  /** online is the browser's opinion, which is often wrong: it chooses a word, no more. */
  online(): boolean;
  /** hidden says that nobody sees the page, so that its timers may come late. */
  hidden(): boolean;
  /** memory outlives a reload of the page; it throws where there is none. */
  memory(): Pick<Storage, "getItem" | "setItem">;
  /** moments calls fn for what happens to the page. */
  moments(fn: (moment: Moment) => void): Off;
  /** grounds are what tabs meet on; without them, the browser's. */
  grounds?: Grounds;
}

/** browser is the real world. It works in a page, in a worker and on a server, where it makes
 * no connection by itself. */
export function browser(): Environment {
  return {
    fetch: (url, init) => fetch(url, init),
    socket: (url) => new WebSocket(url),
    now: Date.now,
    random: Math.random,
    later(f, ms) {
      const timer = setTimeout(f, ms);
      return () => clearTimeout(timer);
    },
    online: () => globalThis.navigator?.onLine !== false,
    hidden: () => !!globalThis.document?.hidden,
    memory: () => sessionStorage,
    moments(fn) {
      const end = new AbortController();
      for (const type of ["visibilitychange", "online", "pagehide", "pageshow"] as const) { // all reach the window
        globalThis.addEventListener?.(type, () => fn(type), { signal: end.signal });
      }
      return () => end.abort();
    },
  };
}
