// The keys, and the list of them.

import { useEffect, useRef, useState } from "preact/hooks";
import type { View } from "./route.ts";
import { go } from "./router.ts";
import { toggle } from "./theme.ts";

/** TITLES are the names of the views. */
export const TITLES: Record<View, string> = {
  overview: "Overview", connections: "Connections", topics: "Topics", events: "Events", streams: "Streams",
  notifications: "Notifications", mailbox: "Mailbox", dead: "Dead letters", templates: "Templates", try: "Try it",
};

/** LETTERS follow a "g". */
export const LETTERS: Record<View, string> = { overview: "o", connections: "c", topics: "t", events: "e", streams: "s", notifications: "n", mailbox: "m", dead: "d", templates: "p", try: "y" };

/** CHORD_MS is how long "g" waits for its second key. */
const CHORD_MS = 1_500;

/** Keys listens to the keyboard and shows its help. */
export function Keys({ views }: { views: readonly View[] }) {
  const [shown, show] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    // Never so far: time stamps begin at 0 with the page.
    let chord = -CHORD_MS;
    const pressed = (e: KeyboardEvent) => {
      const target = e.target as Element;
      if (e.ctrlKey || e.metaKey || e.altKey || target.closest("input, select, textarea, dialog")) return;
      const view = e.timeStamp - chord < CHORD_MS && views.find((v) => LETTERS[v] === e.key);
      chord = -CHORD_MS;
      if (view) go(view);
      else if (e.key === "g") chord = e.timeStamp;
      else if (e.key === "?") show(true);
      else if (e.key === "d") toggle();
      else if (e.key === "/") document.querySelector<HTMLInputElement>("main input")?.focus();
      else return;
      e.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  useEffect(() => {
    if (shown) dialog.current!.showModal();
  }, [shown]);
  const keys: [string[], string][] = [
    ...views.map((v): [string[], string] => [["g", LETTERS[v]], TITLES[v]]),
    [["/"], "To the first field"], [["space"], "Pause the events"], [["↑", "↓"], "Walk in a list"], [["enter"], "Open"], [["d"], "Light or dark"], [["?"], "This help"],
  ];
  return (
    <>
      <button type="button" class="button quiet square wide-only" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => show(true)}>?</button>
      {shown && (
        <dialog class="dialog keys-help" ref={dialog} onClose={() => show(false)} aria-labelledby="keys-title">
          <h2 id="keys-title">Keyboard</h2>
          <dl>{keys.map(([k, what]) => <div key={what}><dt>{what}</dt><dd>{k.map((c) => <kbd key={c}>{c}</kbd>)}</dd></div>)}</dl>
          <footer><button type="button" class="button" onClick={() => dialog.current!.close()}>Close</button></footer>
        </dialog>
      )}
    </>
  );
}
