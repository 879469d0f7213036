// What the ways to the server have in common.

import type { Api } from "./api.ts";
import type { Environment } from "./environment.ts";
import type { TidingsError } from "./fault.ts";
import type { Off } from "./store.ts";
import type { Frame } from "./wire.ts";

/** Request is a stream to be opened. */
export interface Request {
  api: Api;
  env: Environment;
  token: string;
  topics: string[];
  /** query is topics, cursor and rewind, ready to be sent. */
  query: URLSearchParams;
}

/** Sink takes what a link brings. After end, and after the link was closed, nothing comes. */
export interface Sink {
  /** alive is called for each sign of life, before what it brought. */
  alive(): void;
  /** retry is how long to wait, in milliseconds, should the link break. */
  retry(ms: number): void;
  frame(frame: Frame): void;
  /** end is called once when the link is over, with an error unless it just ended. */
  end(error?: TidingsError): void;
}

/** Link is an open way. */
export interface Link {
  close: Off;
  /** topics changes the topics of a way that has no connection at the server. */
  topics?(topics: string[]): void;
}

/** Transport opens a way. */
export type Transport = (request: Request, sink: Sink) => Link;
