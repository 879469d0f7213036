// One notification: who gets it over which channels, and everything that happened to it.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { act, problemOf, type Problem } from "./ask.ts";
import { Blocked, Stale } from "./blocked.tsx";
import { CopyButton } from "./copy.tsx";
import { clock, span } from "./format.ts";
import { useClock } from "./hooks.ts";
import { Bones } from "./live.tsx";
import { usePoll } from "./poll.ts";
import { link } from "./router.ts";
import { Said } from "./said.tsx";
import { Shape, State } from "./state.tsx";
import { canCancel, fold, FROM, look, summarize, table, type Delivery, type Moment, type Timeline } from "./story.ts";
import { after, moment } from "./when.ts";

/** MOVING_MS and STILL_MS are how often a timeline is asked for while something follows, and after. */
const MOVING_MS = 700;
const STILL_MS = 4_000;
/** PEOPLE is how many the matrix shows: beyond that one has to say whom. */
const PEOPLE = 30;
/** NAMED is how many people one step names. */
const NAMED = 4;

/** Spot is a place in the matrix. */
interface Spot {
  user: string;
  channel: string;
}

interface Props {
  id: string;
  /** mailbox says that there is one to link to. */
  mailbox: boolean;
  learned(t: Timeline): void;
}

/** Story is the timeline. */
export function Story({ id, mailbox, learned }: Props) {
  const [ms, setMs] = useState(MOVING_MS);
  const [spot, setSpot] = useState<Spot>();
  const { data: t, problem, again } = usePoll<Timeline>(`/v1/notifications/${encodeURIComponent(id)}`, ms);
  useEffect(() => {
    if (!t) return;
    learned(t);
    setMs(summarize(t, Date.now()).last ? STILL_MS : MOVING_MS);
  }, [t]);
  if (!t) return problem ? <Blocked problem={problem} again={again} /> : <Bones n={3} />;
  const chosen = spot && t.deliveries.find((d) => d.user === spot.user && d.channel === spot.channel);
  const steps = fold(t.steps.filter((s) => !spot || !s.user || (s.user === spot.user && (!s.channel || s.channel === spot.channel))));
  return (
    <article class="story" aria-labelledby="story-title">
      <Head t={t} again={again} />
      <Stale problem={problem} />
      {t.deliveries.length > 0 && <Matrix deliveries={t.deliveries} spot={spot} choose={setSpot} />}
      {chosen && <Chosen d={chosen} id={t.id} mailbox={mailbox} />}
      <h4>What happened{spot && <> to {spot.user} over {spot.channel}</>}</h4>
      <ol class="happened">
        {steps.map((s, i) => <What key={i} step={s} t={t} mailbox={mailbox} />)}
      </ol>
      {t.more && <p class="small">There is more than fits here.</p>}
    </article>
  );
}

function Head({ t, again }: { t: Timeline; again(): void }) {
  const now = useClock(1_000);
  const { look: [tone, words] } = summarize(t, now);
  const due = t.due ? Date.parse(t.due) : 0;
  return (
    <div class="one-head">
      <h3 id="story-title">{t.title ?? `Template ${t.template ?? ""}`}</h3>
      <p class="line-up">
        <State tone={tone} words={words} />
        {t.severity !== "normal" && <span class={`badge ${t.severity}`}>{t.severity}</span>}
        <span>{t.category}</span>
        {t.title && t.template && <span>template {t.template}</span>}
        <span>{moment(t.at)}{t.from && ` ${FROM[t.from] ?? t.from}`}</span>
        {t.of && <a href={link("notifications", { id: t.of })}>the series</a>}
        {due > now && <span>begins {moment(due, now)}, in {span(due - now)}</span>}
        {t.repeats && <span>comes again and again</span>}
      </p>
      <p class="line-up"><span class="to">to {t.to.join(", ")}</span></p>
      <div class="one-acts">
        <span class="id mono">{t.id}<CopyButton text={t.id} label="Copy the id" /></span>
        {t.deliveries.some(buried) && <a class="button quiet" href={link("dead", { notification: t.id })}>Dead letters</a>}
        {canCancel(t, now) && <Cancel id={t.id} done={again} />}
      </div>
    </div>
  );
}

/** Cancel gives up what has not begun; asked once more, because nothing brings it back. */
function Cancel({ id, done }: { id: string; done(): void }) {
  const [sure, setSure] = useState(false);
  const [problem, fail] = useState<Problem>();
  const go = async () => {
    try {
      await act("DELETE", `/v1/notifications/${encodeURIComponent(id)}`);
      done();
    } catch (e) {
      fail(problemOf(e));
    }
    setSure(false);
  };
  return (
    <>
      <button type="button" class={sure ? "button kill" : "button danger"} onClick={() => (sure ? void go() : setSure(true))} onBlur={() => setSure(false)}>
        {sure ? "Cancel it for good" : "Cancel…"}
      </button>
      {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
    </>
  );
}

interface MatrixProps {
  deliveries: Delivery[];
  spot: Spot | undefined;
  choose(s: Spot | undefined): void;
}

function Matrix({ deliveries, spot, choose }: MatrixProps) {
  const [who, find] = useState("");
  const { channels, people } = table(deliveries);
  const found = people.filter((p) => p.user.includes(who.trim()));
  return (
    <>
      {people.length > PEOPLE && (
        <label class="filter find"><span class="filter-label">Person</span>
          <input type="text" aria-label="Person" placeholder={`${people.length} people; the first ${PEOPLE} are shown`} value={who} onInput={(e) => find(e.currentTarget.value)} />
        </label>
      )}
      <table class="matrix">
        <thead><tr><th>Person</th>{channels.map((c) => <th key={c}>{c}</th>)}</tr></thead>
        <tbody>
          {found.slice(0, PEOPLE).map(({ user, cells }) => (
            <tr key={user}>
              <th scope="row" title={user}>{user}</th>
              {cells.map((d, i) => {
                const on = d !== undefined && spot?.user === user && spot.channel === d.channel;
                return (
                  <td key={channels[i]}>
                    {d && (
                      <button type="button" class={`cell ${d.state}`} aria-pressed={on} title={d.error ?? d.why} onClick={() => choose(on ? undefined : { user, channel: d.channel })}>
                        <i>{channels[i]}</i><State tone={look(d.state)[0]} words={look(d.state)[1]} />
                      </button>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** Chosen is all that is known of one delivery. */
function Chosen({ d, id, mailbox }: { d: Delivery; id: string; mailbox: boolean }) {
  const now = useClock(1_000);
  const at = d.at ? Date.parse(d.at) : 0;
  const pairs: [string, ComponentChildren][] = [
    ["why", d.why], ["attempts", d.attempts], ["error", d.error], ["detail", d.detail],
    ["next", at > now ? `${moment(at, now)}, in ${span(at - now)}` : ""], ["job", d.key], ["changed", d.changed && moment(d.changed, now)],
  ];
  return (
    <div class="chosen">
      <p class="chosen-title"><b>{d.user}</b> · {d.channel} <State tone={look(d.state)[0]} words={look(d.state)[1]} /></p>
      <dl class="pairs">{pairs.map(([k, v]) => v !== undefined && v !== "" && <><dt key={k}>{k}</dt><dd>{v}</dd></>)}</dl>
      <p class="one-acts"><Ways d={d} id={id} mailbox={mailbox} /></p>
    </div>
  );
}

/** buried says that there is a dead letter, unless somebody dropped it. */
function buried(d: Delivery): boolean {
  return d.state === "dead" || (d.state === "bounced" && d.error !== undefined);
}

/** Ways lead from a delivery to where the rest of it is. */
function Ways({ d, id, mailbox }: { d: Delivery; id: string; mailbox: boolean }) {
  return (
    <>
      {mailbox && d.channel === "mail" && d.key && ["sent", "bounced", "complained"].includes(d.state) && <a class="button quiet" href={link("mailbox", { q: d.key, open: "first" })}>The mail</a>}
      {buried(d) && <a class="button quiet" href={link("dead", { notification: id, channel: d.channel })}>The dead letter</a>}
      {d.digest && <a class="button quiet" href={link("notifications", { id: d.digest })}>The digest</a>}
    </>
  );
}

/** What is a step of the timeline. */
function What({ step: s, t, mailbox }: { step: Moment; t: Timeline; mailbox: boolean }) {
  const [tone, words] = look(s.what);
  const began = Date.parse(t.at);
  const at = Date.parse(s.at);
  const d = t.deliveries.find((x) => x.user === s.user && x.channel === s.channel);
  return (
    <li class={tone}>
      <Shape tone={tone} />
      <div>
        <p class="step-head">
          <b>{words}</b>
          {s.users && <span>{s.users.slice(0, NAMED).join(", ")}{s.users.length > NAMED && ` and ${s.users.length - NAMED} more`}</span>}
          {s.user && <span>{s.what === "canceled" ? "by " : ""}{s.user}{s.channel && ` · ${s.channel}`}</span>}
          {!!s.attempt && s.attempt > 1 && <span>attempt {s.attempt}</span>}
          {s.what === "requested" && <span>{FROM[s.reason ?? ""] ?? s.reason}</span>}
        </p>
        {s.choices?.map((c) => <p key={c.why} class={c.used ? "choice" : "choice not"}><b>{c.used ? "" : "not "}{c.channels.join(", ")}</b> – {c.why}</p>)}
        {s.detail && <p class="choice">{s.detail}</p>}
        {s.next && <Again at={Date.parse(s.next)} done={d?.state !== "retry" || d.at !== s.next} />}
        {d && s.what === d.state && <span class="step-ways"><Ways d={d} id={t.id} mailbox={mailbox} /></span>}
      </div>
      <time dateTime={s.at} title={clock(at, true)}>{at > began ? after(at - began) : clock(at, true)}</time>
    </li>
  );
}

/** Again says when the next attempt is, or was. */
function Again({ at, done }: { at: number; done: boolean }) {
  const now = useClock(1_000);
  return <p class="choice again">{done || at <= now ? "It was tried again" : `It is tried again in ${span(at - now)},`} at {clock(at)}.</p>;
}
