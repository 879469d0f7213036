// The events panel: what to follow, what to keep, pause, and the list.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCell, useClock } from "./hooks.ts";
import { Grow, Pause, Play, Search, Shrink, Trash, Warn } from "./icons.tsx";
import { List } from "./list.tsx";
import { Said } from "./said.tsx";
import { DEFAULT_TOPICS, readRoute, splitTopics, writeRoute, type Route } from "./route.ts";
import type { State } from "./stream.ts";
import type { Source } from "./source.ts";
import { MAX_ROWS, type Tail } from "./tail.ts";

/** SAFE_TOPICS is what every token may read. */
const SAFE_TOPICS = "user,all";

interface Props {
  source: Source;
  prefix: string;
  /** alone says that the panel has the page for itself; setAlone gives and takes it. */
  alone: boolean;
  setAlone(alone: boolean): void;
}

/** Events is the panel. */
export function Events({ source, prefix, alone, setAlone }: Props) {
  const { tail } = source;
  const stream = useCell(source.stream);
  const state = useCell(stream.state);
  const [route, setRoute] = useState(() => readRoute(location.hash));
  const [typed, setTyped] = useState(route.topics);

  useEffect(() => tail.filter({ type: route.type, text: route.text }), [route.type, route.text]);
  useEffect(() => history.replaceState(null, "", writeRoute(route)), [route]);
  useEffect(() => {
    const changed = () => {
      const next = readRoute(location.hash);
      setRoute(next);
      setTyped(next.topics);
      source.follow(splitTopics(next.topics));
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  useSpace(tail);

  const change = (part: Partial<Route>) => setRoute((r) => ({ ...r, ...part }));
  const follow = (topics: string) => {
    const clean = splitTopics(topics).join(",") || DEFAULT_TOPICS;
    setTyped(clean);
    change({ topics: clean });
    source.follow(splitTopics(clean));
  };
  return (
    <section class="panel" aria-labelledby="events-title">
      <header class="panel-head">
        <h2 id="events-title">Events</h2>
        <form class="filters" onSubmit={(e) => { e.preventDefault(); follow(typed); }}>
          <Field label="Topics" hint="Topics and patterns, comma separated. * is one token, > the rest." mono value={typed} invalid={state.name === "denied"} input={setTyped} leave={() => typed !== route.topics && follow(typed)} />
          <Field label="Type" placeholder="any" hint="Types, comma separated. * stands for anything, ! leaves a type out." mono value={route.type} input={(type) => change({ type })} />
          <Field label="Text" placeholder="Find text" icon value={route.text} input={(text) => change({ text })} />
          <button type="submit" class="hidden" tabIndex={-1}>Follow</button>
        </form>
        <Buttons tail={tail} alone={alone} setAlone={setAlone} />
      </header>
      {state.name === "denied" && <Refused state={state} safe={() => follow(SAFE_TOPICS)} showSafe={route.topics !== SAFE_TOPICS} />}
      <List tail={tail} prefix={prefix} replay={(c) => source.replay(c)} empty={emptyText(state, route)} />
      <Footer source={source} />
    </section>
  );
}

function emptyText(state: State, route: Route): string {
  if (state.name === "denied") return "Nothing to show.";
  if (state.name !== "live") return "Connecting…";
  if (route.type || route.text) return "Nothing matches yet. New events appear here as they happen.";
  return `Waiting for the first event on ${route.topics}.`;
}

interface FieldProps {
  label: string;
  value: string;
  input(value: string): void;
  leave?(): void;
  placeholder?: string;
  hint?: string;
  mono?: boolean;
  icon?: boolean;
  invalid?: boolean;
}

function Field({ label, value, input, leave, placeholder, hint, mono, icon, invalid }: FieldProps) {
  return (
    <label class={`filter filter-${label.toLowerCase()}`} title={hint}>
      {icon ? <Search /> : <span class="filter-label">{label}</span>}
      <input type="text" class={mono ? "mono" : ""} value={value} placeholder={placeholder} aria-label={label} aria-invalid={invalid}
        autocomplete="off" autocapitalize="off" spellcheck={false} onInput={(e) => input(e.currentTarget.value)} onBlur={leave} />
    </label>
  );
}

function Buttons({ tail, alone, setAlone }: { tail: Tail } & Pick<Props, "alone" | "setAlone">) {
  useCell(tail.version);
  const held = tail.hold === "user";
  return (
    <div class="buttons">
      <button type="button" class={held ? "button active" : "button"} aria-pressed={held} title="Pause or go on (space)" onClick={() => flip(tail)}>
        {held ? <Play /> : <Pause />}<span>{held ? "Resume" : "Pause"}</span>
      </button>
      <button type="button" class="button square" aria-label="Clear the list" title="Clear the list" onClick={() => tail.clear()}><Trash /></button>
      <button type="button" class="button square" aria-pressed={alone} aria-label="Only events" title={alone ? "Show the charts" : "Hide the charts"} onClick={() => setAlone(!alone)}>
        {alone ? <Shrink /> : <Grow />}
      </button>
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
      const own = target.closest("input, select, textarea, button:not(.line), [popover], .json");
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
      <span><b>{n(perSecond)}</b> events/s</span>
      <span class="seen"><b>{n(tail.seen)}</b> received</span>
      <span><b>{n(tail.rows.length)}</b> / {n(MAX_ROWS)} rows</span>
      {tail.hold !== "no" && <span class="late">{tail.hold === "user" ? "Paused" : "Paused while you look"}</span>}
      <span class="keys"><kbd>space</kbd> pause <kbd>↑</kbd><kbd>↓</kbd> walk <kbd>enter</kbd> open</span>
    </footer>
  );
}
