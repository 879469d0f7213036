// Server-Sent Events read from fetch: unlike EventSource it sees the status, sends the token in a
// header, takes the cursor, and waits as it was told.

import { thrown } from "./fault.ts";
import { parser } from "./sse.ts";
import type { Transport } from "./transport.ts";
import { CONTROL, parse, type Frame } from "./wire.ts";

/** stream is the first choice: it passes most middleboxes and costs the server least. */
export const stream: Transport = ({ api, token, query }, sink) => {
  const abort = new AbortController();
  const { signal } = abort;
  const push = parser({
    retry: (ms) => signal.aborted || sink.retry(ms),
    block(type, text, cursor) {
      const data = text === undefined ? {} : parse(text);
      if (signal.aborted || !data) return;
      const frame: Frame = type.startsWith(CONTROL) ? { type, data } : data;
      if (cursor) frame.cursor = cursor;
      sink.frame(frame);
    },
  });
  const end = (e?: unknown) => {
    if (signal.aborted) return;
    abort.abort();
    sink.end(e ? thrown(e) : undefined);
  };
  const read = async () => {
    const reader = (await api.send("/v1/events?" + query, token, signal)).body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      sink.alive();
      push(value);
    }
  };
  read().then(end, end);
  return { close: () => abort.abort() };
};
