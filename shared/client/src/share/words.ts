// What tabs and the host of their connection say to each other. All of it is plain data, for it
// passes through ports and channels.

import { TidingsError } from "../fault.ts";
import type { Note, Via } from "../status.ts";

/** VERSION parts tabs that run different releases of this protocol. */
export const VERSION = "tidings1";

/** Config is what a host needs for its connection. */
export interface Config {
  base: string;
  credentials: RequestCredentials | undefined;
  transports: Via[] | undefined;
  rewind: number | undefined;
  /** way is what the tab remembers of the way that works, see ladder.ts. */
  way: string | undefined;
}

/** ToHost is what a tab says. */
export type ToHost =
  /** join begins, and begins anew with each new host: these are my topics, this I have seen. The
   * tab holds the Web Lock of that name while it lives. */
  | { do: "join"; topics: string[]; cursor: string | undefined; lock: string | undefined; config: Config }
  | { do: "want"; topics: string[] }
  | { do: "check"; online: boolean }
  | { do: "retry" }
  | { do: "leave" }
  /** token answers an ask. */
  | { do: "token"; ask: number; token?: string; error?: Plain };

/** ToTab is what a host says. */
export type ToTab =
  /** join asks for a join: the host is new, or does not know the tab. */
  | { say: "join" }
  /** welcome answers a join: from here on the notes are for this tab. */
  | { say: "welcome" }
  | { say: "note"; note: Note }
  | { say: "refused"; topic: string; error: Plain }
  /** ask wants a token other than stale. */
  | { say: "ask"; ask: number; stale: boolean }
  /** way is to be remembered for a new host, also over a reload of the page. */
  | { say: "way"; way: string }
  /** alive says nothing else, now and then. */
  | { say: "alive" };

/** Plain is a TidingsError as data. */
export type Plain = [code: string, detail: string, status: number, hint: string];

/** plain makes data of an error. */
export const plain = (e: TidingsError): Plain => [e.code, e.detail, e.status, e.hint];
/** fromPlain makes an error of its data. */
export const fromPlain = (p: Plain): TidingsError => new TidingsError(...p);

/** Grounds is what a browser has for tabs to meet on. */
export interface Grounds {
  SharedWorker?: typeof SharedWorker | undefined;
  BroadcastChannel?: typeof BroadcastChannel | undefined;
  locks?: Pick<LockManager, "request"> | undefined;
}

/** groundsHere returns what there is. */
export function groundsHere(): Grounds {
  const { SharedWorker, BroadcastChannel, navigator } = globalThis as typeof globalThis & Grounds;
  return { SharedWorker, BroadcastChannel, locks: navigator?.locks };
}
