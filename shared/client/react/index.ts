"use client";
// Hooks for React 18 and newer. They hold no state of their own beside lists of events: the client
// is the truth, and React reads it as it reads any external store.

import { createContext, createElement, useContext, useEffect, useMemo, useRef, useSyncExternalStore, type ReactElement, type ReactNode } from "react";
import type { AnyMessage, Client, EventMap, Message, Off, Status, Topic, TypeOf } from "@tidings/client";
import { EMPTY, NO_WISHES, notifications, preferences, select, type Entry, type Inbox, type Notifications, type PreferencesStore, type Selection, type Wishes } from "@tidings/client/inbox";

/** KEEP is how many events a list holds unless told otherwise. */
export const KEEP = 100;
/** FRAME_MS is the least time between two renderings of a list: a screen shows no more, however
 * many events come. */
const FRAME_MS = 16;

/** Register tells all hooks of a program its events, so that none of them has to be told:
 *
 *     declare module "@tidings/client/react" { interface Register { events: Events } }
 */
export interface Register {}

/** RegisteredEvents are those of Register, or any at all. */
export type RegisteredEvents = Register extends { events: infer E extends EventMap } ? E : Record<string, any>;

/** Connection is what useConnection returns. */
export interface Connection {
  readonly status: Status;
  /** retryNow ends a wait, or asks again after a denial. */
  readonly retryNow: () => void;
}

/** EventsOptions say how much useEvents remembers. */
export interface EventsOptions {
  /** keep is how many of the newest events the list holds: at least 1, KEEP if left out. A list
   * that may keep more than before goes on, and does not begin anew. */
  keep?: number | undefined;
}

/** NotificationsOptions say which items a component shows. Unread and unseen are those of all. */
export interface NotificationsOptions extends Selection {
  /** onNew is called for each item that is news, such as for a toast. */
  onNew?: ((entry: Entry) => void) | undefined;
}

/** NotificationsResult is what useNotifications returns. */
export interface NotificationsResult extends Inbox {
  /** inbox has the commands: read, archive, undo and so on. It is one for all components. */
  readonly inbox: Notifications;
}

/** PreferencesResult is what usePreferences returns. */
export interface PreferencesResult extends Wishes {
  readonly patch: PreferencesStore["patch"];
  readonly reload: () => void;
}

const IDLE: Status = { state: "idle" };
const idle = () => IDLE;
const NONE: readonly Message<any>[] = [];
const none = () => NONE;
const empty = () => EMPTY;
const noWishes = () => NO_WISHES;
const Context = createContext<Client<any> | undefined>(undefined);
// The stores go with their client, so all components have the same and none outlives it.
const inboxes = new WeakMap<Client<any>, Notifications>();
const wishes = new WeakMap<Client<any>, PreferencesStore>();

/** RealtimeProvider gives a client to the hooks below it. The client is made outside of components,
 * once: it opens no connection before something listens, and none on a server. It is not closed
 * with the provider; a connection of which nothing is left to hear ends by itself. */
export function RealtimeProvider(props: { client: Client<any>; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: props.client }, props.children);
}

/** useRealtime returns the client of the provider above. */
export function useRealtime<E extends EventMap = RegisteredEvents>(): Client<E> {
  return provided(useContext(Context));
}

function provided(client: Client<any> | undefined): Client<any> {
  if (!client) throw new Error("There is no <RealtimeProvider client={…}> above this component.");
  return client;
}

/** useStatus returns what the connection is doing; on a server, idle. */
export function useStatus(): Status {
  const { status } = useRealtime();
  return useSyncExternalStore(status.subscribe, status.get, idle);
}

/** useConnection returns the status and what a person may do about it. */
export function useConnection(): Connection {
  const { retryNow } = useRealtime();
  const status = useStatus();
  return useMemo(() => ({ status, retryNow }), [status, retryNow]);
}

/** useEvents returns the newest events of a type, or of any with "*", the newest last. It hears
 * them from its component's mounting to its end. topic is one of the client's, or its name on the
 * wire, such as "room.ops"; undefined hears nothing, for a component that does not know yet. With
 * another topic or type the list begins anew. */
export function useEvents<E extends EventMap = RegisteredEvents>(topic: Topic<E> | string | undefined, type: "*", options?: EventsOptions): readonly AnyMessage<E>[];
export function useEvents<K extends TypeOf<E>, E extends EventMap = RegisteredEvents>(topic: Topic<E> | string | undefined, type: K, options?: EventsOptions): readonly Message<E[K], K>[];
export function useEvents(topic: Topic<any> | string | undefined, type: string, { keep = KEEP }: EventsOptions = {}): readonly any[] {
  const client = useContext(Context);
  const heard = typeof topic === "string" ? provided(client).topic(topic) : topic;
  const list = useMemo(() => listOf(heard, type), [heard, type]);
  list.keep = Math.max(1, keep);
  return useSyncExternalStore(list.subscribe, list.get, none);
}

/** of returns a client's store, and makes it if there is none. */
function of<T>(stores: WeakMap<Client<any>, T>, client: Client<any>, make: (client: Client<any>) => T): T {
  if (!stores.has(client)) stores.set(client, make(client));
  return stores.get(client)!;
}

/** useNotifications returns the user's notifications. All components share one store, which reads
 * when the first of them is mounted. On a server it is empty and loading. */
export function useNotifications({ category, filter, onNew }: NotificationsOptions = {}): NotificationsResult {
  const inbox = of(inboxes, useRealtime(), notifications);
  const all = useSyncExternalStore(inbox.subscribe, inbox.get, empty);
  const heard = useRef(onNew);
  useEffect(() => {
    heard.current = onNew;
  });
  const hears = !!onNew;
  useEffect(() => (hears ? inbox.onNew((entry) => heard.current?.(entry)) : undefined), [inbox, hears]);
  const items = useMemo(() => select(all.items, { category, filter }), [all.items, category, filter]);
  return useMemo(() => ({ ...all, items, inbox }), [all, items, inbox]);
}

/** usePreferences returns what the user wants to be told, and how. */
export function usePreferences(): PreferencesResult {
  const store = of(wishes, useRealtime(), preferences);
  const all = useSyncExternalStore(store.subscribe, store.get, noWishes);
  return useMemo(() => ({ ...all, patch: store.patch, reload: store.reload }), [all, store]);
}

/** listOf makes the list of one useEvents, as a store for React. */
function listOf(topic: Topic<any> | undefined, type: string) {
  let messages = NONE;
  const list = {
    keep: KEEP,
    get: () => messages,
    subscribe(changed: () => void): Off {
      let coming: Message[] = [];
      let timer: ReturnType<typeof setTimeout> | undefined;
      const show = () => {
        timer = undefined;
        if (!coming.length) return;
        messages = [...messages, ...coming].slice(-list.keep);
        coming = [];
        timer = setTimeout(show, FRAME_MS);
        changed();
      };
      // What came while nobody listened is not in the list, and a list has no holes.
      messages = NONE;
      const off = topic?.on(type as "*", (...args: any[]) => {
        // In a hidden tab the timer comes late.
        if (coming.push(args.at(-1)) > 2 * list.keep) coming = coming.slice(-list.keep);
        if (timer === undefined) show();
      });
      return () => {
        clearTimeout(timer);
        off?.();
      };
    },
  };
  return list;
}
