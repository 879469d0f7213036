// How long to wait before the next attempt. Pure, so that the rules can be read and tested.

/** BASE_MS is the first ceiling when the server named none. */
export const BASE_MS = 1_000;
/** CAP_MS bounds the ceiling: who watches an outage wants to see its end. */
export const CAP_MS = 30_000;
/** MAX_HINT_MS bounds what a server may ask for: a mistyped Retry-After must not end a session. */
export const MAX_HINT_MS = 10 * 60_000;

/** delay returns the milliseconds to wait before attempt n; 0 is the first after a failure.
 *
 * retry is the stream's last `retry:`, random per connection already, so the first attempt takes
 * it as it stands. Later ones use full jitter under a ceiling that doubles, so that a crowd
 * spreads instead of marching. least is a Retry-After or a bye's retry_ms: never sooner, and a
 * tenth on top at random, since a floor alone would bring everybody back at the same moment. */
export function delay(n: number, retry: number, least: number, random: () => number): number {
  retry = clamp(retry);
  least = clamp(least);
  const ceiling = Math.min(CAP_MS, Math.max(BASE_MS, retry) * 2 ** Math.min(n, 16));
  const wait = !n && retry ? retry : random() * ceiling;
  return Math.round(wait < least ? least * (1 + random() / 10) : wait);
}

function clamp(ms: number): number {
  return ms > 0 ? Math.min(ms, MAX_HINT_MS) : 0; // NaN is not
}
