// The same frames in answers to plain requests, which pass everything that lets pages load.

import { thrown } from "./fault.ts";
import type { Transport } from "./transport.ts";

/** WAIT_S is how long the server holds a request open: shorter than the 30 s after which common
 * proxies give up. */
const WAIT_S = 25;
/** PAUSE_MS follows an answer that came at once with nothing in it, as from a node that drains. */
const PAUSE_MS = 1_000;

/** poll has no connection at the server, so it makes up its own hello and live. The first request
 * does not wait: its answer proves the way and gives the cursor that all others go on from. */
export const poll: Transport = ({ api, env, token, topics, query }, sink) => {
  let abort = new AbortController(); // of the request that is out
  let closed = false;

  const ask = async (wait: number) => {
    const start = env.now();
    query.set("wait", String(wait));
    query.set("topics", topics.join());
    abort = new AbortController();
    const { signal } = abort;
    const off = env.later(() => abort.signal === signal && fail(new Error("The server did not answer in time.")), (wait + 10) * 1_000);
    try {
      const { events, cursor } = await (await api.send("/v1/poll?" + query, token, signal)).json();
      if (closed || signal.aborted) return;
      query.set("cursor", cursor);
      query.delete("rewind");
      sink.alive();
      if (!wait) sink.frame({ type: "tidings.hello", data: { conn: "", node: "", topics, heartbeat_ms: WAIT_S * 1_000 } });
      for (const frame of events) if (!closed) sink.frame(frame);
      if (!closed) sink.frame({ cursor });
      if (wait && !events.length && env.now() - start < PAUSE_MS) await new Promise<void>((done) => env.later(done, PAUSE_MS));
      if (!wait && !closed) sink.frame({ type: "tidings.live", data: { cursor } });
    } catch (e) {
      if (!signal.aborted) fail(e); // else the topics changed and another request is out
    } finally {
      off();
    }
  };
  const fail = (e: unknown) => {
    if (closed) return;
    close();
    sink.end(thrown(e));
  };
  const close = () => {
    closed = true;
    abort.abort();
  };
  const loop = async () => {
    for (let wait = 0; !closed; wait = WAIT_S) await ask(wait);
  };
  void loop();
  return {
    close,
    topics(now) {
      topics = now;
      abort.abort(); // the loop asks again, from the same cursor
    },
  };
};
