// Failures on purpose: what the next mails shall run into.

import { useState } from "preact/hooks";
import { act, api, problemOf, type Problem } from "./ask.ts";
import { usePoll } from "./poll.ts";
import { Said } from "./said.tsx";

/** Fault is one of GET mailbox/faults. */
interface Fault {
  id: number;
  stage: string;
  code: number;
  text: string;
  times: number;
  hit: number;
  recipient: string;
}

const POLL_MS = 2_000;
const STAGES: [string, string][] = [
  ["connect", "instead of the greeting"], ["mail", "at MAIL FROM"], ["rcpt", "at RCPT TO"], ["data", "while the mail comes"], ["after_data", "after all of it has come"],
];
/** PRESETS are what mail servers do most. */
const PRESETS: [string, Partial<typeof START>][] = [
  ["Try again later", { stage: "rcpt", code: "451" }], ["No such user", { stage: "rcpt", code: "550" }], ["Too busy", { stage: "connect", code: "421" }], ["Hang up after it came", { stage: "after_data", code: "0" }],
];
const START = { stage: "rcpt", code: "451", times: "1", recipient: "" };

/** Faults is the form and the list of those that are armed; changed is called when that changes. */
export function Faults({ changed }: { changed(): void }) {
  const [form, setForm] = useState(START);
  const [problem, fail] = useState<Problem>();
  const poll = usePoll<{ faults: Fault[] }>(api("mailbox/faults"), POLL_MS);
  const run = async (f: () => Promise<unknown>) => {
    try {
      await f();
      fail(undefined);
    } catch (e) {
      fail(problemOf(e));
    }
    poll.again();
    changed();
  };
  const arm = () => run(() => act("POST", api("mailbox/faults"), { stage: form.stage, code: Number(form.code), times: Number(form.times) || 1, ...(form.recipient && { recipient: form.recipient }) }));
  const set = (name: keyof typeof START) => (e: { currentTarget: { value: string } }) => setForm({ ...form, [name]: e.currentTarget.value });
  const input = (name: keyof typeof START, label: string, mode: "numeric" | "text", hint: string) => (
    <label class="field" title={hint}><span>{label}</span>
      <input type="text" inputMode={mode} aria-label={label} value={form[name]} autocomplete="off" autocapitalize="off" spellcheck={false} onInput={set(name)} />
    </label>
  );
  const hangs = form.code.trim() === "0";
  return (
    <form class="form" onSubmit={(e) => { e.preventDefault(); void arm(); }}>
      <div class="one-head">
        <h3>Fail the next mail</h3>
        <p class="small">See what becomes of a notification whose mail is refused, or whose server goes away in the middle.</p>
      </div>
      {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
      <div class="segments presets" role="group" aria-label="What servers do">
        {PRESETS.map(([words, p]) => (
          <button type="button" key={words} aria-pressed={form.stage === p.stage && form.code === p.code} onClick={() => setForm({ ...form, ...p })}>{words}</button>
        ))}
      </div>
      <div class="fields">
        <label class="field"><span>Stage</span>
          <select aria-label="Stage" value={form.stage} onChange={set("stage")}>{STAGES.map(([s, words]) => <option key={s} value={s}>{words}</option>)}</select>
        </label>
        {input("code", "Code", "numeric", "400 to 599; 0 hangs up without a word")}
        {input("times", "Times", "numeric", "How often")}
        {input("recipient", "Only for", "text", "A part of the address; empty means everybody")}
      </div>
      <p class="act">
        <button type="submit" class="button primary">Arm</button>
        <span class="small">{hangs ? "The connection ends without a word." : /^4/.test(form.code) ? "The mailer tries again later." : "The mailer gives up at once."}</span>
      </p>
      <h4>Armed</h4>
      {poll.data?.faults.length === 0 && <p class="small">None: mails are accepted.</p>}
      {!!poll.data?.faults.length && (
        <ul class="armed">
          {poll.data.faults.map((f) => (
            <li key={f.id}>
              <b class="mono">{f.code || "hang up"}</b>
              <span>{STAGES.find(([s]) => s === f.stage)?.[1] ?? f.stage}{f.recipient && `, for ${f.recipient}`}</span>
              <span class="small">{f.times} left{f.hit > 0 && `, struck ${f.hit}`}</span>
              <button type="button" class="button quiet" onClick={() => void run(() => act("DELETE", api(`mailbox/faults/${f.id}`)))}>Clear</button>
            </li>
          ))}
        </ul>
      )}
      {(poll.data?.faults.length ?? 0) > 1 && <p><button type="button" class="button" onClick={() => void run(() => act("DELETE", api("mailbox/faults")))}>Clear all</button></p>}
    </form>
  );
}
