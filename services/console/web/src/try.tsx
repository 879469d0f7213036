// Try it: a token, a stream and an event in a minute, and how to do the same elsewhere.

import "./kit.ts";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ask, problemOf, type Problem } from "./ask.ts";
import { CopyButton } from "./copy.tsx";
import { clock } from "./format.ts";
import { useCell } from "./hooks.ts";
import { Said } from "./said.tsx";
import { splitTopics } from "./route.ts";
import { listenCode, listenCommand, mintCode, mintCommand, publishCode, publishCommand, type Wish } from "./snippets.ts";
import { State as Mark } from "./state.tsx";
import { look } from "./status.tsx";
import { Stream } from "./stream.ts";

/** KEEP is how many lines the output holds. */
const KEEP = 200;
const START = { user: "ann", sub: "room.try.>", pub: "room.try.*", topics: "user,room.try.>", topic: "room.try.hello", type: "greeting", data: `{"text": "Hello"}` };

interface Line {
  n: number;
  at: number;
  kind: string;
  text: string;
}

/** Trial is what happens in the view; it lasts when another view is looked at. */
export class Trial {
  token = "";
  expires = 0;
  lines: Line[] = [];
  stream: Stream | undefined;
  private n = 0;

  constructor(readonly changed: () => void) {}

  say(kind: string, text: string): void {
    this.lines = [...this.lines.slice(1 - KEEP), { n: this.n++, at: Date.now(), kind, text }];
    this.changed();
  }

  listen(topics: string[]): void {
    this.stop();
    this.stream = new Stream({
      topics, token: () => this.token,
      event: (m) => this.say("event", m.data),
      control: (type, data) => this.say("control", `${type} ${JSON.stringify(data)}`),
    });
    this.stream.start();
    this.changed();
  }

  stop(): void {
    this.stream?.stop();
    this.stream = undefined;
    this.changed();
  }
}

/** Try is the view. */
export function Try() {
  const [form, setForm] = useState(START);
  const [admin, setAdmin] = useState(false);
  const [problem, fail] = useState<[step: number, problem: Problem | undefined]>([0, undefined]);
  const [, again] = useState(0);
  const trial = useRef<Trial | undefined>(undefined);
  trial.current ??= new Trial(() => again((n) => n + 1));
  const t = trial.current;
  useEffect(() => () => t.stop(), []);

  const wish: Wish = { user: form.user.trim(), sub: splitTopics(form.sub), pub: splitTopics(form.pub), admin, ttl_s: 900 };
  const topics = splitTopics(form.topics);
  const bad = jsonFault(form.data);
  const text = (name: keyof typeof START, label: string) => (
    <label class="field"><span>{label}</span>
      <input type="text" class="mono" aria-label={label} value={form[name]} autocomplete="off" autocapitalize="off" spellcheck={false}
        onInput={(e) => setForm({ ...form, [name]: e.currentTarget.value })} />
    </label>
  );
  const attempt = async (step: number, f: () => Promise<void>) => {
    try {
      await f();
      fail([0, undefined]);
    } catch (e) {
      fail([step, problemOf(e)]);
    }
  };
  const mint = () => attempt(1, async () => {
    const { token, expires } = await ask<{ token: string; expires: string }>(api("token"), wish);
    Object.assign(t, { token, expires: Date.parse(expires) });
    t.stop();
    t.say("note", `A token for ${wish.user}, until ${clock(t.expires)}`);
  });
  const publish = () => attempt(3, async () => {
    const body = { topic: form.topic.trim(), type: form.type.trim(), data: JSON.parse(form.data) as unknown };
    const { cursor } = await ask<{ cursor?: string }>("/v1/publish", body, undefined, t.token);
    t.say("note", `Published at ${cursor ?? "no cursor"}`);
  });
  const said = (step: number) => problem[0] === step && problem[1] && <p class="problem" role="alert"><Said problem={problem[1]} /></p>;
  return (
    <div class="trial">
      <div class="steps">
        <Step n={1} title="Mint a token" go={mint} codes={[["tidings", mintCommand(wish)], ["Node.js", mintCode(wish)]]} said={said(1)}
          action={<>
            <button type="submit" class="button primary" disabled={!wish.user}>Mint token</button>
            {t.token && <><span class="small">until {clock(t.expires)}</span><CopyButton text={t.token} label="Copy the token">Copy token</CopyButton></>}
          </>}>
          {text("user", "User")}
          {text("sub", "May read")}
          {text("pub", "May publish to")}
          <label class="check"><input type="checkbox" checked={admin} onChange={() => setAdmin(!admin)} /> May do everything</label>
        </Step>
        <Step n={2} title="Subscribe" go={() => t.stream ? t.stop() : t.listen(topics)} codes={[["curl", listenCommand(location.origin, topics)], ["JavaScript", listenCode(topics)]]} said={said(2)}
          action={<button type="submit" class={t.stream ? "button" : "button primary"} disabled={!t.token}>{t.stream ? "Unsubscribe" : "Subscribe"}</button>}>
          {text("topics", "Topics")}
        </Step>
        <Step n={3} title="Publish" go={publish} codes={[["curl", publishCommand(location.origin, form.topic, form.type, form.data)], ["JavaScript", publishCode(form.topic, form.type, form.data)]]} said={said(3)}
          action={<button type="submit" class="button primary" disabled={!t.token || bad !== ""}>Publish</button>}>
          {text("topic", "Topic")}
          {text("type", "Type")}
          <label class="field whole"><span>Data {bad && <em>{bad}</em>}</span>
            <textarea class="mono" rows={3} aria-label="Data" aria-invalid={bad !== ""} spellcheck={false} value={form.data}
              onInput={(e) => setForm({ ...form, data: e.currentTarget.value })} />
          </label>
        </Step>
      </div>
      <Output trial={t} />
    </div>
  );
}

function jsonFault(s: string): string {
  try {
    JSON.parse(s);
    return "";
  } catch {
    return "is not JSON";
  }
}

interface StepProps {
  n: number;
  title: string;
  go(): void;
  codes: [string, string][];
  said: ComponentChildren;
  action: ComponentChildren;
  children: ComponentChildren;
}

function Step({ n, title, go, codes, said, action, children }: StepProps) {
  const [shown, show] = useState(0);
  const [, code] = codes[shown]!;
  return (
    <form class="panel step" onSubmit={(e) => { e.preventDefault(); go(); }}>
      <header class="panel-head"><span class="number">{n}</span><h2>{title}</h2></header>
      <div class="fields">{children}</div>
      {said}
      <p class="act">{action}</p>
      <div class="snippet">
        <header>
          <div class="segments" role="group" aria-label="The same elsewhere">
            {codes.map(([name], i) => <button type="button" key={name} aria-pressed={i === shown} onClick={() => show(i)}>{name}</button>)}
          </div>
          <CopyButton text={code} label={`Copy the ${codes[shown]![0]} code`} />
        </header>
        <pre tabIndex={0}><code>{code}</code></pre>
      </div>
    </form>
  );
}

function Output({ trial }: { trial: Trial }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => void (box.current!.scrollTop = box.current!.scrollHeight), [trial.lines]);
  return (
    <section class="panel output" aria-labelledby="output-title">
      <header class="panel-head"><h2 id="output-title">Output</h2>{trial.stream && <Doing stream={trial.stream} />}</header>
      <div class="list-frame"><div class="scroll lines" ref={box} role="log" aria-live="off" aria-label="Output" tabIndex={0}>
        {trial.lines.length === 0 && <p class="empty">Mint a token, subscribe, publish: what the stream says appears here, word for word.</p>}
        {trial.lines.map((l) => <p key={l.n} class={l.kind}><time>{clock(l.at)}</time> {l.text}</p>)}
      </div></div>
    </section>
  );
}

function Doing({ stream }: { stream: Stream }) {
  const state = useCell(stream.state);
  const { tone, label } = look(state, 0);
  return <Mark tone={tone} words={label} why={state.name === "denied" ? state.problem.detail : undefined} />;
}
