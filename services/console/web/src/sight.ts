// Out of sight a console needs no connections, and others may need them: over HTTP/1.1 a browser
// makes six to a host, for all its tabs together, and a seventh waits for ever without a word.

/** REST_MS is how long a page is hidden before it rests: longer than a glance at another tab. */
export const REST_MS = 5_000;
/** FAR_MS is the absence after which a page goes on with now. After a shorter one it catches up;
 * to catch up with a night would take minutes and show nothing but its end. */
export const FAR_MS = 5 * 60_000;

/** Sleeper is what rests. */
export interface Sleeper {
  /** rest lets the connections go. */
  rest(): void;
  /** wake takes them up again. since is when the page was hidden, in milliseconds since 1970, and
   * far says that it was for longer than FAR_MS. */
  wake(since: number, far: boolean): void;
  /** check is for moments at which time may have jumped or the network may have changed. */
  check(): void;
}

/** sight lets s rest while the page is hidden, until the returned function is called. */
export function sight(s: Sleeper): () => void {
  let since = 0; // when the page was hidden, 0 while it is seen
  let resting = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    if (document.visibilityState === "hidden") {
      if (since) return;
      since = Date.now();
      timer = setTimeout(() => {
        resting = true;
        s.rest();
      }, REST_MS);
      return;
    }
    clearTimeout(timer);
    if (resting) s.wake(since, Date.now() - since > FAR_MS);
    else s.check();
    since = 0;
    resting = false;
  };
  const events: [EventTarget, string][] = [[document, "visibilitychange"], [window, "pageshow"], [window, "online"]];
  for (const [target, name] of events) target.addEventListener(name, look);
  if (document.visibilityState === "hidden") look(); // opened in the background
  return () => {
    clearTimeout(timer);
    for (const [target, name] of events) target.removeEventListener(name, look);
  };
}
