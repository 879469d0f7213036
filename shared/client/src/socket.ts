// The same frames over a WebSocket, for where something in between holds streams back.

import { thrown, TidingsError } from "./fault.ts";
import type { Transport } from "./transport.ts";
import { parse, type Hello } from "./wire.ts";

/** FORBIDDEN is the close code after which nobody shall come back, like a 403. */
const FORBIDDEN = 4403;

/** socket needs a ticket, because pages cannot send headers with a WebSocket; without a token the
 * browser's cookie must do. Topics and tokens are changed by requests, as with a stream. */
export const socket: Transport = ({ api, env, token, query }, sink) => {
  const abort = new AbortController();
  const { signal } = abort;
  let ws: WebSocket | undefined;
  const close = () => {
    abort.abort();
    ws?.close();
  };
  const end = (error?: TidingsError) => {
    if (signal.aborted) return;
    close();
    sink.end(error);
  };
  const open = async () => {
    if (token) query.set("ticket", (await (await api.send("/v1/tickets", token, signal, {})).json()).ticket);
    if (signal.aborted) return;
    ws = env.socket(`${api.base.replace("http", "ws")}/v1/ws?${query}`);
    ws.onmessage = ({ data }) => {
      const m = parse(data);
      // An answer to a command may name a cursor and still moves none.
      if (signal.aborted || !m || "re" in m) return;
      sink.alive();
      if (m.type === "tidings.hello") sink.retry((m.data as Hello).retry_ms ?? 0);
      sink.frame(m);
    };
    // The bye before it may have been lost; the reason of the close frame is its code.
    ws.onclose = ({ code, reason }) => end(code === FORBIDDEN ? new TidingsError(reason, "The server ended this connection for good.", 403) : undefined);
  };
  open().catch((e) => end(thrown(e)));
  return { close };
};
