// What an inbox is: items, a state, and what follows from them at a moment. All of it is pure.
// Unread and unseen are derived, never counted up and down, so they cannot drift.

/** Action is one button of an item. */
export interface Action {
  id: string;
  label: string;
  /** url is whatever the sender wrote: check it before it becomes a link. */
  url?: string;
}

/** Item is one notification, the data of an event "inbox.item". */
export interface Item {
  /** n orders the items of a person. */
  n: number;
  /** id is the notification's. A person has at most one item of it. */
  id: string;
  /** at is when the notification was made, RFC 3339. */
  at: string;
  category?: string;
  severity?: "low" | "normal" | "high" | "critical";
  title?: string;
  body?: string;
  actions?: Action[];
  /** data is the application's own. */
  data?: unknown;
  /** collapse names a group of items of which only the latest shows. */
  collapse?: string;
  /** expires is when it stops to show, RFC 3339. */
  expires?: string;
}

/** State is what a person did with their items, the data of an event "inbox.state": watermarks and
 * the exceptions to them. Of two states the one with the higher rev is the newer. */
export interface State {
  rev: number;
  seen_to: number;
  read_to: number;
  /** read are those above read_to that were read; unread those up to it that were not. */
  read: number[];
  unread: number[];
  archived: number[];
  snoozed: { n: number; until: string }[];
}

/** Entry is an item with what was done with it. */
export interface Entry extends Item {
  read: boolean;
  seen: boolean;
  archived: boolean;
  /** snoozed_until is when it wakes up, undefined if it is awake. */
  snoozed_until?: string | undefined;
}

/** View is an inbox at one moment. */
export interface View {
  /** items are all that have neither expired nor been replaced, the newest first: archived and
   * sleeping ones too. */
  items: readonly Entry[];
  /** unread counts those that are neither read nor archived nor asleep; unseen those of them that
   * came after the last that was seen. */
  unread: number;
  unseen: number;
}

/** Op is the body of POST /v1/inbox/state. Whatever is done with an item wakes it up, except for
 * putting it to sleep, which makes it unread and takes it out of the archive. */
export interface Op {
  read?: string[] | "all";
  unread?: string[];
  seen?: number;
  archived?: string[];
  unarchived?: string[];
  snoozed?: { id: string; until: string }[];
}

/** Filter selects by what was done: "inbox" is neither archived nor asleep. */
export type Filter = "inbox" | "unread" | "archived" | "snoozed" | "all";

/** Selection says which items to show. */
export interface Selection {
  category?: string | undefined;
  /** filter is "inbox" if left out. */
  filter?: Filter | undefined;
}

/** NEW is the state of who did nothing yet. */
export const NEW: State = { rev: 0, seen_to: 0, read_to: 0, read: [], unread: [], archived: [], snoozed: [] };

/** isUnread says whether an item counts. */
export const isUnread = (e: Entry): boolean => !e.read && !e.archived && !e.snoozed_until;

/** select returns the items that a list shows. */
export function select(items: readonly Entry[], { category, filter = "inbox" }: Selection = {}): readonly Entry[] {
  return items.filter((e) => (!category || e.category === category) && (
    filter === "all" ? true
    : filter === "unread" ? isUnread(e)
    : filter === "archived" ? e.archived
    : filter === "snoozed" ? e.snoozed_until
    : !e.archived && !e.snoozed_until));
}

/** gone says that an item has expired. */
export const gone = ({ expires }: Item, now: number): boolean => Date.parse(expires!) <= now; // NaN is not

/** fold derives a View of items, the newest first, and the moment at which the next item expires or
 * wakes up by itself. */
export function fold(items: readonly Item[], state: State, now: number): View & { next: number } {
  const [read, unread, archived] = [new Set(state.read), new Set(state.unread), new Set(state.archived)];
  const asleep = new Map(state.snoozed.map(({ n, until }) => [n, until]));
  const replaced = new Set<string>();
  const view = { items: [] as Entry[], unread: 0, unseen: 0, next: Infinity };
  const soon = (time: string | undefined) => (view.next = Math.min(view.next, Date.parse(time!) || Infinity));
  for (const item of items) {
    const { n, collapse } = item;
    if (collapse) {
      if (replaced.has(collapse)) continue;
      replaced.add(collapse);
    }
    if (gone(item, now)) continue;
    soon(item.expires);
    const e: Entry = { ...item, read: n <= state.read_to ? !unread.has(n) : read.has(n), seen: n <= state.seen_to, archived: archived.has(n), snoozed_until: undefined };
    const until = asleep.get(n);
    if (Date.parse(until!) > now) soon((e.snoozed_until = until));
    if (isUnread(e)) {
      view.unread++;
      if (!e.seen) view.unseen++;
    }
    view.items.push(e);
  }
  return view;
}

/** apply is what the server will make of a state, as far as these items are concerned. to is the
 * newest item that the person knew of. */
export function apply(state: State, op: Op, items: readonly Item[], to: number, now: number): State {
  const [read, unread, archived] = [new Set(state.read), new Set(state.unread), new Set(state.archived)];
  const asleep = new Map(state.snoozed.map(({ n, until }) => [n, until]));
  const numbers = new Map(items.map(({ id, n }) => [id, n]));
  const mark = (n: number, is: boolean) => {
    const [list, put] = n <= state.read_to ? [unread, !is] : [read, is];
    put ? list.add(n) : list.delete(n);
  };
  const each = (ids: string[] | undefined, fn: (n: number) => void) => {
    for (const id of ids ?? []) {
      const n = numbers.get(id);
      if (n === undefined) continue;
      asleep.delete(n);
      fn(n);
    }
  };
  if (op.read === "all") {
    for (const { n } of items) if (n <= to && !(Date.parse(asleep.get(n)!) > now)) mark(n, true);
  } else each(op.read, (n) => mark(n, true));
  each(op.unread, (n) => mark(n, false));
  each(op.archived, (n) => archived.add(n));
  each(op.unarchived, (n) => archived.delete(n));
  for (const { id, until } of op.snoozed ?? []) {
    each([id], (n) => {
      if (!(Date.parse(until) > now)) return; // it wakes up
      mark(n, false);
      archived.delete(n);
      asleep.set(n, until);
    });
  }
  return {
    ...state, seen_to: Math.max(state.seen_to, op.seen ?? 0), read: [...read], unread: [...unread], archived: [...archived],
    snoozed: [...asleep].map(([n, until]) => ({ n, until })),
  };
}

/** inverse returns what leads from one view back to another, undefined if they are the same. */
export function inverse(before: readonly Entry[], after: readonly Entry[]): Op | undefined {
  const entries = new Map(after.map((e) => [e.n, e]));
  const op: Required<Pick<Op, "unread" | "archived" | "unarchived" | "snoozed">> & { read: string[] } = { read: [], unread: [], archived: [], unarchived: [], snoozed: [] };
  for (const { n, id, read, archived, snoozed_until: until } of before) {
    const now = entries.get(n);
    if (!now || (now.read === read && now.archived === archived && now.snoozed_until === until)) continue;
    if (now.read !== read || (now.snoozed_until && !until)) op[read ? "read" : "unread"].push(id);
    if (now.archived !== archived) op[archived ? "archived" : "unarchived"].push(id);
    if (until) op.snoozed.push({ id, until });
  }
  const some = Object.entries(op).filter(([, list]) => list.length);
  return some.length ? Object.fromEntries(some) : undefined;
}
