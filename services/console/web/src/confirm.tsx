// A question before something that can't be undone.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { problemOf, type Problem } from "./ask.ts";
import { Said } from "./said.tsx";

interface Props {
  title: string;
  /** go is what the button says; kill makes it red, as it is unless said otherwise. */
  go: string;
  kill?: boolean;
  close(): void;
  /** act does it; done is called after that, with what it answered. */
  act(): Promise<unknown>;
  done(answer: unknown): void;
  children: ComponentChildren;
}

/** Confirm asks, and does it. */
export function Confirm({ title, go, kill = true, close, act, done, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, fail] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current!.showModal(), []);
  const run = async () => {
    setBusy(true);
    try {
      done(await act());
      close();
    } catch (e) {
      fail(problemOf(e));
      setBusy(false);
    }
  };
  return (
    <dialog class="dialog" ref={dialog} onClose={close} aria-labelledby="confirm-title">
      <form method="dialog" onSubmit={(e) => { e.preventDefault(); void run(); }}>
        <h2 id="confirm-title">{title}</h2>
        <p>{children}</p>
        {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
        <footer>
          <button type="button" class="button" onClick={() => dialog.current!.close()}>Cancel</button>
          <button type="submit" class={kill ? "button kill" : "button go"} disabled={busy}>{go}</button>
        </footer>
      </form>
    </dialog>
  );
}
