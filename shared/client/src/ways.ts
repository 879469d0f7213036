// The ways to the server, best first. The other ways than the first are a part of their own, since
// few networks need them.

import { thrown } from "./fault.ts";
import type { Via } from "./status.ts";
import { stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** waysOf returns the transports of those names. */
export function waysOf(names: Via[] = ["sse", "ws", "poll"]): [Via, Transport][] {
  return names.map((name) => [name, name === "sse" ? stream : lazy(name)]);
}

/** more loads what most pages never need. */
export const more = () => import("./more.ts");

/** lazy opens a way as soon as its code is there. */
function lazy(name: "ws" | "poll"): Transport {
  return (request, sink) => {
    const link = more().then((parts) => parts[name](request, sink)).catch((e) => void sink.end(thrown(e)));
    return {
      close: () => void link.then((l) => l?.close()),
      topics: (topics) => void link.then((l) => l?.topics?.(topics)),
    };
  };
}
