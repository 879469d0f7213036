// Work is done once per animation frame, however many events came in between.

/** perFrame returns a function that runs f on the next animation frame, at most once each frame
 * and at most once in `rest` milliseconds: what changes faster than that can't be read anyway. */
export function perFrame(f: () => void, rest = 0): () => void {
  let asked = false;
  let last = -rest;
  const frame = (now: number) => {
    if (now - last < rest) return void requestAnimationFrame(frame);
    last = now;
    asked = false;
    f();
  };
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(frame);
  };
}
