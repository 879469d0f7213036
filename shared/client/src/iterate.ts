// The events of a topic as an async iterator: from the log first, then live, and from the log
// again whenever the reader was too slow for its buffer.

import { after } from "./cursor.ts";
import type { TidingsError } from "./fault.ts";
import { message, type Message } from "./message.ts";
import type { Store } from "./store.ts";
import type { Topic } from "./topic.ts";
import type { Gap } from "./wire.ts";

/** BUFFER is how many events wait for a slow reader before the log must help. */
export const BUFFER = 1_000;

/** EventsOptions say where to begin and when to stop. */
export interface EventsOptions {
  /** since is a cursor: the events after it come first. "" means all that the log holds. */
  since?: string;
  /** signal ends the iteration without an error. */
  signal?: AbortSignal;
  /** buffer is how many live events may wait for the reader, 1,000 if left out. */
  buffer?: number;
  /** onGap is called before the first event after a stretch that the log does not hold any more. */
  onGap?: (gap: Gap) => void;
}

/** iterate implements Topic.events. ready lists the topics of which nothing is missed any more. */
export async function* iterate(topic: Topic<any>, ready: Store<string[]>, type: string, options: EventsOptions = {}): AsyncGenerator<Message> {
  const { since, signal, buffer = BUFFER } = options;
  const queue: Message[] = [];
  let at = since;
  let behind = since !== undefined; // there are events that only the log has
  let failed: TidingsError | undefined;
  let wake = () => {};
  const stirred = () => wake();
  const offs = [
    topic.on(type as "*", (...args: any[]) => {
      const m: Message = args.at(-1);
      if (!behind && queue.length < buffer) queue.push(m);
      else behind ||= !!m.cursor; // an ephemeral one is gone, as it may be
      wake();
    }),
    topic.onError((e) => {
      failed = e;
      wake();
    }),
    ready.subscribe(stirred),
  ];
  signal?.addEventListener("abort", stirred);
  try {
    while (!signal?.aborted) {
      if (failed) throw failed;
      const m = queue.shift();
      if (m) {
        if (m.cursor && !after(m.cursor, at)) continue;
        at = m.cursor ?? at;
        yield m;
      } else if (behind && ready.get().includes(topic.pattern)) {
        // The server sends what is new, so reading what is old misses nothing in between, if from
        // now on the queue takes what comes.
        behind = false;
        const { events, cursor, more, gone } = await topic.history({ after: at, signal });
        if (more) {
          behind = true;
          queue.length = 0;
        }
        if (gone && at) options.onGap?.({ topic: topic.pattern, after: at, before: events[0]?.cursor ?? cursor, reason: "dropped" });
        for (const frame of events) {
          at = frame.cursor;
          if (type === "*" || frame.type === type) yield message(frame, true);
          if (signal?.aborted) return;
        }
        at = cursor;
      } else {
        await new Promise<void>((done) => (wake = done));
      }
    }
  } catch (e) {
    if (!signal?.aborted) throw e;
  } finally {
    for (const off of offs) off();
    signal?.removeEventListener("abort", stirred);
  }
}
