// Moments, as short as they may be.

import { clock } from "./format.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** moment is a time of today as the time of day, and any other with its day. */
export function moment(at: string | number | undefined, now = Date.now()): string {
  const ms = typeof at === "number" ? at : Date.parse(at ?? "");
  if (!Number.isFinite(ms)) return "–";
  const d = new Date(ms);
  if (d.toDateString() === new Date(now).toDateString()) return clock(ms);
  const day = `${d.getDate()} ${MONTHS[d.getMonth()]!}`;
  return d.getFullYear() === new Date(now).getFullYear() ? `${day}, ${clock(ms).slice(0, 5)}` : `${day} ${d.getFullYear()}`;
}

/** after is a short duration between two moments: "+3 ms", "+1.2 s", "+4 min 2 s". */
export function after(ms: number): string {
  if (ms < 0) return "";
  if (ms < 1_000) return `+${Math.round(ms)} ms`;
  if (ms < 60_000) return `+${(ms / 1_000).toFixed(1)} s`;
  const s = Math.round(ms / 1_000);
  if (s < 3_600) return `+${Math.floor(s / 60)} min ${s % 60} s`;
  return s < 86_400 ? `+${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min` : `+${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}
