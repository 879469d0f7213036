// The form that sends a notification, and how to send the same elsewhere.

import { useState } from "preact/hooks";
import { act, problemOf, type Problem } from "./ask.ts";
import { quote } from "./commands.ts";
import { CopyButton } from "./copy.tsx";
import { Said } from "./said.tsx";
import { recipients } from "./story.ts";

const START = { to: "", category: "orders", title: "Order 42 shipped", body: "It is on its way." };
const SEVERITIES = ["low", "normal", "high", "critical"];

/** Send is the form; sent is told the id. */
export function Send({ user, sent }: { user: string; sent(id: string): void }) {
  const [form, setForm] = useState({ ...START, to: [user || "ann"].join(", ") });
  const [severity, setSeverity] = useState("normal");
  const [problem, fail] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const to = recipients(form.to);
  const body = {
    to, category: form.category.trim(), title: form.title.trim(), body: form.body, ...(severity !== "normal" && { severity }),
  };
  const go = async () => {
    setBusy(true);
    try {
      const { id } = await act<{ id: string }>("POST", "/v1/notify", body);
      fail(undefined);
      sent(id);
    } catch (e) {
      fail(problemOf(e));
    }
    setBusy(false);
  };
  const text = (name: keyof typeof START, label: string, whole = false) => (
    <label class={whole ? "field whole" : "field"}><span>{label}</span>
      <input type="text" aria-label={label} value={form[name]} autocomplete="off" autocapitalize="off" spellcheck={false} onInput={(e) => setForm({ ...form, [name]: e.currentTarget.value })} />
    </label>
  );
  const code = `curl -d ${quote(JSON.stringify(body))} ${location.origin}/v1/notify`;
  return (
    <form class="form" onSubmit={(e) => { e.preventDefault(); void go(); }}>
      <div class="one-head">
        <h3>Send a notification</h3>
        <p class="small">To people by their id, or to everyone who follows a topic: <code>ann, room.ops</code></p>
      </div>
      {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
      <div class="fields">
        {text("to", "To", true)}
        {text("category", "Category")}
        <label class="field"><span>Severity</span>
          <select aria-label="Severity" value={severity} onChange={(e) => setSeverity(e.currentTarget.value)}>{SEVERITIES.map((s) => <option key={s}>{s}</option>)}</select>
        </label>
        {text("title", "Title", true)}
        <label class="field whole"><span>Body</span>
          <textarea rows={3} aria-label="Body" value={form.body} onInput={(e) => setForm({ ...form, body: e.currentTarget.value })} />
        </label>
      </div>
      <p class="act"><button type="submit" class="button primary" disabled={busy || to.length === 0 || !body.title}>Send</button></p>
      <div class="snippet">
        <header><span class="small">The same from a program</span><CopyButton text={code} label="Copy the curl command" /></header>
        <pre tabIndex={0}><code>{code}</code></pre>
      </div>
    </form>
  );
}
