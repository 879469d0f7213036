// How a status looks and what it says: shape, colour and words, each enough by itself.

import type { Status } from "@tidings/client";

/** Labels are the words of the element. "{s}" is the number of seconds left; without any, waiting
 * becomes retrying. */
export interface Labels {
  idle: string;
  connecting: string;
  "catching-up": string;
  live: string;
  waiting: string;
  retrying: string;
  offline: string;
  denied: string;
  retry: string;
}

/** ENGLISH are the words if no others are set. */
export const ENGLISH: Readonly<Labels> = {
  idle: "Not connected",
  connecting: "Connecting",
  "catching-up": "Catching up",
  live: "Live",
  waiting: "Reconnecting in {s} s",
  retrying: "Reconnecting",
  offline: "Offline",
  denied: "Denied",
  retry: "Retry now",
};

/** DISC is a full circle; the other shapes of circles are it with holes. */
const DISC = "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z";
const HALF = DISC + "m0 1.6v8.8a4.4 4.4 0 0 0 0-8.8z";
const BAR = "M3 7h10v2H3z";
const RING = DISC + "m0 1.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4z";
const WARNING = "M8 1.5 15.2 14H.8zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z";
const CROSS = "m3.9 2.6 4.1 4.1 4.1-4.1 1.3 1.3L9.3 8l4.1 4.1-1.3 1.3L8 9.3l-4.1 4.1-1.3-1.3L6.7 8 2.6 3.9z";

/** SHAPES are the paths of a picture of 16 by 16, to be filled by the rule "evenodd". */
export const SHAPES: Readonly<Record<Status["state"], string>> = {
  idle: BAR,
  connecting: HALF,
  "catching-up": HALF,
  live: DISC,
  waiting: RING,
  offline: WARNING,
  denied: CROSS,
};

/** secondsLeft is how long a wait goes on, 0 if there is none. */
export function secondsLeft(status: Status, now: number): number {
  return status.state === "waiting" ? Math.max(0, Math.ceil((status.retryAt - now) / 1_000)) : 0;
}

/** label says the status with the seconds of now. */
export function label(status: Status, labels: Labels, now: number): string {
  if (status.state !== "waiting") return labels[status.state];
  const left = secondsLeft(status, now);
  return left ? labels.waiting.replace("{s}", String(left)) : labels.retrying;
}

/** announcement says it without numbers, which would be another sentence every second, and says
 * why if a person has to do something. */
export function announcement(status: Status, labels: Labels): string {
  if (status.state === "denied") return `${labels.denied}. ${status.reason}`;
  return status.state === "waiting" ? labels.retrying : labels[status.state];
}

/** isNews says whether a state is worth an announcement after the one that was announced last.
 * Nobody waits while the client is idle, and attempts and waits in turn are one trouble. */
export function isNews(state: Status["state"], spoken: Status["state"]): boolean {
  const trying = (s: Status["state"]) => s === "waiting" || s === "connecting";
  return state !== "idle" && state !== spoken && !(trying(state) && trying(spoken));
}

/** CSS is the element's own style. Pages change it from outside: by the custom properties, by
 * ::part(pill), ::part(shape), ::part(label), ::part(retry), by ::part(live) and the other states,
 * and by color-scheme, which is the page's or the system's choice. The pairs of text and ground
 * have a contrast of 4.5 or more, in light and in dark. */
export const CSS = `
:host { display: inline-block; color-scheme: light dark; font: 500 14px/20px system-ui, sans-serif; max-width: 100%; vertical-align: middle; }
:host([hidden]) { display: none; }
.pill { display: inline-flex; align-items: center; gap: 7px; box-sizing: border-box; max-width: 100%; min-height: 32px; padding: 2px 12px 2px 9px; border-radius: 16px;
  color: var(--tidings-color, var(--text)); background: var(--tidings-background, var(--ground)); font-variant-numeric: tabular-nums; }
.idle { --text: light-dark(oklch(0.45 0.022 264), oklch(0.8 0.015 268)); --ground: light-dark(oklch(0.955 0.006 264), oklch(0.27 0.016 268)); }
.connecting, .catching-up { --text: light-dark(oklch(0.47 0.2 266), oklch(0.79 0.11 268)); --ground: light-dark(oklch(0.955 0.025 266), oklch(0.28 0.06 268)); }
.live { --text: light-dark(oklch(0.46 0.12 155), oklch(0.81 0.15 158)); --ground: light-dark(oklch(0.955 0.04 155), oklch(0.27 0.045 158)); }
.waiting { --text: light-dark(oklch(0.48 0.11 65), oklch(0.83 0.13 80)); --ground: light-dark(oklch(0.965 0.045 85), oklch(0.28 0.045 75)); }
.offline, .denied { --text: light-dark(oklch(0.49 0.19 25), oklch(0.79 0.12 22)); --ground: light-dark(oklch(0.963 0.022 20), oklch(0.28 0.06 20)); }
.shape { flex: none; width: 14px; height: 14px; fill: currentColor; fill-rule: evenodd; }
.label { min-width: 0; overflow-wrap: anywhere; }
.retry { flex: none; margin: 0 -7px 0 1px; padding: 0 10px; min-height: 24px; border: 1px solid currentColor; border-radius: 12px; background: none; color: inherit; font: inherit; font-size: 13px; line-height: 18px; cursor: pointer; }
.retry:hover { background: var(--tidings-color, var(--text)); color: var(--tidings-background, var(--ground)); }
.pill:focus-visible, .retry:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.retry[hidden] { display: none; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) {
  .connecting .shape, .catching-up .shape { animation: turn 1.6s linear infinite; }
  @keyframes turn { to { transform: rotate(1turn); } }
}
@media (pointer: coarse) { .pill { min-height: 44px; border-radius: 22px; } .retry { min-height: 36px; border-radius: 18px; } }
@media (forced-colors: active) { .pill { border: 1px solid; } }
`;
