// The client is what one tab knows: its topics, what it has seen, and the line it hears by.

import { apiOf } from "./api.ts";
import { connectionOf } from "./connection.ts";
import { after } from "./cursor.ts";
import { browser, type Environment } from "./environment.ts";
import { message } from "./message.ts";
import { escape, matches, OWN, roomTopic } from "./names.ts";
import type { Line, Note, Status, Via } from "./status.ts";
import { cell, type Off, type Store } from "./store.ts";
import { tokensOf, type TokenSource } from "./token.ts";
import { topicOf, type Ears, type EventMap, type Hub, type Topic } from "./topic.ts";
import { waysOf } from "./ways.ts";

/** PUBLISH_MS is how long publish goes on trying unless told otherwise. */
export const PUBLISH_MS = 30_000;
/** OWN_EVENTS bounds the ids of our own events that we wait for, so as not to hear them. */
const OWN_EVENTS = 256;

/** Options of connect. */
export interface Options {
  /** url is where the server's /v1/… is, such as "/rt" or "https://rt.example.com"; "" is the
   * page's own origin. */
  url?: string;
  /** token is a JWT, or a function that fetches one; without it the browser's cookie must do. */
  token?: TokenSource;
  /** credentials is fetch's option of that name: "include" sends cookies to another origin. */
  credentials?: RequestCredentials;
  /** share says how tabs share one connection: "worker" (a SharedWorker), "locks" (one tab leads),
   * "auto" (the first of these that works, else a connection of its own), or false. */
  share?: "auto" | "worker" | "locks" | false;
  /** key parts those who must not share although their url and user are the same. */
  key?: string;
  /** worker is where worker.js of this package is, on the page's own origin; without it, beside
   * the module, where a bundler may not have put it. A TrustedScriptURL will do. */
  worker?: string | URL;
  /** topics are heard of from the beginning, before anybody listens to them. */
  topics?: string[];
  /** transports are the ways to try, best first: "sse", "ws", "poll". */
  transports?: Via[];
  /** cursor is where to begin, such as the one kept from a former visit; without it, now. */
  cursor?: string;
  /** rewind asks for the last events of each topic if there is no cursor. Of a connection that
   * others share already nothing comes again. */
  rewind?: number;
}

/** Client is one user's events in one tab. */
export interface Client<E extends EventMap = Record<string, any>> {
  /** status says what the connection is doing. */
  readonly status: Store<Status>;
  /** cursor is how far this tab has come, undefined before the first word of the server. */
  readonly cursor: string | undefined;
  /** user is the user's own topic, or that of the user with this id for who may read it. */
  user<T extends EventMap = E>(id?: string): Topic<T>;
  /** room is "room" and the name's parts: room("orders.42") is room 42 of orders. Names may hold
   * anything; the parts of a list may hold dots too. */
  room<T extends EventMap = E>(name: string | readonly string[]): Topic<T>;
  /** topic is a topic or pattern as it is on the wire: "all", "room.orders.>". */
  topic<T extends EventMap = E>(pattern: string): Topic<T>;
  /** retryNow ends a wait, or asks again after a denial. */
  retryNow(): void;
  /** close ends it all: nothing is heard any more, and status becomes idle. Do so on logout. */
  close(): void;
  /** hub is what the other parts of this package use.
   * @internal */
  readonly hub: Hub;
}

/** connect makes a client. Nothing is sent until somebody listens or publishes. E names the types
 * of events and their data. env is for tests. */
export function connect<E extends EventMap = Record<string, any>>(options: Options = {}, env: Environment = browser()): Client<E> {
  const base = new URL(options.url ?? "", globalThis.location?.origin ?? "http://localhost").href.replace(/\/+$/, "");
  const api = apiOf(base, tokensOf(options.token, env), env, options.credentials);
  const status = cell<Status>({ state: "idle" });
  const ready = cell<string[]>([]);
  const topics = new Map<string, Ears>();
  const unheard = new Set<string>(); // ids of our own events
  let cursor = options.cursor;
  let own = "";
  let line: Line | undefined;
  let queued = false;
  let away = false; // the page is in the back/forward cache
  let closed = false;
  let off: Off | undefined;

  const rest = () => {
    line?.close();
    line = undefined;
    ready.set([]);
    status.set({ state: "idle" });
  };

  const hear = (n: Note) => {
    if (n.note === "status") status.set(n.status);
    else if (n.note === "ready") {
      own = n.own;
      ready.set(n.topics);
    } else if (n.note === "at") {
      if (after(n.cursor, cursor)) cursor = n.cursor;
    } else if (n.note === "refused") {
      topics.get(n.topic)?.refused(n.error);
    } else if (n.note === "gap") {
      const { reason, topic, before } = n.gap;
      // Of a dropped stretch that we have seen already, nothing is missing.
      if (reason === "dropped" && !after(before, cursor)) return;
      if (reason !== "dropped") cursor = n.cursor;
      for (const [pattern, t] of topics) if (pattern === topic || (pattern === OWN && topic === own)) t.gap(n.gap);
    } else {
      const { cursor: at, topic = "", id = "" } = n.frame;
      if (at) {
        if (!after(at, cursor)) return; // seen already
        cursor = at;
      }
      if (unheard.delete(id)) return;
      const m = message(n.frame, n.replayed);
      for (const [pattern, t] of topics) if (matches(pattern, topic, own)) t.emit(m);
    }
  };

  const open = async () => {
    const alone = (out: (note: Note) => void, world = env) => connectionOf(api, { ...options, cursor, ways: waysOf(options.transports) }, world, out);
    const sharing = options.share === false ? undefined : await import("./share/share.ts").catch(() => undefined);
    if (closed || away || line) return;
    // A line that was closed may still have something to say.
    const out = (note: Note) => mine === line && hear(note);
    const mine = sharing ? sharing.share({ api, env, out, alone, options, cursor: () => cursor }) : alone(out);
    line = mine;
    hub.sync();
  };

  const hub: Hub = {
    api,
    ready,
    sync() {
      if (queued || closed) return;
      queued = true;
      queueMicrotask(() => {
        queued = false;
        if (closed || away) return;
        const want = new Set(options.topics);
        for (const [pattern, t] of topics) if (t.wanted()) want.add(pattern);
        if (!want.size && !line) return;
        off ??= env.moments((moment) => {
          // A page in the back/forward cache must not keep a stream open, and may hear of being
          // hidden after it went.
          away = moment === "pagehide" || (away && moment !== "pageshow");
          away ? rest() : line ? line.check(moment === "online") : hub.sync();
        });
        line ? line.want([...want], cursor) : open();
      });
    },
    async publish(topic, type, data, { key, ephemeral = false, exceptSelf, timeout = PUBLISH_MS, signal } = {}) {
      const id = key ?? randomId();
      if (exceptSelf) {
        // By id and not by connection: it holds over a reconnect, and for one tab of many.
        unheard.add(id);
        if (unheard.size > OWN_EVENTS) unheard.delete([...unheard][0]!);
      }
      // Late news of what passes is none, so ephemeral events are tried once.
      const { cursor, duplicate = false } = await api.call("/v1/publish", { topic, type, data, id, ephemeral }, ephemeral ? 0 : timeout, signal);
      return { id, cursor, duplicate };
    },
  };

  const topic = (pattern: string): Topic<any> => {
    if (!topics.has(pattern)) topics.set(pattern, topicOf(pattern, hub));
    return topics.get(pattern)!.topic;
  };
  if (options.topics) hub.sync();
  return {
    status,
    get cursor() {
      return cursor;
    },
    topic,
    user: (id) => topic(id === undefined ? OWN : "user." + escape(id)),
    room: (name) => topic(roomTopic(name)),
    retryNow: () => line?.retry(),
    hub,
    close() {
      closed = true;
      rest();
      off?.();
    },
  };
}

/** randomId returns 128 random bits. crypto.randomUUID does not exist on plain http. */
function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
