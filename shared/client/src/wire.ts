// The words of the wire.

/** Frame is one thing the server sent, in the form all transports share: an event of the log has
 * a topic, a type and a cursor; an ephemeral one has no cursor; a control event's type begins
 * with "tidings."; a heartbeat has nothing but a cursor. */
export interface Frame {
  cursor?: string;
  topic?: string;
  type?: string;
  id?: string;
  source?: string;
  time?: string;
  data?: unknown;
  data_base64?: string;
}

/** CONTROL begins the types of control events; the server lets nobody else use it. */
export const CONTROL = "tidings.";

/** Hello opens every stream. */
export interface Hello {
  conn: string;
  node: string;
  topics: string[];
  heartbeat_ms: number;
  retry_ms?: number;
}

/** Gap says that history is gone for good: events of topic between after and before may never
 * come. Load your state anew. */
export interface Gap {
  /** topic is the pattern that the events would have come by. */
  topic: string;
  after: string;
  before: string;
  /** reason is "dropped" (limits of the log), "epoch" (it is another log) or "ahead" (the log
   * lost its end). */
  reason: string;
}

/** Page is a page of history, oldest first. */
export interface Page {
  events: Frame[];
  /** cursor is where the next page begins. */
  cursor: string;
  more: boolean;
  /** gone says that events before the first were dropped by the log's limits. */
  gone: boolean;
}

/** parse reads a JSON object, or makes one of what else it may be: a stream may say anything. It
 * returns undefined if it is no JSON. */
export function parse(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}
