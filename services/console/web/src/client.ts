// The client as the bell knows it: the reader's own topic on the page's stream, so that the bell needs
// no connection of its own, of which a browser makes few.
//
// The bundler lets "@tidings/client" lead here, for the bell asks for it by that name.

import { apiOf } from "../../../../shared/client/src/api.ts";
import type { Client, Options } from "../../../../shared/client/src/client.ts";
import { browser } from "../../../../shared/client/src/environment.ts";
import { TidingsError } from "../../../../shared/client/src/fault.ts";
import type { Status } from "../../../../shared/client/src/status.ts";
import { cell } from "../../../../shared/client/src/store.ts";
import type { Feed } from "./feed.ts";
import { token } from "./session.ts";
import type { State, Stream } from "./stream.ts";

export type { Client, Options } from "../../../../shared/client/src/client.ts";
export type { Off } from "../../../../shared/client/src/store.ts";
export { TidingsError };

/** OWN is the reader's own topic. */
export const OWN = "user";

/** connect is what a bell does that was given no client; this page gives it one. */
export function connect(_: Options): Client<any> {
  throw new TidingsError("no_client", "The bell of this page is given its client.");
}

/** clientOf is the part of a client that a bell uses. */
export function clientOf(feed: Feed, stream: Stream): Client<any> {
  const env = browser();
  const ready = cell<string[]>([]);
  const status = cell<Status>({ state: "idle" });
  feed.live.subscribe(() => ready.set([OWN]));
  if (feed.live.get()) ready.set([OWN]);
  const say = () => status.set(statusOf(stream.state.get(), stream));
  stream.state.subscribe(say);
  say();
  const own = {
    pattern: OWN,
    on: (type: string, fn: (data: unknown) => void) => feed.on(type, fn),
    onGap: (fn: (gap: unknown) => void) => feed.on("gap", fn),
    onError: () => () => {},
  };
  const part = {
    status, user: () => own, retryNow: () => stream.retryNow(), close: () => {},
    hub: { api: apiOf("", async () => token(), env), ready, sync: () => {} },
  };
  return part as unknown as Client<any>;
}

function statusOf(s: State, { facts: { node, conn } }: Stream): Status {
  switch (s.name) {
    case "live":
    case "catching-up":
      return { state: s.name, via: "sse", node, conn };
    case "waiting":
    case "offline":
      return { state: s.name, retryAt: s.retryAt, reason: s.reason };
    case "denied":
      return { state: "denied", reason: s.problem.detail, code: s.problem.code, hint: s.problem.hint };
    default:
      return { state: s.name };
  }
}
