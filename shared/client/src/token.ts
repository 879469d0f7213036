// Tokens: whose they are, and when a new one is needed.

import type { Environment } from "./environment.ts";
import { TidingsError } from "./fault.ts";

/** TOKEN_MS bounds a call of the callback: one that never answers must not end a session. */
export const TOKEN_MS = 30_000;

/** TokenSource is a token, or a function that fetches one. It is called for the first connection,
 * before a token ends and when the server refuses one; stale is that one.
 *
 * What it throws says what comes next. `new TidingsError("signed_out", "Nobody is signed in.", 401)`,
 * or one with the status 403, means denied: nothing is asked again before retryNow. Anything else,
 * such as a fetch that failed, means to wait and ask again, first after a second at most and later
 * after 30. */
export type TokenSource = string | ((stale?: string) => string | Promise<string>);

/** Tokens returns the token in use, "" if none is to be sent. With stale it returns another one
 * than that, if the source has one. All who wait share one call of the source.
 *
 * A token of another user is an error (user_changed): one client is one user, and events of two
 * must never meet in one page. */
export type Tokens = (stale?: string) => Promise<string>;

/** tokensOf keeps the token in use. */
export function tokensOf(source: TokenSource = "", env: Pick<Environment, "later">): Tokens {
  let now: string | undefined;
  let coming: Promise<string> | undefined;
  let user: string | undefined;

  const none = () => new TidingsError("no_token", "There is no token.");
  const ask = async () => {
    const token = await new Promise<string>((resolve, reject) => {
      const off = env.later(() => reject(none()), TOKEN_MS);
      // In a promise of its own, what the callback throws at once is like what it throws later.
      (async () => (typeof source === "string" ? source : source(now)))().then(resolve, reject).finally(off);
    });
    if (typeof token !== "string") throw none();
    const sub = subject(token);
    if (sub !== (user ??= sub)) throw new TidingsError("user_changed", "This token is another user's.", 401);
    return (now = token.trim());
  };
  return async (stale) => (now !== undefined && now !== stale ? now : (coming ??= ask().finally(() => (coming = undefined))));
}

/** subject returns whose a token is: the claim sub of a JWT, "" if it is none. Nothing is
 * verified, for that is the server's part. */
export function subject(token: string): string {
  try {
    const payload = atob(token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/"));
    // As bytes of UTF-8 or not, different users have different texts.
    return String(JSON.parse(payload).sub ?? "");
  } catch {
    return "";
  }
}
