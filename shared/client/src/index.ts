/** The browser package of Tidings: connect, listen, publish.
 * @module */
export { connect, type Client, type Options } from "./client.ts";
export { TidingsError } from "./fault.ts";
export type { EventsOptions } from "./iterate.ts";
export type { Message } from "./message.ts";
export type { Status, Via } from "./status.ts";
export type { Off, Store } from "./store.ts";
export type { TokenSource } from "./token.ts";
export type { AnyMessage, EventMap, HistoryOptions, Published, PublishOptions, Topic, TypeOf } from "./topic.ts";
export type { Frame, Gap, Page } from "./wire.ts";
