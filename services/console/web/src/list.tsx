// The list of the tail. Only what is in sight exists in the document: heights are fixed, so
// where a row stands is arithmetic.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useCell, useMedia } from "./hooks.ts";
import { Down } from "./icons.tsx";
import { EventLine, MarkLine } from "./row.tsx";
import type { Row, Tail } from "./tail.ts";

/** Heights in CSS pixels; the style sheet uses the same. */
const LINE = { wide: 30, narrow: 52 };
const DETAIL = { wide: 216, narrow: 420 };
/** SLACK is drawn above and below what is in sight, in pixels, so that scrolling shows no holes. */
const SLACK = 240;
/** NEAR is how close to the end counts as being there, in pixels. */
const NEAR = 12;

interface Props {
  tail: Tail;
  prefix: string;
  /** empty is shown while there are no rows. */
  empty: string;
  replay(cursor: string): void;
}

/** List shows the rows and follows the newest, until someone scrolls up or opens one. */
export function List({ tail, prefix, empty, replay }: Props) {
  useCell(tail.version);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [active, setActive] = useState(0);
  const size = useMedia("(max-width: 720px)") ? "narrow" : "wide";
  const { rows } = tail;
  const heightOf = (row: Row) => LINE[size] + (open.has(row.key) ? DETAIL[size] : 0);

  useLayoutEffect(() => {
    const node = box.current!;
    if (tail.hold === "no") node.scrollTop = node.scrollHeight;
  });
  useEffect(() => {
    box.current!.querySelector(`[data-key="${active}"][aria-expanded="true"]`)?.parentElement?.scrollIntoView({ block: "nearest" });
  }, [open]);
  useEffect(() => {
    const watch = new ResizeObserver(() => look());
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);

  function look() {
    if (!box.current) return; // the observer's last word, after the list is gone
    const { scrollTop, clientHeight } = box.current;
    setView((v) => (v.top === scrollTop && v.height === clientHeight ? v : { top: scrollTop, height: clientHeight }));
  }
  function scrolled() {
    if (!box.current) return;
    const { scrollTop, clientHeight, scrollHeight } = box.current;
    const atEnd = scrollHeight - scrollTop - clientHeight <= NEAR;
    if (!atEnd) tail.pause("look");
    else if (tail.hold === "look" && open.size === 0) tail.resume();
    look();
  }
  function toggle(key: number) {
    tail.pause("look");
    setActive(key);
    setOpen((old) => {
      const next = new Set(old);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  }
  function follow() {
    setOpen(new Set());
    tail.resume();
  }

  const { from, to, above, below } = cut(rows, heightOf, view);
  const last = rows.findLast((r) => r.kind === "event")?.key;
  const stop = rows.some((r) => r.key === active) ? active : last;
  return (
    <div class="list-frame">
      <div class={tail.hold === "look" ? "list held" : "list"} role="list" aria-label="Events, oldest first" ref={box} onScroll={scrolled}
        onKeyDown={(e) => move(e, box.current!, view, LINE[size])}>
        {rows.length === 0 && <p class="empty">{empty}</p>}
        <Space height={above} />
        {rows.slice(from, to).map((row) => row.kind === "mark"
          ? <MarkLine key={row.key} row={row} />
          : <EventLine key={row.key} row={row} open={open.has(row.key)} reachable={row.key === stop} prefix={prefix}
              toggle={() => toggle(row.key)} focus={() => setActive(row.key)} replay={(c) => { follow(); replay(c); }} />)}
        <Space height={below} />
      </div>
      {tail.hold !== "no" && (tail.fresh > 0 || tail.hold === "look") && (
        <button type="button" class="chip" onClick={follow}>
          <Down /> {tail.fresh > 0 ? `${tail.fresh.toLocaleString("en")}${tail.full ? "+" : ""} new` : "Follow"}
        </button>
      )}
    </div>
  );
}

/** Space stands for the rows that are not drawn. Its height is set on the element, not in markup:
 * the page's policy forbids style attributes. */
function Space({ height }: { height: number }) {
  const node = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => void (node.current!.style.height = `${height}px`), [height]);
  return <div ref={node} aria-hidden="true" />;
}

/** cut finds the rows in sight and the heights of what is above and below. */
function cut(rows: Row[], heightOf: (row: Row) => number, view: { top: number; height: number }) {
  let at = 0;
  let from = -1;
  let to = 0;
  let above = 0;
  let end = 0;
  rows.forEach((row, i) => {
    const next = at + heightOf(row);
    if (next > view.top - SLACK && at < view.top + view.height + SLACK) {
      if (from < 0) {
        from = i;
        above = at;
      }
      to = i + 1;
      end = next;
    }
    at = next;
  });
  if (from >= 0) return { from, to, above, below: at - end };
  // The list became shorter than where it was scrolled to: draw its end, the next scroll corrects it.
  const tailFrom = Math.max(0, rows.length - 40);
  const skipped = rows.slice(0, tailFrom).reduce((sum, row) => sum + heightOf(row), 0);
  return { from: tailFrom, to: rows.length, above: skipped, below: 0 };
}

/** move walks from row to row with the keyboard. */
function move(e: KeyboardEvent, box: HTMLElement, view: { height: number }, line: number) {
  const jump = { PageUp: -view.height, PageDown: view.height, Home: -1e9, End: 1e9 }[e.key];
  if (jump !== undefined && !(e.target as Element).closest(".json")) {
    e.preventDefault();
    box.scrollTop += jump;
    return;
  }
  const step = { ArrowUp: -1, ArrowDown: 1, k: -1, j: 1 }[e.key];
  const here = (e.target as Element).closest<HTMLElement>(".line");
  if (!step || !here || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  const lines = [...box.querySelectorAll<HTMLElement>(".line")];
  const next = lines[lines.indexOf(here) + step];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  if (!next) box.scrollTop += step * line;
}
