// What a connection is doing, in words for people who wait.

import type { Off } from "./store.ts";
import type { Frame, Gap } from "./wire.ts";
import type { TidingsError } from "./fault.ts";

/** Via is the way events come by. */
export type Via = "sse" | "ws" | "poll";

/** Status is what the connection is doing. */
export type Status =
  /** Nobody listens, so there is no connection. */
  | { state: "idle" }
  /** The server was called and has not said hello yet. */
  | { state: "connecting" }
  /** Missed events are coming; or the server cannot reach its log and they will come late. */
  | { state: "catching-up"; via: Via; node: string; conn: string }
  /** Events come as they happen. */
  | { state: "live"; via: Via; node: string; conn: string }
  /** The next attempt is at retryAt, in milliseconds since 1970. */
  | { state: "waiting"; retryAt: number; reason: string }
  /** The same, and the browser believes that it has no network. */
  | { state: "offline"; retryAt: number; reason: string }
  /** The server does not want us; only retryNow tries again. */
  | { state: "denied"; reason: string; code: string; hint: string };

/** Note is what a connection tells the tabs that use it. */
export type Note =
  | { note: "status"; status: Status }
  | { note: "event"; frame: Frame; replayed: boolean }
  /** at: everything up to cursor was sent. */
  | { note: "at"; cursor: string }
  /** gap: cursor is where the connection goes on. */
  | { note: "gap"; gap: Gap; cursor: string }
  /** ready: of these topics all events after the cursor come; own is what "user" stands for. */
  | { note: "ready"; topics: string[]; own: string }
  /** refused: the server does not let us read this topic. */
  | { note: "refused"; topic: string; error: TidingsError };

/** Line is a connection as one tab sees it: its own, or a part of a shared one. */
export interface Line {
  /** want says which topics the tab wants, all of them; cursor is what the tab has seen. */
  want(topics: string[], cursor: string | undefined): void;
  /** check is for moments at which time may have jumped or the network changed. */
  check(online: boolean): void;
  /** retry ends a wait, or asks again after a denial. */
  retry(): void;
  close: Off;
}
