// A mail as it looks: in a frame that can do nothing, as wide as a phone or a window, on a light
// ground or a dark one.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Moon, Sun } from "./icons.tsx";
import { theme } from "./theme.ts";

/** Width is how wide a picture of a mail is. */
export type Width = "full" | "desk" | "phone";

/** Paper is how a mail is looked at; it is kept from one mail to the next. */
export interface Paper {
  width: Width;
  dark: boolean;
}

/** usePaper begins with the page's own ground, and on a phone with a phone. */
export function usePaper(width: Width): [Paper, (p: Paper) => void] {
  return useState<Paper>(() => ({ width: matchMedia("(max-width: 720px)").matches ? "phone" : width, dark: theme.get() === "dark" }));
}

interface ToolsProps {
  paper: Paper;
  set(p: Paper): void;
  widths: readonly (readonly [Width, string])[];
}

/** Tools choose width and ground. */
export function Tools({ paper, set, widths }: ToolsProps) {
  return (
    <>
      <div class="segments" role="group" aria-label="Width">
        {widths.map(([w, words]) => <button type="button" key={w} aria-pressed={paper.width === w} onClick={() => set({ ...paper, width: w })}>{words}</button>)}
      </div>
      <button type="button" class="button quiet square" aria-label={paper.dark ? "Look at it on a light ground" : "Look at it on a dark ground"} title={paper.dark ? "Light" : "Dark"} onClick={() => set({ ...paper, dark: !paper.dark })}>
        {paper.dark ? <Sun /> : <Moon />}
      </button>
    </>
  );
}

/** DESK is how wide a window is that mail is read in, in pixels. */
const DESK = 800;

/** Sheet is the frame. Its sandbox has no scripts and no origin; links open elsewhere. A frame is made
 * anew for another ground, since a document is asked once what it prefers. */
export function Sheet({ url, title, paper }: { url: string; title: string; paper: Paper }) {
  const box = useRef<HTMLDivElement>(null);
  const frame = `${url} ${paper.dark}`;
  // Where there is no room for a whole window it is made smaller.
  useLayoutEffect(() => {
    const fit = () => {
      const { style } = box.current!.querySelector("iframe")!;
      const { clientWidth: width, clientHeight: height } = box.current!;
      const scale = paper.width === "desk" ? Math.min(1, width / DESK) : 1;
      Object.assign(style, scale < 1 || paper.width === "desk"
        ? { width: `${DESK}px`, height: `${height / scale}px`, transform: scale < 1 ? `scale(${scale})` : "" }
        : { width: "", height: "", transform: "" });
    };
    const watch = new ResizeObserver(fit);
    watch.observe(box.current!);
    fit();
    return () => watch.disconnect();
  }, [paper.width, frame]);
  return (
    <div ref={box} class={`sheet ${paper.width} ${paper.dark ? "dark" : ""}`}>
      <iframe key={frame} src={url} title={title} sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" onLoad={(e) => e.currentTarget.classList.add("loaded")} />
    </div>
  );
}
