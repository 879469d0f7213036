// A panel of two halves: a list, and one of it beside the list, or in its place where there is no
// room for both.

import "./kit.ts";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Right } from "./icons.tsx";
import { wear } from "./lazy.tsx";
import css from "./style/split.sheet.css";
// These views share one file with all of this, as kit.ts explains.
import "./confirm.tsx";
import "./live.tsx";
import "./load.ts";
import "./sheet.tsx";
import "./story.ts";
import "./when.ts";

wear(css);

interface Props {
  title: string;
  /** head are the fields beside the title. */
  head?: ComponentChildren;
  /** note stands between the head and the halves. */
  note?: ComponentChildren;
  list: ComponentChildren;
  foot: ComponentChildren;
  /** open names what is beside the list, "" for nothing in particular; back leads to the list. */
  open: string;
  back: string;
  /** children are what is beside the list. */
  children: ComponentChildren;
}

/** Split is the panel. */
export function Split({ title, head, note, list, foot, open, back, children }: Props) {
  const one = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    one.current!.querySelector(".scroll")!.scrollTop = 0;
    // Where the list is out of sight the focus must not stay in it.
    if (matchMedia("(max-width: 900px)").matches) one.current!.querySelector<HTMLElement>(".back")?.focus({ preventScroll: true });
  }, [open]);
  return (
    <section class={open ? "panel split has-one" : "panel split"} aria-labelledby="view-title">
      <header class="panel-head"><h2 id="view-title">{title}</h2>{head}</header>
      {note}
      <div class="halves">
        <div class="list-frame all">{list}</div>
        <div class="list-frame one" ref={one}>
          <div class="scroll" tabIndex={-1}>
            {open && <a class="back" href={back}><Right /> {title}</a>}
            {children}
          </div>
        </div>
      </div>
      <footer class="panel-foot">{foot}</footer>
    </section>
  );
}
