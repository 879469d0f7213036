// A list that grows at its head while it is looked at. Rows have one height and are placed by
// transforms, so that what comes pushes nothing about; and while somebody points into the list,
// walks in it or has scrolled, what is new waits behind a button.

import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useRef, useState } from "preact/hooks";
import { Down } from "./icons.tsx";

interface Props<T> {
  /** label names the list; name changes when it is another one, which begins anew. */
  label: string;
  name: string;
  rows: readonly T[];
  keyOf(row: T): string;
  href(row: T): string;
  /** chosen is the key of the row that is open. */
  chosen: string;
  draw(row: T): ComponentChildren;
  /** more shows older rows, if there are any. */
  more?: (() => void) | undefined;
  /** children stand in place of the rows while there are none. */
  children: ComponentChildren;
}

/** HEIGHT is that of a row in pixels, as in live.sheet.css. */
const HEIGHT = 60;
/** NEAR is how far from its head a list still counts as being there, in pixels. */
const NEAR = 4;

/** held returns the rows in their places: what is not known yet and stands before a known row has to
 * wait, what comes after the last is shown. */
export function held<T>(shown: readonly T[], rows: readonly T[], keyOf: (row: T) => string): { rows: T[]; fresh: number } {
  const news = new Map(rows.map((row) => [keyOf(row), row]));
  const known = new Set(shown.map(keyOf));
  const last = rows.findLastIndex((row) => known.has(keyOf(row)));
  const waiting = rows.filter((row, i) => i < last && !known.has(keyOf(row)));
  return { rows: [...shown.map((row) => news.get(keyOf(row)) ?? row), ...rows.slice(last + 1).filter((row) => last >= 0 && !known.has(keyOf(row)))], fresh: waiting.length };
}

/** Live is the list. */
export function Live<T>({ label, name, rows, keyOf, href, chosen, draw, more, children }: Props<T>) {
  const [pointed, point] = useState(false);
  const [walked, walk] = useState(false);
  const [away, scroll] = useState(false);
  const kept = useRef<{ name: string; rows: readonly T[] }>({ name: "", rows: [] });
  const box = useRef<HTMLDivElement>(null);
  const stay = kept.current.name === name && kept.current.rows.length > 0 && (pointed || walked || away);
  const { rows: shown, fresh } = stay ? held(kept.current.rows, rows, keyOf) : { rows, fresh: 0 };
  // Rows that are in the list from the beginning need no introduction.
  const settled = kept.current.name === name && kept.current.rows.length > 0 ? new Set(kept.current.rows.map(keyOf)) : undefined;
  kept.current = { name, rows: shown };
  const follow = () => {
    point(false);
    walk(false);
    scroll(false);
    kept.current = { name, rows };
    box.current!.scrollTop = 0;
  };
  const stop = shown.some((row) => keyOf(row) === chosen) ? chosen : shown[0] && keyOf(shown[0]);
  return (
    <div class="live-box" onPointerEnter={(e) => e.pointerType === "mouse" && point(true)} onPointerLeave={() => point(false)}>
      <div class="scroll" ref={box} role="region" aria-label={label} onScroll={(e) => scroll(e.currentTarget.scrollTop > NEAR)}
        onFocusIn={(e) => walk((e.target as Element).matches(":focus-visible"))} onFocusOut={() => walk(false)} onKeyDown={move}>
        {shown.length === 0 ? children : (
          <ul class="live" style={{ height: `${shown.length * HEIGHT}px` }}>
            {shown.map((row, i) => {
              const key = keyOf(row);
              return (
                <li key={key} class={settled && !settled.has(key) ? "arrived" : ""} style={{ transform: `translateY(${i * HEIGHT}px)` }}>
                  <a href={href(row)} class="live-row" aria-current={key === chosen ? "true" : undefined} tabIndex={key === stop ? 0 : -1} data-key={key}>{draw(row)}</a>
                </li>
              );
            })}
          </ul>
        )}
        {more && shown.length > 0 && <p class="older"><button type="button" class="button quiet" onClick={more}>Show older</button></p>}
      </div>
      {fresh > 0 && <button type="button" class="chip up" onClick={follow}><Down /> {`${fresh} new`}</button>}
    </div>
  );
}

/** Bones stand for rows that are on their way. */
export function Bones({ n = 6 }: { n?: number }) {
  return (
    <div class="bones" aria-busy="true" aria-label="Loading">
      {Array.from({ length: n }, (_, i) => <p key={i}><span class="bone">Loading</span><span class="bone">Loading what there is</span></p>)}
    </div>
  );
}

/** move walks from row to row with the keyboard. */
function move(e: TargetedKeyboardEvent<HTMLElement>): void {
  const step = { ArrowUp: -1, ArrowDown: 1, k: -1, j: 1 }[e.key];
  const here = (e.target as Element).closest<HTMLElement>(".live-row");
  if (!step || !here || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  const all = [...e.currentTarget.querySelectorAll<HTMLElement>(".live-row")];
  all[all.indexOf(here) + step]?.focus();
}
