// The door: shown when there is no token, or none the server takes.

import { useState } from "preact/hooks";
import { CopyButton } from "./copy.tsx";
import { Logo, Warn } from "./icons.tsx";
import { Said } from "./said.tsx";
import { token, use } from "./session.ts";
import type { Problem } from "./ask.ts";

const COMMAND = "tidings token";

/** TokenCard asks for a token. */
export function TokenCard({ problem }: { problem: Problem | undefined }) {
  const [text, setText] = useState("");
  const again = problem?.code === "network" && token() !== "";
  return (
    <main class="door">
      <form class="door-card" onSubmit={(e) => {
        e.preventDefault();
        if (text.trim()) use(text);
        else if (again) use(token());
      }}>
        <Logo size={40} />
        <h1>Paste a token</h1>
        <p>The console shows what your token may read. Make one where Tidings runs:</p>
        <div class="command">
          <code>{COMMAND}</code>
          <CopyButton text={COMMAND} label="Copy command" />
        </div>
        {problem && (
          <p class="problem" role="alert" id="token-problem"><Warn /> <Said problem={problem} /></p>
        )}
        <label class="field">
          <span>Token</span>
          <input type="password" autocomplete="off" spellcheck={false} autofocus value={text} placeholder="eyJhbGciOi…"
            aria-describedby={problem ? "token-problem" : undefined} onInput={(e) => setText(e.currentTarget.value)} />
        </label>
        <button type="submit" class="button primary" disabled={!text.trim() && !again}>{again && !text.trim() ? "Try again" : "Open the console"}</button>
        <p class="small">It stays in this tab and is gone when you close it.</p>
      </form>
    </main>
  );
}
