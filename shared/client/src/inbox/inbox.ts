// The store of a person's notifications: it reads the inbox, follows the person's own topic, and
// shows what the person does before the server has said yes.

import type { Client } from "../client.ts";
import type { TidingsError } from "../fault.ts";
import { bell, cell, type Off, type Store } from "../store.ts";
import { CLOCK, type Clock } from "./clock.ts";
import { apply, fold, gone, inverse, isUnread, NEW, type Entry, type Item, type Op, type State, type View } from "./fold.ts";

/** MAX_ITEMS bounds the store; the server keeps no more of a person. */
export const MAX_ITEMS = 200;
/** PAGE and REST are how many items the first request asks for and those that follow: what a panel
 * shows comes first. */
const PAGE = 50, REST = 100;
/** READY_MS is how long the first reading waits for the stream. What is read then is read once;
 * without a stream it is read at once and again as soon as nothing can be missed any more. */
export const READY_MS = 1_000;
/** READ_MS is how long one reading goes on trying, and RETRY_MS when the next one begins. */
const READ_MS = 10_000;
export const RETRY_MS = 15_000;
/** SEND_MS is how long a change goes on trying before it is taken back. */
export const SEND_MS = 30_000;
/** FRESH_MS is how old an item may be to be news. */
export const FRESH_MS = 60_000;
/** LINGER_MS is how long the store outlives its last listener: pages swap their parts. */
export const LINGER_MS = 1_000;
/** TIMER_MS is the longest that a browser's timer waits. */
const TIMER_MS = 2 ** 31 - 1;

/** Inbox is what the store holds. */
export interface Inbox extends View {
  /** loading says that not everything was read yet. What is there may be shown. */
  loading: boolean;
  /** error is why it could not be read; it is tried again, unless it was refused for good. */
  error: TidingsError | undefined;
}

/** NotificationsOptions are those of notifications. */
export interface NotificationsOptions {
  /** onNew is called as Notifications.onNew does. It does not make the store begin. */
  onNew?: ((entry: Entry) => void) | undefined;
  /** clock is for tests. */
  clock?: Clock;
}

/** Notifications is a store of an inbox, and what a person may do with it. It begins with its first
 * listener. Each change shows at once, and is taken back if its promise is rejected, with a
 * TidingsError; a rejection that nobody listens to does no harm. Ids are those of items. */
export interface Notifications extends Store<Inbox> {
  /** onNew calls fn for each item that is unread, was not known before and is younger than a
   * minute: not for what came while the device was away. It makes the store begin. */
  onNew(fn: (entry: Entry) => void): Off;
  read(ids: string | readonly string[]): Promise<void>;
  unread(ids: string | readonly string[]): Promise<void>;
  /** seen says that the person has seen all that there is: nothing is unseen. */
  seen(): Promise<void>;
  archive(ids: string | readonly string[]): Promise<void>;
  unarchive(ids: string | readonly string[]): Promise<void>;
  /** snooze puts an item to sleep until then. */
  snooze(id: string, until: Date | string | number): Promise<void>;
  /** undo takes the last change back, once; of read("all") exactly what was unread before. */
  undo(): Promise<void>;
  /** reload reads everything again. */
  reload(): void;
}

/** EMPTY is what a store holds before it has read anything. */
export const EMPTY: Inbox = { items: [], unread: 0, unseen: 0, loading: true, error: undefined };

/** notifications makes the store of a client's user. */
export function notifications(client: Client<any>, options: NotificationsOptions = {}): Notifications {
  const { user, hub } = client;
  const { onNew, clock = CLOCK } = options;
  const inbox = cell(EMPTY);
  const news = bell<[Entry]>();
  const { api, ready } = hub;
  let items = new Map<number, Item>();
  let state = NEW; // the newest that the server told
  let pending: { op: Op; to: number }[] = []; // what it has not answered yet, in order
  let queue: Promise<unknown> = Promise.resolve();
  let last: { change: object; back: Op } | undefined; // what undo takes back
  let holders = 0;
  let end: Off | undefined; // of following
  let linger: Off = () => {};
  let timer: Off = () => {}; // until something expires or wakes up
  let retry: Off = () => {};
  let run = 0; // names the reading; what belongs to an older one is void
  let heard = new Set<number>(); // items that came while it went on
  let forget = false; // another log: what was known before is void
  let first = true; // nothing was read yet
  let loading = true;
  let error: TidingsError | undefined;

  const newest = () => Math.max(0, ...items.keys());

  /** show derives all anew. */
  const show = () => {
    const now = clock.now();
    const list = [...items.values()].filter((i) => i.collapse || !gone(i, now)).sort((a, b) => b.n - a.n).slice(0, MAX_ITEMS);
    items = new Map(list.map((i) => [i.n, i]));
    const { next, ...view } = fold(list, pending.reduce((s, { op, to }) => apply(s, op, list, to, now), state), now);
    timer();
    if (end && next < Infinity) timer = clock.later(show, Math.min(next - now, TIMER_MS));
    inbox.set({ ...view, loading, error });
  };

  const take = (s: State | undefined) => {
    if (s && s.rev > state.rev) state = { ...NEW, ...s };
  };

  /** tell rings for those items that are news. */
  const tell = (numbers: number[]) => {
    for (const e of inbox.get().items) {
      if (numbers.includes(e.n) && isUnread(e) && clock.now() - Date.parse(e.at) < FRESH_MS) news.ring(e);
    }
  };

  // ---- Reading ----

  const read = async () => {
    const mine = ++run;
    retry();
    heard = new Set();
    loading = true;
    try {
      for (let before: number | undefined; ; ) {
        const query = new URLSearchParams({ filter: "all", limit: "" + (before ? REST : PAGE) });
        if (before) query.set("before", "" + before);
        const page = await api.call("/v1/inbox?" + query, undefined, READ_MS);
        if (mine !== run) return;
        const fresh = merge(page.items, page.state, before, page.next);
        before = page.next;
        if (!before || items.size >= MAX_ITEMS) loading = false;
        error = undefined;
        show();
        if (!first) tell(fresh);
        if (!loading) break;
      }
      first = false;
    } catch (e) {
      if (mine !== run) return;
      error = e as TidingsError;
      loading = false;
      if (end && !/^4(?!08|29)/.test("" + error.status)) retry = clock.later(read, RETRY_MS);
      show();
    }
  };

  /** merge takes a page: all that the server has from next up to before, or up to its newest. What
   * came by an event meanwhile is newer than the page. It returns the numbers that were unknown. */
  const merge = (page: Item[], s: State, before: number | undefined, next = 0): number[] => {
    const fresh = page.map(({ n }) => n).filter((n) => !items.has(n));
    const end = before ?? (page[0]?.n ?? Infinity) + 1;
    for (const n of items.keys()) if ((forget || (n >= next && n < end)) && !heard.has(n)) items.delete(n);
    for (const item of page) items.set(item.n, item);
    if (forget) state = NEW;
    forget = false;
    take(s);
    return fresh;
  };

  // ---- Following ----

  /** follow begins: it listens first and reads then, so that nothing falls in between. */
  const follow = () => {
    const own = user();
    let sure = false; // what comes from now on is heard
    let early = clock.later(read, READY_MS);
    const offs = [
      own.on("inbox.item", (item: Item) => {
        const n = item?.n;
        if (!Number.isSafeInteger(n) || typeof item.id !== "string") return;
        heard.add(n);
        if (items.has(n)) return;
        items.set(n, item);
        show();
        tell([n]);
      }),
      own.on("inbox.state", (s: State) => {
        if (!(s?.rev > state.rev)) return;
        take(s);
        show();
      }),
      own.onGap(({ reason }) => {
        forget ||= reason !== "dropped";
        read();
      }),
      ready.subscribe((topics) => {
        if (sure || !topics.includes(own.pattern)) return;
        sure = true;
        early();
        read();
      }),
    ];
    return () => {
      for (const off of [...offs, early, retry, timer]) off();
      run++;
      end = undefined;
    };
  };

  /** hold keeps the store going until its Off. */
  const hold = (off: Off): Off => {
    let held = true;
    linger();
    holders++;
    end ??= follow();
    return () => {
      if (!held) return;
      off();
      held = false;
      if (!--holders) linger = clock.later(() => end!(), LINGER_MS);
    };
  };

  // ---- Changing ----

  const change = (op: Op, undoable = true): Promise<void> => {
    const before = inbox.get().items;
    const mine = { op, to: newest() };
    pending.push(mine);
    show();
    if (undoable) {
      const back = inverse(before, inbox.get().items);
      last = back && { change: mine, back };
    }
    // One after the other, for the last word is to be the person's last.
    const sent = queue.then(() => api.call("/v1/inbox/state", op, SEND_MS)).then(({ state }) => take(state), (e) => {
      if (last?.change === mine) last = undefined;
      throw e;
    }).finally(() => {
      pending = pending.filter((p) => p !== mine);
      show();
    });
    queue = sent.catch(() => {});
    return sent;
  };
  const nothing = Promise.resolve();
  const some = (ids: string | readonly string[], op: (ids: string[]) => Op) => (ids.length ? change(op([ids].flat() as string[])) : nothing);

  if (onNew) news.add(onNew);
  return {
    get: inbox.get,
    subscribe: (fn) => hold(inbox.subscribe(fn)),
    onNew: (fn) => hold(news.add(fn)),
    read: (ids) => some(ids, (read) => ({ read: ids === "all" ? "all" : read })),
    unread: (ids) => some(ids, (unread) => ({ unread })),
    seen() {
      const seen = newest();
      return inbox.get().items.some((e) => !e.seen) ? change({ seen }, false) : nothing;
    },
    archive: (ids) => some(ids, (archived) => ({ archived })),
    unarchive: (ids) => some(ids, (unarchived) => ({ unarchived })),
    // Whole seconds, and never too early, as the server does.
    snooze: (id, until) => change({ snoozed: [{ id, until: new Date(Math.ceil(+new Date(until) / 1_000) * 1_000).toISOString() }] }),
    undo() {
      const back = last?.back;
      last = undefined;
      return back ? change(back, false) : nothing;
    },
    reload: () => void read(),
  };
}
