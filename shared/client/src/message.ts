// A message is an event as a listener gets it.

import type { Frame } from "./wire.ts";

/** Message is one event. */
export interface Message<Data = unknown, Type extends string = string> {
  /** topic is where it was published, such as "room.ops". */
  readonly topic: string;
  readonly type: Type;
  /** id is the publisher's, "" if it gave none. */
  readonly id: string;
  /** source says who published it; for browsers it is the user's topic, vouched for by the server. */
  readonly source: string;
  /** time is when it happened, RFC 3339. */
  readonly time: string;
  /** data is the JSON value; bytes, if the event holds something else. */
  readonly data: Data;
  /** cursor is its position in the log, undefined for an ephemeral event. */
  readonly cursor: string | undefined;
  /** replayed says that it happened while we were away. */
  readonly replayed: boolean;
}

/** message makes one of a frame. */
export function message(f: Frame, replayed: boolean): Message<any> {
  const data = f.data_base64 === undefined ? f.data : Uint8Array.from(atob(f.data_base64), (c) => c.charCodeAt(0));
  return { topic: "", type: "message", id: "", source: "", time: "", cursor: undefined, ...f, data, replayed };
}
