// The SharedWorker: one host, however many tabs. Its name says whose connection it is.

import { apiOf } from "../api.ts";
import { connectionOf } from "../connection.ts";
import { browser, type Environment } from "../environment.ts";
import { poll } from "../poll.ts";
import { socket } from "../socket.ts";
import type { Via } from "../status.ts";
import { stream } from "../stream.ts";
import { tokensOf } from "../token.ts";
import { hostOf, type Host } from "./host.ts";
import { groundsHere, type Config, type Grounds, type ToHost } from "./words.ts";

/** serve makes a worker's scope a host. */
export function serve(scope: { onconnect: unknown }, env: Environment = browser(), grounds: Grounds = groundsHere()): void {
  const ports = new Map<string, MessagePort>();
  let host: Host | undefined;

  const begin = ({ base, credentials, transports = ["sse", "ws", "poll"], rewind, way }: Config): Host => {
    const ways = { sse: stream, ws: socket, poll };
    const api = apiOf(base, tokensOf((stale) => made.token(stale), env), env, credentials);
    const made: Host = hostOf(
      (out, world) => connectionOf(api, { ways: transports.map((via: Via) => [via, ways[via]]), rewind }, world, out),
      (tabs, m) => tabs.forEach((tab) => ports.get(tab)?.postMessage(m)),
      grounds,
      env,
      0,
      way,
      (tab) => ports.delete(tab),
    );
    return made;
  };
  scope.onconnect = ({ ports: [port] }: MessageEvent) => {
    port!.onmessage = ({ data: [tab, m] }: MessageEvent<[string, ToHost]>) => {
      ports.set(tab, port!);
      if (m.do === "join") host ??= begin(m.config);
      host?.hear(tab, m);
    };
  };
}
