// Requests to the server, with the token in a header and faults as TidingsError.

import { delay } from "./backoff.ts";
import type { Environment } from "./environment.ts";
import { isFinal, refusal, thrown, TidingsError } from "./fault.ts";
import type { Tokens } from "./token.ts";

/** REQUEST_MS bounds an ordinary request: mobile networks lose requests without a word. */
export const REQUEST_MS = 10_000;

/** Api is the server as one user sees it. */
export interface Api {
  /** base is the URL below which /v1/… is, without a slash at its end. */
  base: string;
  tokens: Tokens;
  /** send makes a request with the token given, a POST if it has a body and names no method. Any
   * answer that is no success is thrown. */
  send(path: string, token: string, signal: AbortSignal, body?: unknown, method?: string): Promise<Response>;
  /** call returns the JSON of an answer. If the token is refused it gets another one and tries
   * once more. It goes on trying, with a growing wait, until it is answered, refused for good, or
   * ms have passed; without ms it tries once. */
  call(path: string, body?: unknown, ms?: number, signal?: AbortSignal, method?: string): Promise<any>;
}

/** apiOf makes an Api. */
export function apiOf(base: string, tokens: Tokens, env: Environment, credentials: RequestCredentials = "same-origin"): Api {
  const send: Api["send"] = async (path, token, signal, body, method) => {
    const headers: Record<string, string> = {};
    const init: RequestInit = { headers, signal, credentials, cache: "no-store" };
    if (token) headers.Authorization = "Bearer " + token;
    if (body) {
      headers["Content-Type"] = "application/json";
      init.method = method ?? "POST";
      init.body = JSON.stringify(body);
    }
    const response = await env.fetch(base + path, init);
    if (!response.ok || response.status === 204) throw await refusal(response, env.now());
    return response;
  };
  /** once makes one request that ends in time or with the caller's signal. */
  const once = async (path: string, token: string, body: unknown, signal: AbortSignal | undefined, method: string | undefined) => {
    const abort = new AbortController();
    const stop = () => abort.abort();
    const off = env.later(stop, REQUEST_MS);
    signal?.addEventListener("abort", stop, { signal: abort.signal });
    if (signal?.aborted) stop();
    try {
      return await (await send(path, token, abort.signal, body, method)).json();
    } catch (e) {
      throw abort.signal.aborted ? new TidingsError(signal?.aborted ? "closed" : "timeout", "There was no answer.") : thrown(e);
    } finally {
      off();
      stop(); // forgets the caller's signal
    }
  };
  const call: Api["call"] = async (path, body, ms = 0, signal, method) => {
    const end = env.now() + ms;
    let stale: string | undefined;
    for (let n = 0; ; ) {
      let token: string | undefined;
      try {
        token = await tokens(stale);
        return await once(path, token, body, signal, method);
      } catch (e) {
        const error = thrown(e);
        // Without a token the refusal is that of its source, which has the last word.
        if (error.status === 401 && stale === undefined && token !== undefined) {
          stale = token;
          continue;
        }
        const wait = delay(n++, 0, error.retryAfter, env.random);
        if (isFinal(error) || signal?.aborted || env.now() + wait > end) throw error;
        await new Promise<void>((done) => {
          env.later(done, wait);
          signal?.addEventListener("abort", done as () => void);
        });
      }
    }
  };
  return { base, tokens, send, call };
}
