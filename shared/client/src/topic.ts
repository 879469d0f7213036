// A topic is where events are heard and published. It costs nothing until somebody listens.

import type { Api } from "./api.ts";
import type { TidingsError } from "./fault.ts";
import type { EventsOptions } from "./iterate.ts";
import type { Message } from "./message.ts";
import { bell, type Bell, type Off, type Store } from "./store.ts";
import { more } from "./ways.ts";
import type { Gap, Page } from "./wire.ts";

/** EventMap names the types of events and their data; any interface will do. */
export type EventMap = object;
/** TypeOf is a type of event. */
export type TypeOf<E> = keyof E & string;
/** AnyMessage is a message of any type of E; its type tells which data it has. */
export type AnyMessage<E> = { [K in TypeOf<E>]: Message<E[K], K> }[TypeOf<E>];

/** PublishOptions say how to publish. */
export interface PublishOptions {
  /** key makes publishing idempotent: it becomes the event's id, and the server stores an event of
   * the same topic, user and key once. Without one a random key covers our own repetitions. */
  key?: string;
  /** ephemeral events reach who is connected now and are not stored: cursors, typing. */
  ephemeral?: boolean;
  /** exceptSelf keeps the event from this tab's own listeners. */
  exceptSelf?: boolean;
  /** timeout bounds the repetitions in milliseconds, 30,000 if left out. */
  timeout?: number;
  signal?: AbortSignal;
}

/** HistoryOptions say which page of history to read. */
export interface HistoryOptions {
  /** after is the cursor before the first event; without it the page begins at the oldest. */
  after?: string | undefined;
  /** limit is how many events the page holds at most, 100 if left out. */
  limit?: number;
  signal?: AbortSignal | undefined;
}

/** Published is the server's answer. */
export interface Published {
  /** id is the event's. */
  id: string;
  /** cursor is where it is in the log, undefined for an ephemeral event. */
  cursor: string | undefined;
  /** duplicate says that it was there already. */
  duplicate: boolean;
}

/** Topic is one topic or pattern. */
export interface Topic<E extends EventMap> {
  /** pattern is the name on the wire; "user" is the reader's own topic. */
  readonly pattern: string;
  /** on calls fn for each event of a type, or of any with "*", until Off. The first listener
   * subscribes, and the last one's Off unsubscribes. */
  on(type: "*", fn: (message: AnyMessage<E>) => void): Off;
  on<K extends TypeOf<E>>(type: K, fn: (data: E[K], message: Message<E[K], K>) => void): Off;
  /** onGap calls fn when history of this topic is gone for good. It does not subscribe. */
  onGap(fn: (gap: Gap) => void): Off;
  /** onError calls fn when the server refuses this topic. Other topics are not concerned. Without
   * a listener the console is told. */
  onError(fn: (error: TidingsError) => void): Off;
  /** publish returns once the server has stored the event. It is sent again while the network or
   * the server fails, and stored once. It throws TidingsError. */
  publish<K extends TypeOf<E>>(type: K, data: E[K], options?: PublishOptions): Promise<Published>;
  /** events iterates over the events of a type, or of any with "*". It begins with the first call
   * of next: after the cursor since, from the log, or else now. A reader that is slower than the
   * events reads from the log what its buffer could not hold. */
  events(type: "*", options?: EventsOptions): AsyncIterableIterator<AnyMessage<E>>;
  events<K extends TypeOf<E>>(type: K, options?: EventsOptions): AsyncIterableIterator<Message<E[K], K>>;
  /** history reads a page of the log. It asks again until the server answers. */
  history(options?: HistoryOptions): Promise<Page>;
}

/** Hub is what a topic needs of its client. */
export interface Hub {
  api: Api;
  /** sync is told when a topic's listeners may have come or gone. */
  sync(): void;
  /** ready lists the topics of which nothing is missed from now on. */
  ready: Store<string[]>;
  publish(topic: string, type: string, data: unknown, options?: PublishOptions): Promise<Published>;
}

/** Ears is the side of a topic that the client calls. */
export interface Ears {
  topic: Topic<any>;
  /** wanted says whether anybody listens. */
  wanted(): boolean;
  emit(m: Message): void;
  gap(gap: Gap): unknown;
  refused(error: TidingsError): void;
}

/** topicOf makes a topic. */
export function topicOf(pattern: string, hub: Hub): Ears {
  const types = new Map<string, Bell<any[]>>();
  const gaps = bell<[Gap]>();
  const errors = bell<[TidingsError]>();
  const topic: Topic<any> = {
    pattern,
    on(type: string, fn: (...args: any[]) => void) {
      if (!types.has(type)) types.set(type, bell());
      const off = types.get(type)!.add(fn);
      hub.sync();
      return () => {
        off();
        hub.sync();
      };
    },
    onGap: gaps.add,
    onError: errors.add,
    publish: (type, data, options) => hub.publish(pattern, type, data, options),
    // These are a part of their own, since most pages never ask for them.
    history: async (options) => (await more()).history(hub.api, pattern, options),
    async *events(type: string, options?: EventsOptions): any {
      yield* (await more()).iterate(topic, hub.ready, type, options);
    },
  };
  return {
    topic,
    wanted: () => [...types.values()].some((listeners) => listeners.size()),
    emit(m) {
      types.get(m.type)?.ring(m.data, m);
      types.get("*")?.ring(m);
    },
    gap: gaps.ring,
    refused: (error) => void (errors.ring(error) || console.error(error)),
  };
}
