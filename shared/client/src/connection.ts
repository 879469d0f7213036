// A connection heals itself: it connects, reads, notices silence, waits, and resumes at its cursor
// for ever. It knows nothing of a page; time, chance and the network can be replaced.

import type { Api } from "./api.ts";
import { delay } from "./backoff.ts";
import type { Environment } from "./environment.ts";
import { isFinal, thrown, TidingsError } from "./fault.ts";
import { ladderOf } from "./ladder.ts";
import { OWN } from "./names.ts";
import type { Line, Note, Status, Via } from "./status.ts";
import type { Off } from "./store.ts";
import type { Link, Transport } from "./transport.ts";
import { CONTROL, type Frame } from "./wire.ts";

/** HELLO_MS is how long a way may stay mute before it counts as held back by something. */
export const HELLO_MS = 3_000;
/** POLL_MS is the same for the first answer to a poll, which is the last way there is. */
export const POLL_MS = 12_000;
/** MISSED is the silence, in heartbeats, after which a stream is given up. */
export const MISSED = 2.5;
/** TICK_MS is how often silence is looked for, and how late a timer comes after a sleep. */
export const TICK_MS = 5_000;
/** HIDDEN_MS is how late timers come in a hidden page, which browsers let run once a minute. */
export const HIDDEN_MS = 65_000;
/** LINGER_MS is how long a stream outlives its last topic: pages swap their parts. */
export const LINGER_MS = 1_000;
/** HURRIED is how many silences in a row are followed by another attempt at once: enough to try
 * all ways, for the silence was wait enough; a server that hangs must not be called so for ever. */
export const HURRIED = 4;

/** Settings of a connection. */
export interface Settings {
  /** ways are the transports to try, best first. */
  ways: [Via, Transport][];
  /** cursor is where to begin; without one, now. */
  cursor?: string | undefined;
  /** rewind asks for the last events of each topic while there is no cursor. */
  rewind?: number | undefined;
}

/** Connection is the Line of a tab that has one of its own. */
export interface Connection extends Line {
  /** cursor is how far the connection has come. */
  cursor(): string | undefined;
  /** resume connects anew from another cursor. */
  resume(cursor: string): void;
}

/** connectionOf makes a Connection, which is idle until topics are wanted. */
export function connectionOf(api: Api, { ways, cursor, rewind }: Settings, env: Environment, out: (note: Note) => void): Connection {
  const ladder = ladderOf(api.base, ways.length, env);
  const refused = new Map<string, TidingsError>();
  const timers = new Set<Off>(); // of this attempt
  let status: Status = { state: "idle" };
  let wanted: string[] = [];
  let has: string[] = []; // what the server sends
  let own = ""; // what "user" stands for
  let link: Link | undefined;
  let run = 0; // names the attempt; what belongs to an older one is void
  let conn = "";
  let node = "";
  let via: Via;
  let token = "";
  let stale: string | undefined; // a token that is of no more use
  let renewed = false; // a refused token was replaced, and nothing has worked since
  let changing = false;
  let heartbeat = 15_000;
  let opened = 0; // when the hello came; 0 before
  let heard = 0; // when anything came last
  let due = 0; // when the next tick should be
  let attempt = 0;
  let hurried = 0;
  let retry = 0; // what the server's last retry: said
  let bound = false; // the server said how long to wait
  let linger: Off = () => {};

  const set = (s: Status) => out({ note: "status", status: (status = s) });
  const up = (state: "live" | "catching-up") => set({ state, via, node, conn });
  /** current returns a question: is the attempt of now still the one? */
  const current = (mine = run) => () => mine === run;
  const later = (f: () => void, ms: number) => {
    const off = env.later(() => {
      timers.delete(off);
      f();
    }, ms);
    timers.add(off);
  };
  /** slept says that the machine did: clocks went on, timers did not. */
  const slept = () => env.now() > due + (env.hidden() ? HIDDEN_MS : TICK_MS);
  const silent = () => env.now() - heard > MISSED * heartbeat;
  const permitted = () => wanted.filter((t) => !refused.has(t));

  // ---- The life of an attempt ----

  /** drop ends what is going on, whatever it is. */
  const drop = () => {
    run++;
    for (const off of timers) off();
    timers.clear();
    link?.close();
    link = undefined;
    has = [];
    opened = 0;
    changing = false;
  };

  /** open connects anew, from the cursor. */
  const open = async () => {
    drop();
    const topics = permitted();
    if (!topics.length) return set({ state: "idle" });
    const still = current();
    set({ state: "connecting" });
    tick();
    try {
      token = await api.tokens(stale);
    } catch (e) {
      return still() && rest(thrown(e)); // the source has the last word on tokens
    }
    if (!still()) return;
    stale = undefined;
    const query = new URLSearchParams({ topics: topics.join() });
    if (cursor) query.set("cursor", cursor);
    else if (rewind) query.set("rewind", "" + rewind);
    const way = ways[ladder.rung()]!;
    via = way[0];
    later(() => opened || mute(), via === "poll" ? POLL_MS : HELLO_MS);
    link = way[1]({ api, env, token, topics, query }, {
      alive() {
        heard = env.now();
        if (opened && heard - opened > heartbeat) ladder.lasted();
      },
      retry: (ms) => void (retry = ms),
      frame: (f) => still() && take(f, topics),
      end(e) {
        if (!still()) return;
        // A browser does not tell why a WebSocket failed, so that is one of the way. An error that
        // says more, such as that of its ticket, comes from a server that is down.
        if (!opened && !e && via !== "sse") ladder.failed();
        end(e);
      },
    });
  };

  const take = (f: Frame, topics: string[]) => {
    const { type, cursor: at } = f;
    const data = f.data as any;
    if (at) cursor = at;
    if (at && (!type || type === "tidings.hello")) out({ note: "at", cursor: at });
    if (!type) return;
    if (!type.startsWith(CONTROL)) out({ note: "event", frame: f, replayed: status.state !== "live" });
    else if (type === "tidings.hello") {
      opened = env.now();
      hurried = 0;
      ladder.worked();
      ({ conn, node } = data);
      heartbeat = data.heartbeat_ms || heartbeat;
      ready(topics, data.topics);
      up("catching-up");
      sync();
    } else if (type === "tidings.live") {
      attempt = 0;
      renewed = false;
      up("live");
    } else if (type === "tidings.away") up("catching-up");
    else if (type === "tidings.gap") out({ note: "gap", gap: data, cursor: at! });
    else if (type === "tidings.expiring") renew(data.in_ms);
    // Who shall not return is told as by a 204: there is nothing here.
    else if (type === "tidings.bye") end(new TidingsError(data.code, data.reason, data.return ? 0 : 204, "", data.retry_ms));
  };

  /** mute is a start without a hello, or a stream that fell silent. */
  const mute = () => {
    ladder.failed();
    if (hurried++ < HURRIED) open();
    else end(new TidingsError("timeout", "There was no answer."));
  };

  /** tick looks at the clock for as long as there is something to look after. */
  const tick = () => {
    due = env.now() + TICK_MS;
    later(() => {
      const asleep = slept();
      tick();
      if ("retryAt" in status) env.now() >= status.retryAt && open();
      // After a sleep, silence is nobody's fault, and words may be from before it.
      else if (opened && asleep) open();
      else if (opened && silent()) mute();
      else if (opened && !conn && ladder.stale()) open(); // polls, and streams may pass again
    }, TICK_MS);
  };

  /** end follows a stream that is over: it says what comes next. */
  const end = (error = new TidingsError("network", "The connection ended.")) => {
    const { status, code } = error;
    const topics = permitted();
    drop();
    if (code === "token_expired") stale = token;
    if (status === 401 && !renewed) {
      renewed = true;
      stale = token;
      refused.clear();
      open();
    } else if (code === "network" && slept()) open(); // the sleep broke it, and was wait enough
    else if (/^(topic_denied|bad_topic)$/.test(code)) {
      set({ state: "connecting" });
      sift(topics, error).then((ok) => ok && (permitted().length ? open() : rest(error)));
    } else rest(error);
  };

  /** rest waits for the next attempt, or for the user if there should be none. */
  const rest = (error: TidingsError) => {
    const { code, detail: reason, hint, retryAfter } = error;
    drop();
    if (isFinal(error)) return set({ state: "denied", reason, code, hint });
    const ms = delay(attempt++, retry, retryAfter, env.random);
    bound = retryAfter > 0;
    later(open, ms);
    tick();
    set({ state: env.online() ? "waiting" : "offline", retryAt: env.now() + ms, reason });
  };

  // ---- Topics ----

  const tell = (topics: string[]) => out({ note: "ready", topics, own });
  /** ready notes what the server sends now, by our names and by its own. They differ in "user". */
  const ready = (topics: string[], named: string[]) => {
    has = topics;
    if (topics.includes(OWN)) own = named.find((t) => t !== OWN && !topics.includes(t)) ?? own;
    tell(topics);
  };

  /** sync changes the topics of a live stream until they are the wanted ones. */
  const sync = async () => {
    const still = current();
    const want = permitted();
    const add = want.filter((t) => !has.includes(t));
    // "user" and the topic it stands for are one topic to the server.
    const remove = has.filter((t) => !want.includes(t) && !want.includes(t === OWN ? own : t === own ? OWN : t));
    if (changing || !opened || !wanted.length || !(add.length + remove.length)) return;
    changing = true;
    tell(has.filter((t) => want.includes(t)));
    try {
      let named = want;
      if (conn) named = (await api.call(`/v1/connections/${conn}/topics`, { add, remove })).topics;
      else link!.topics!(want);
      if (still()) ready(want, named);
    } catch (e) {
      const error = thrown(e);
      if (!still()) return;
      if (!isFinal(error) || error.code === "connection_unknown") return void open();
      await sift(add, error);
    }
    if (!still()) return;
    changing = false;
    sync();
  };

  /** sift finds out which of the topics a refusal is about, for others must not suffer for them:
   * those that are refused by themselves, or else all of them together. */
  const sift = async (topics: string[], error: TidingsError) => {
    const still = current();
    const answers = await Promise.all(topics.map((t) => api.call(`/v1/topics/${encodeURIComponent(t)}/events?limit=1`).catch(thrown)));
    if (!still()) return false;
    const together = !answers.some(isFinal); // a page of events has no status
    topics.forEach((topic, i) => {
      const why = together ? error : answers[i];
      if (!isFinal(why)) return;
      refused.set(topic, why);
      out({ note: "refused", topic, error: why });
    });
    return true;
  };

  // ---- The token ----

  /** renew gives the live stream a newer token. If that fails until the old one ends, the stream
   * ends with it, and the next one begins with the newest token there is. */
  const renew = async (left: number) => {
    const still = current();
    try {
      const fresh = await api.tokens(token);
      if (!still() || fresh === token) return;
      if (conn) await api.call(`/v1/connections/${conn}/token`, { token: fresh });
      if (!still()) return;
      token = fresh;
      refused.clear(); // the new token may allow more
      sync();
    } catch (e) {
      const error = thrown(e);
      if (!still()) return;
      if (error.code === "user_changed") rest(error);
      else if (!isFinal(error) && left > HELLO_MS) later(() => renew(left / 2), left / 2);
    }
  };

  const close = () => {
    drop();
    linger();
    cursor = undefined;
    attempt = 0;
    tell([]);
    set({ state: "idle" });
  };

  return {
    close,
    cursor: () => cursor,
    resume(at) {
      cursor = at;
      open();
    },
    want(topics) {
      const sifted = refused.size;
      wanted = topics;
      for (const t of refused.keys()) if (!topics.includes(t)) refused.delete(t);
      linger();
      if (!topics.length) linger = env.later(close, LINGER_MS);
      else if (status.state === "idle" || (status.state === "denied" && sifted)) open();
      else sync();
    },
    check(online) {
      // A new network makes old sockets deaf, and a resumed stream costs nothing.
      if ("retryAt" in status ? !bound : opened && (online || silent() || slept())) open();
    },
    retry() {
      refused.clear();
      "reason" in status ? open() : sync();
    },
  };
}
