// The events panel: what to follow, what to keep, pause, and the list.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCell, useClock } from "./hooks.ts";
import { Field } from "./field.tsx";
import { Pause, Play, Trash, Warn } from "./icons.tsx";
import { List } from "./list.tsx";
import { Said } from "./said.tsx";
import { DEFAULT_TOPICS, splitTopics } from "./route.ts";
import { amend, route } from "./router.ts";
import type { State } from "./stream.ts";
import type { Source } from "./source.ts";
import { MAX_ROWS, type Tail } from "./tail.ts";

/** SAFE_TOPICS is what every token may read. */
const SAFE_TOPICS = "user,all";

interface Props {
  source: Source;
  prefix: string;
}

/** Filters is what the address says. */
interface Filters {
  topics: string;
  type: string;
  text: string;
}

/** topicsOf reads the topics of an address. */
export function topicsOf(query: Record<string, string>): string {
  return query.topics ?? DEFAULT_TOPICS;
}

/** Events is the panel. */
export function Events({ source, prefix }: Props) {
  const { tail } = source;
  const stream = useCell(source.stream);
  const state = useCell(stream.state);
  const { query } = useCell(route);
  const shown: Filters = { topics: topicsOf(query), type: query.type ?? "", text: query.q ?? "" };
  const [typed, setTyped] = useState(shown.topics);

  useEffect(() => tail.filter({ type: shown.type, text: shown.text }), [shown.type, shown.text]);
  useEffect(() => {
    setTyped(shown.topics);
    source.follow(splitTopics(shown.topics));
  }, [shown.topics]);
  useSpace(tail);

  const follow = (topics: string) => {
    const clean = splitTopics(topics).join(",");
    setTyped(clean || DEFAULT_TOPICS);
    amend({ topics: clean === DEFAULT_TOPICS ? "" : clean });
  };
  return (
    <section class="panel" aria-labelledby="view-title">
      <header class="panel-head">
        <h2 id="view-title">Events</h2>
        <form class="filters" onSubmit={(e) => { e.preventDefault(); follow(typed); }}>
          <Field label="Topics" hint="Topics and patterns, comma separated. * is one token, > the rest." mono value={typed} invalid={state.name === "denied"} input={setTyped} leave={() => typed !== shown.topics && follow(typed)} />
          <Field label="Type" placeholder="any" hint="Types, comma separated. * stands for anything, ! leaves a type out." mono value={shown.type} input={(type) => amend({ type })} />
          <Field label="Text" placeholder="Find text" icon value={shown.text} input={(q) => amend({ q })} />
          <button type="submit" class="hidden" tabIndex={-1}>Follow</button>
        </form>
        <Buttons tail={tail} />
      </header>
      {state.name === "denied" && <Refused state={state} safe={() => follow(SAFE_TOPICS)} showSafe={shown.topics !== SAFE_TOPICS} />}
      <List tail={tail} prefix={prefix} replay={(c) => source.replay(c)} empty={emptyText(state, shown)} />
      <Footer source={source} />
    </section>
  );
}

function emptyText(state: State, f: Filters): string {
  if (state.name === "denied") return "Nothing to show.";
  if (state.name !== "live") return "Connecting…";
  if (f.type || f.text) return "Nothing matches yet. New events appear here as they happen.";
  return `Waiting for the first event on ${f.topics}.`;
}

function Buttons({ tail }: { tail: Tail }) {
  useCell(tail.version);
  const held = tail.hold === "user";
  return (
    <div class="buttons">
      <button type="button" class={held ? "button active" : "button"} aria-pressed={held} title="Pause or go on (space)" onClick={() => flip(tail)}>
        {held ? <Play /> : <Pause />}<span>{held ? "Resume" : "Pause"}</span>
      </button>
      <button type="button" class="button square" aria-label="Clear the list" title="Clear the list" onClick={() => tail.clear()}><Trash /></button>
    </div>
  );
}

function flip(tail: Tail): void {
  if (tail.hold === "user") tail.resume();
  else tail.pause("user");
}

/** useSpace makes the space bar pause, except where it types or presses something. */
function useSpace(tail: Tail): void {
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => {
      const target = e.target as Element;
      const own = target.closest("input, select, textarea, a, button:not(.line), dialog, [popover], .json");
      if (e.key !== " " || own || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      if (!e.repeat) flip(tail);
    };
    // A focused line is a button: the key's release would open it.
    const released = (e: KeyboardEvent) => {
      if (e.key === " " && (e.target as Element).closest(".line")) e.preventDefault();
    };
    addEventListener("keydown", pressed);
    addEventListener("keyup", released);
    return () => {
      removeEventListener("keydown", pressed);
      removeEventListener("keyup", released);
    };
  }, [tail]);
}

function Refused({ state, safe, showSafe }: { state: State & { name: "denied" }; safe(): void; showSafe: boolean }) {
  return (
    <p class="problem bar" role="alert">
      <Warn /> <Said problem={state.problem} />
      {showSafe && <button type="button" class="button quiet" onClick={safe}>Follow {SAFE_TOPICS.replace(",", " and ")} instead</button>}
    </p>
  );
}

/** Footer counts: what came, what is kept, how fast. */
function Footer({ source }: { source: Source }) {
  const { tail } = source;
  useCell(tail.version);
  const now = useClock(1000);
  const past = useRef({ now, seen: tail.seen });
  const perSecond = useMemo(() => {
    const { now: then, seen } = past.current;
    past.current = { now, seen: tail.seen };
    return now > then && tail.seen >= seen ? Math.round(((tail.seen - seen) * 1000) / (now - then)) : 0;
  }, [now]);
  const n = (v: number) => v.toLocaleString("en");
  return (
    <footer class="panel-foot">
      <span class="fact short">per second <b>{n(perSecond)}</b></span>
      <span class="fact seen">received <b>{n(tail.seen)}</b></span>
      <span class="fact">rows <b>{`${n(tail.rows.length)} / ${n(MAX_ROWS)}`}</b></span>
      {tail.hold !== "no" && <span class="late">{tail.hold === "user" ? "Paused" : "Paused while you look"}</span>}
      <span class="keys"><kbd>space</kbd> pause <kbd>↑</kbd><kbd>↓</kbd> walk <kbd>enter</kbd> open</span>
    </footer>
  );
}
