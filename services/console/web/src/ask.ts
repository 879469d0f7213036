// Requests to the server, by the client package's own way.

import { apiOf } from "../../../../shared/client/src/api.ts";
import { browser } from "../../../../shared/client/src/environment.ts";
import { thrown, TidingsError } from "../../../../shared/client/src/fault.ts";
import { reject, token } from "./session.ts";

/** Problem is what an answer says that is no success; status is 0 if there was none. */
export type Problem = Pick<TidingsError, "status" | "code" | "detail" | "hint">;

const { send } = apiOf("", async () => "", browser());

/** ask returns the JSON of an answer; with a body it is a POST. It throws a Problem. An answer that
 * refuses the session's own token ends the session; bearer is another token than that one. */
export async function ask<T>(path: string, body?: unknown, signal = new AbortController().signal, bearer?: string, method?: string): Promise<T> {
  try {
    return await (await send(path, bearer ?? token(), signal, body, method)).json();
  } catch (e) {
    const problem = problemOf(e);
    if (problem.status === 401 && bearer === undefined) reject(problem);
    throw problem;
  }
}

/** act asks with another method than GET; its body is an empty object where nothing is to be said. */
export function act<T>(method: "POST" | "PUT" | "DELETE", path: string, body: unknown = {}): Promise<T> {
  return ask(path, body, undefined, undefined, method);
}

/** problemOf makes a Problem of whatever was thrown. */
export function problemOf(e: unknown): Problem {
  const problem = thrown(e);
  return problem.code === "network" ? new TidingsError("network", "The server can't be reached. Is it running?") : problem;
}

/** api is the address of an endpoint; parameters that are empty are left out. */
export function api(path: string, query: Record<string, string | number> = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) q.set(name, String(value));
  return `/console/api/${path}${q.size ? `?${q}` : ""}`;
}
