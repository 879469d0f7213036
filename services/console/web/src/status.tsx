// The status pill: what the live connection is doing, in shape, colour and words.

import { useEffect, useRef, useState } from "preact/hooks";
import { clock, span } from "./format.ts";
import { useCell, useClock } from "./hooks.ts";
import { Shape, type Tone } from "./state.tsx";
import type { State, Stream } from "./stream.ts";

/** SAY_MS is the least time between two announcements to a screen reader: a flapping network
 * must not talk over everything else. */
const SAY_MS = 5_000;

interface Props {
  /** streams are the live streams by name; the pill shows the one that is worst off. */
  streams: { name: string; stream: Stream }[];
  user: string;
  forget(): void;
}

type Look = { tone: Tone; label: string };

/** RANK orders states from worst to best. */
const RANK = ["denied", "offline", "waiting", "idle", "connecting", "catching-up", "live"];

/** Status is the pill, its "Retry now" and the details behind it. */
export function Status({ streams, user, forget }: Props) {
  const states = streams.map(({ stream }) => useCell(stream.state));
  const state = worst(states);
  const waits = state.name === "waiting" || state.name === "offline";
  const now = useClock(waits ? 250 : 1000);
  const { tone, label } = look(state, now);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <div class={`status ${tone}`}>
      <button type="button" class="pill" ref={button} popovertarget="details" aria-label={`Connection: ${label}. Details`}>
        <Shape tone={tone} />
        <span class="pill-text">{label}</span>
      </button>
      {waits && (
        <button type="button" class="retry" onClick={() => streams.forEach(({ stream }) => stream.retryNow())}>Retry now</button>
      )}
      <Announce text={look(state, 0).label} />
      <div id="details" popover="auto" class="popover" aria-label="Connection details">
        {streams.map(({ name, stream }, i) => <Details key={name} name={name} stream={stream} state={states[i]!} now={now} />)}
        <footer class="popover-foot">
          <span>{user ? <>Signed in as <b>{user}</b></> : "No token in use"}</span>
          <button type="button" class="button quiet" onClick={forget}>Forget token</button>
        </footer>
      </div>
    </div>
  );
}

/** worst picks the state to show. A stream denied for its topics alone says so where it stands;
 * it turns the pill red only when nothing else works. */
function worst(states: State[]): State {
  const open = states.filter((s) => s.name !== "denied");
  return [...(open.length ? open : states)].sort((a, b) => RANK.indexOf(a.name) - RANK.indexOf(b.name))[0]!;
}

/** look is how a state is shown; now is the time for its countdown, 0 for none. */
export function look(state: State, now: number): Look {
  switch (state.name) {
    case "live":
      return { tone: "good", label: "Live" };
    case "catching-up":
      return { tone: "busy", label: "Catching up" };
    case "waiting": {
      const left = now && Math.ceil((state.retryAt - now) / 1000);
      return { tone: "warn", label: left > 0 ? `Reconnecting in ${left} s` : "Reconnecting" };
    }
    case "offline":
      return { tone: "bad", label: "Offline" };
    case "denied":
      return { tone: "bad", label: "Denied" };
    default:
      return { tone: "busy", label: "Connecting" };
  }
}

/** Announce tells a screen reader, politely and not too often. */
function Announce({ text }: { text: string }) {
  const [said, say] = useState("");
  const last = useRef(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      last.current = Date.now();
      say(text);
    }, Math.max(0, last.current + SAY_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [text]);
  return <span class="hidden" role="status" aria-live="polite">{said}</span>;
}

interface DetailsProps {
  name: string;
  stream: Stream;
  state: State;
  now: number;
}

function Details({ name, stream, state, now }: DetailsProps) {
  const f = stream.facts;
  const { tone, label } = look(state, now);
  const [epoch = ""] = f.cursor.split("-");
  const rows: [string, string][] = [
    ["transport", "SSE over fetch"],
    ["node", f.node],
    ["conn", f.conn],
    ["cursor", f.cursor],
    ["epoch", epoch],
    ["topics", f.topics.join(", ")],
    ["last byte", f.lastByte ? (now - f.lastByte < 1000 ? "just now" : `${span(now - f.lastByte)} ago`) : "never"],
    ["reconnects", String(f.reconnects)],
    ["events", f.events.toLocaleString("en")],
  ];
  if (state.name === "denied") rows.unshift(["reason", state.problem.detail]);
  if (state.name === "waiting" || state.name === "offline") {
    rows.unshift(["reason", state.reason], ["next try", clock(state.retryAt)]);
  }
  return (
    <section class={`details ${tone}`}>
      <h3><Shape tone={tone} /> {name} <span class="facts">{label}</span></h3>
      <dl class="pairs">
        {rows.filter(([, v]) => v !== "").map(([k, v]) => <><dt key={k}>{k}</dt><dd>{v}</dd></>)}
      </dl>
    </section>
  );
}
