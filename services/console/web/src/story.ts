// What became of a notification, in shapes and words.

import type { Tone } from "./state.tsx";

/** Delivery is what a notification came to for one person on one channel. */
export interface Delivery {
  user: string;
  channel: string;
  state: string;
  reason?: string;
  why?: string;
  at?: string;
  digest?: string;
  key?: string;
  attempts?: number;
  error?: string;
  detail?: string;
  changed?: string;
}

/** Step is something that happened. */
export interface Step {
  at: string;
  what: string;
  user?: string;
  channel?: string;
  attempt?: number;
  reason?: string;
  detail?: string;
  next?: string;
}

/** Timeline is the answer of GET /v1/notifications/:id. */
export interface Timeline {
  id: string;
  at: string;
  from?: string;
  of?: string;
  category: string;
  severity: string;
  title?: string;
  template?: string;
  to: string[];
  due?: string;
  repeats?: boolean;
  canceled?: boolean;
  deliveries: Delivery[];
  steps: Step[];
  more?: boolean;
}

/** Look is a tone and the words for it. */
export type Look = readonly [tone: Tone, words: string];

const LOOKS: Record<string, Look> = {
  requested: ["good", "Requested"], routed: ["good", "Routed"], pending: ["busy", "Pending"], held: ["warn", "Held"], digest: ["busy", "In a digest"],
  dropped: ["off", "Not used"], queued: ["busy", "Queued"], sending: ["busy", "Sending"], retry: ["warn", "Retrying"], sent: ["good", "Sent"],
  delivered: ["good", "Delivered"], dead: ["bad", "Dead"], expired: ["off", "Expired"], bounced: ["bad", "Bounced"], complained: ["bad", "Complained"],
  unsubscribed: ["off", "Unsubscribed"], canceled: ["off", "Canceled"], failed: ["bad", "Failed"], snoozed: ["busy", "Snoozed"],
};

/** look is how a state, or what happened, is shown; words that are not known are shown as they are. */
export function look(what: string): Look {
  return LOOKS[what] ?? ["off", what ? what[0]!.toUpperCase() + what.slice(1).replaceAll("_", " ") : "–"];
}

/** RANK puts first what an operator should know first. */
const RANK = ["dead", "bounced", "complained", "failed", "retry", "held", "sending", "queued", "pending", "digest", "expired"];
/** MOVING are the states that something follows on. */
const MOVING = new Set(["retry", "held", "sending", "queued", "pending", "digest"]);
/** NAMES are states as parts of a sentence. */
const NAMES: Record<string, string> = { retry: "retrying", digest: "in a digest" };

/** Summary is a timeline in a word; last says that nothing more is to come by itself. */
export interface Summary {
  look: Look;
  last: boolean;
}

/** summarize says what a notification has come to, the worst first. */
export function summarize(t: Pick<Timeline, "deliveries" | "due" | "repeats" | "canceled">, now: number): Summary {
  const used = t.deliveries.filter((d) => d.state !== "dropped");
  const last = !used.some((d) => MOVING.has(d.state));
  for (const state of RANK) {
    const n = used.filter((d) => d.state === state).length;
    if (n > 0) return { look: [look(state)[0], used.length > 1 ? `${n} ${NAMES[state] ?? state}` : look(state)[1]], last };
  }
  if (t.canceled) return { look: look("canceled"), last: true };
  if (used.length > 0) return { look: ["good", used.length === 1 ? look(used[0]!.state)[1] : `${used.length} delivered`], last };
  if (t.repeats) return { look: ["busy", "Repeats"], last: false };
  if (t.due && Date.parse(t.due) > now) return { look: ["busy", "Planned"], last: false };
  if (t.deliveries.length > 0) return { look: ["off", "Nobody"], last: true };
  return { look: ["busy", "Accepted"], last: false };
}

/** canCancel says that something of it has not begun. */
export function canCancel(t: Timeline, now: number): boolean {
  if (t.canceled) return false;
  return t.repeats === true || (t.due !== undefined && Date.parse(t.due) > now) || t.deliveries.some((d) => d.state === "held" || d.state === "digest");
}

/** USING are the reasons of a channel that is used, now or later. */
const USING = new Set(["default", "channel_on", "category_channel_on", "critical", "scheduled", "quiet_hours", "digest", "throttled"]);

/** Choice is which channels were chosen, or not, for one reason. */
export interface Choice {
  channels: string[];
  used: boolean;
  why: string;
}

/** Moment is a step, or the decisions about one person, which were made at once. */
export interface Moment extends Step {
  choices?: Choice[];
  /** users are those about whom the same was decided. */
  users?: string[];
}

/** fold joins the decisions about a person, and those that are the same about many: five lines of one
 * moment tell less than one. */
export function fold(steps: readonly Step[]): Moment[] {
  const out: Moment[] = [];
  for (const s of steps) {
    const before = out.at(-1);
    if (s.what !== "routed" || !s.channel) {
      out.push(s);
      continue;
    }
    const why = s.detail ?? s.reason ?? "";
    const used = USING.has(s.reason ?? "");
    if (before?.choices && before.user === s.user && before.at === s.at) {
      const same = before.choices.find((c) => c.why === why && c.used === used);
      if (same) same.channels.push(s.channel);
      else before.choices.push({ channels: [s.channel], used, why });
    } else {
      const { channel: _, detail: __, reason: ___, ...rest } = s;
      out.push({ ...rest, choices: [{ channels: [s.channel], used, why }] });
    }
  }
  // What is used stands before what is not.
  for (const m of out) m.choices?.sort((a, b) => Number(b.used) - Number(a.used));
  return together(out);
}

/** together joins neighbours about whom the same was decided. */
function together(list: readonly Moment[]): Moment[] {
  const out: Moment[] = [];
  for (const m of list) {
    const before = out.at(-1);
    if (m.choices && before?.users && JSON.stringify(before.choices) === JSON.stringify(m.choices)) {
      before.users.push(m.user ?? "");
    } else if (m.choices) {
      const { user, ...rest } = m;
      out.push({ ...rest, users: [user ?? ""] });
    } else out.push(m);
  }
  return out;
}

/** Table is the deliveries as a matrix. */
export interface Table {
  channels: string[];
  people: { user: string; cells: (Delivery | undefined)[] }[];
}

const CHANNELS = ["inbox", "mail", "push", "sms", "hook"];

/** table makes a matrix of deliveries, people in the order they were decided about. */
export function table(deliveries: readonly Delivery[]): Table {
  const seen = new Set(deliveries.map((d) => d.channel));
  const channels = [...CHANNELS.filter((c) => seen.has(c)), ...[...seen].filter((c) => !CHANNELS.includes(c)).sort()];
  const people = new Map<string, (Delivery | undefined)[]>();
  for (const d of deliveries) {
    const cells = people.get(d.user) ?? channels.map(() => undefined);
    cells[channels.indexOf(d.channel)] = d;
    people.set(d.user, cells);
  }
  return { channels, people: [...people].map(([user, cells]) => ({ user, cells })) };
}

/** FROM says how a notification came. */
export const FROM: Record<string, string> = { http: "over HTTP", nats: "over NATS", repeat: "as one of a series", digest: "as a digest" };

/** recipients reads a typed list: ids of people, and topics, which begin with "room.". */
export function recipients(text: string): (string | { topic: string })[] {
  const names = [...new Set(text.split(/[\s,]+/).filter(Boolean))];
  return names.map((n) => (/^(room\.|topic:)/.test(n) ? { topic: n.replace(/^topic:/, "") } : n));
}

/** merge puts the newest page before what was known: what the page leaves out although it lies in
 * its range is gone. Lists are ordered newest first; older compares two of them. */
export function merge<T>(old: readonly T[], page: readonly T[], more: boolean, key: (row: T) => string, older: (row: T, than: T) => boolean): T[] {
  const last = page.at(-1);
  if (!more || !last) return [...page];
  const known = new Set(page.map(key));
  return [...page, ...old.filter((row) => !known.has(key(row)) && older(row, last))];
}
