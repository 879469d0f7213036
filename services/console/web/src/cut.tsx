// Cutting connections: asked once more, because it hits people.

import { useEffect, useRef, useState } from "preact/hooks";
import { api, ask, problemOf, type Problem } from "./ask.ts";
import { Said } from "./said.tsx";

/** Victim is one connection, or all of a user if conn is left out. */
export interface Victim {
  conn?: string;
  user: string;
}

interface Props {
  victim: Victim;
  close(): void;
  /** done is called after the cut. */
  done(): void;
}

/** CutDialog asks, and cuts. */
export function CutDialog({ victim: { conn, user }, close, done }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [back, setBack] = useState(true);
  const [problem, fail] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current!.showModal(), []);
  const cut = async () => {
    setBusy(true);
    try {
      await (conn ? ask(api(`connections/${encodeURIComponent(conn)}/cut`), { return: back }) : ask(api("cut"), { user, return: back }));
      done();
      close();
    } catch (e) {
      fail(problemOf(e));
      setBusy(false);
    }
  };
  const who = <b class="mono">{user || "anonymous"}</b>;
  return (
    <dialog class="dialog" ref={dialog} onClose={close} aria-labelledby="cut-title">
      <form method="dialog" onSubmit={(e) => { e.preventDefault(); void cut(); }}>
        <h2 id="cut-title">{conn ? "Cut this connection?" : "Cut all connections of this user?"}</h2>
        <p>{conn ? <>One connection of {who} ends with <code>tidings.bye</code>, code <code>cut</code>.</> : <>Every connection of {who} ends, on all edges, with <code>tidings.bye</code>, code <code>cut</code>.</>}</p>
        <fieldset>
          <label><input type="radio" name="back" checked={back} onChange={() => setBack(true)} /><span><b>May come back</b> after a while, at its cursor; it misses nothing</span></label>
          <label><input type="radio" name="back" checked={!back} onChange={() => setBack(false)} /><span><b>Must not come back</b> by itself; somebody has to ask for it</span></label>
        </fieldset>
        {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
        <footer>
          <button type="button" class="button" onClick={() => dialog.current!.close()}>Cancel</button>
          <button type="submit" class="button kill" disabled={busy}>{conn ? "Cut connection" : "Cut all"}</button>
        </footer>
      </form>
    </dialog>
  );
}
