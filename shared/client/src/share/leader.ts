// Sharing without a worker: whoever holds a Web Lock leads, has the connection, and passes on what
// comes over a BroadcastChannel. The lock goes over by itself when the leader dies.

import type { Connection } from "../connection.ts";
import type { Environment } from "../environment.ts";
import type { Line, Note } from "../status.ts";
import { hostOf, type Host } from "./host.ts";
import { tabOf, type Parts } from "./tab.ts";
import type { Grounds, ToHost, ToTab } from "./words.ts";

/** SETTLE_MS is how long a new leader waits for the others' cursors. */
export const SETTLE_MS = 100;

/** Letter is a message on the channel: to the leader, or to the tabs named, or to all. */
type Letter = { from: string; host: ToHost } | { to: string[] | undefined; tab: ToTab };

/** leaderLine makes the Line of a tab that may lead. id is the tab's, lock what it holds. */
export function leaderLine(
  name: string,
  id: string,
  lock: string,
  grounds: Required<Grounds>,
  parts: Parts,
  connect: (out: (note: Note) => void, world: Environment) => Connection,
): Line {
  const { env, config } = parts;
  const channel = new grounds.BroadcastChannel!(name);
  const post = (letter: Letter) => channel.postMessage(letter);
  let host: Host | undefined;
  let release = () => {};
  let queue = new AbortController();

  const tab = tabOf(parts, lock, (m) => (host ? host.hear(id, m) : post({ from: id, host: m })), () => lead(true));
  channel.onmessage = ({ data }: MessageEvent<Letter>) => {
    if ("host" in data) host?.hear(data.from, data.host);
    else if (!host && (!data.to || data.to.includes(id))) tab.hear(data.tab);
  };

  const step = () => {
    host?.close();
    host = undefined;
    release();
  };
  /** lead waits for the lock, or takes it from a leader that hangs. */
  const lead = (steal: boolean) => {
    queue.abort();
    const mine = (queue = new AbortController());
    const { signal } = mine;
    grounds.locks!.request(name, steal ? { steal } : { signal }, () => {
      if (signal.aborted) return;
      host = hostOf(connect, (tabs, m) => {
        const others = tabs.filter((t) => t !== id);
        if (others.length) post({ to: others, tab: m });
        if (others.length < tabs.length) tab.hear(m);
      }, grounds, env, SETTLE_MS, config.way);
      post({ to: undefined, tab: { say: "join" } });
      tab.join();
      return new Promise<void>((done) => (release = done));
    }).catch(() => {
      if (signal.aborted) return;
      step(); // another one took the lock, and its call may have come before we could hear it
      tab.join();
      lead(false);
    });
  };
  lead(false);
  return {
    ...tab,
    close() {
      tab.close();
      queue.abort();
      step();
      channel.close();
    },
  };
}
