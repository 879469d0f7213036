// How long to wait before the next attempt. Pure, so that the rules can be read and tested.

/** BASE_MS is the first ceiling when the server named none. */
export const BASE_MS = 1_000;
/** CAP_MS bounds the ceiling: an operator who watches an outage wants to see its end. */
export const CAP_MS = 30_000;
/** MAX_HINT_MS bounds what a server may ask for; a mistyped Retry-After must not end a session. */
export const MAX_HINT_MS = 10 * 60_000;

/** Hints is what the server asked for; 0 or absent means nothing. */
export interface Hints {
  /** retry is the stream's last `retry:` field in milliseconds, already random per connection. */
  retry?: number;
  /** least is a Retry-After or a bye's retry_ms, in milliseconds: never come back sooner. */
  least?: number;
}

/** delay returns the milliseconds to wait before attempt n (0 is the first after a failure).
 * The first attempt after a stream that worked honours `retry:` as it stands. Later ones use full
 * jitter under a ceiling that doubles, so that a crowd of tabs spreads instead of marching. */
export function delay(n: number, hints: Hints, random: () => number): number {
  const retry = clamp(hints.retry ?? 0);
  const least = clamp(hints.least ?? 0);
  const ceiling = Math.min(CAP_MS, Math.max(BASE_MS, retry) * 2 ** Math.min(n, 16));
  const wait = n === 0 && retry > 0 ? retry : random() * ceiling;
  // A floor alone would bring everybody back at the same moment; hence a tenth on top.
  return Math.round(wait < least ? least * (1 + random() / 10) : wait);
}

/** retryAfter reads the header of that name: seconds or a date. It returns milliseconds, 0 for
 * an absent or unreadable one. */
export function retryAfter(header: string | null, now: number): number {
  if (header === null) return 0;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

function clamp(ms: number): number {
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_HINT_MS) : 0;
}
