"use client";
// Hooks for React 18 and newer. They hold no state of their own beside lists of events: the client
// is the truth, and React reads it as it reads any external store.

import { createContext, createElement, useContext, useMemo, useSyncExternalStore, type ReactElement, type ReactNode } from "react";
import type { AnyMessage, Client, EventMap, Message, Off, Status, Topic, TypeOf } from "@tidings/client";

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

const IDLE: Status = { state: "idle" };
const idle = () => IDLE;
const NONE: readonly Message<any>[] = [];
const none = () => NONE;
const Context = createContext<Client<any> | undefined>(undefined);

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
