// One mail: as it looks, as text, as it was sent, and what is to be said about it.

import { useEffect, useState } from "preact/hooks";
import { act, api, problemOf, type Problem } from "./ask.ts";
import { Blocked } from "./blocked.tsx";
import { CopyButton } from "./copy.tsx";
import { bytes, text } from "./format.ts";
import { Warn } from "./icons.tsx";
import { Bones } from "./live.tsx";
import { useLoad } from "./load.ts";
import { outcome, type Row } from "./mailbox.tsx";
import { Said } from "./said.tsx";
import { Sheet, Tools, usePaper } from "./sheet.tsx";
import { State } from "./state.tsx";
import { moment } from "./when.ts";

/** Whole is the answer of GET mailbox/:id. */
interface Whole {
  mail: Row;
  envelope: { from: string; to: string[]; utf8: boolean };
  session: { helo: string; ip: string; tls: boolean; auth: boolean };
  headers: { name: string; value: string }[];
  text?: { content: string; size: number; cut: boolean; source: boolean };
  html?: { size: number; cut: boolean; remote_images: number; url: string };
  source_url: string;
  attachments: { n: number; name: string; type: string; size: number; inline: boolean; url: string }[];
  links: { url: string; text: string; in: string; one_click?: boolean }[];
  checks: { name: string; ok: boolean; says: string }[];
  faults: string[];
}

/** MAX_SOURCE is how much of the source is shown, in characters; the rest is a download. */
const MAX_SOURCE = 200_000;
const TABS = ["html", "text", "headers", "source", "links", "checks"] as const;
type Tab = (typeof TABS)[number];
const NAMES: Record<Tab, string> = { html: "HTML", text: "Text", headers: "Headers", source: "Source", links: "Links", checks: "Checks" };

/** Mail is the mail; gone is called after it was deleted. */
export function Mail({ id, gone }: { id: string; gone(): void }) {
  const [images, setImages] = useState(false);
  const { data, problem, again } = useLoad<Whole>(api(`mailbox/${encodeURIComponent(id)}`, { images: images ? 1 : 0 }));
  const [tab, setTab] = useState<Tab>();
  const [paper, setPaper] = usePaper("full");
  if (!data) return problem ? <Blocked problem={problem} again={again} /> : <Bones n={3} />;
  const there = TABS.filter((t) => (t === "html" ? data.html : t === "text" ? data.text : data.mail.kept));
  const shown = tab && there.includes(tab) ? tab : there[0];
  const bad = data.checks.filter((c) => !c.ok).length;
  const count = (t: Tab) => (t === "links" && data.links.length ? ` ${data.links.length}` : t === "checks" && bad ? ` ${bad}` : "");
  return (
    <article class="mail" aria-labelledby="mail-title">
      <Head whole={data} gone={gone} />
      {data.faults.map((f) => <p class="problem mild" key={f}><Warn /> {f}</p>)}
      {there.length === 0 && <p class="empty">The mail did not come that far: there is nothing to look at.</p>}
      <div class="tools">
        {there.length > 0 && (
          <div class="segments" role="group" aria-label="Part">
            {there.map((t) => <button type="button" key={t} class={t === "checks" && bad ? "off-check" : ""} aria-pressed={t === shown} onClick={() => setTab(t)}>{NAMES[t]}{count(t)}</button>)}
          </div>
        )}
        {shown === "html" && <><span class="push" /><Tools paper={paper} set={setPaper} widths={[["full", "Desktop"], ["phone", "390"]]} /></>}
      </div>
      {shown === "html" && data.html && (
        <>
          <Sheet url={data.html.url} title="The HTML of the mail" paper={paper} />
          {data.html.remote_images > 0 && !images && (
            <p class="under-sheet">{data.html.remote_images} {data.html.remote_images === 1 ? "picture is" : "pictures are"} elsewhere. <button type="button" class="button quiet" onClick={() => setImages(true)}>Load them</button></p>
          )}
          {data.html.cut && <p class="under-sheet">It is longer than what is shown.</p>}
        </>
      )}
      {shown === "text" && data.text && <pre class="words" tabIndex={0}>{data.text.content}{data.text.cut && "\n…"}</pre>}
      {shown === "headers" && <dl class="pairs headers">{data.headers.map((h, i) => <><dt key={i}>{h.name}</dt><dd>{h.value}</dd></>)}</dl>}
      {shown === "source" && <Source url={data.source_url} />}
      {shown === "links" && <Links whole={data} />}
      {shown === "checks" && (
        <ul class="checks">{data.checks.map((c) => <li key={c.name}><State tone={c.ok ? "good" : "warn"} words={c.name.replaceAll("_", " ")} /><span>{c.says}</span></li>)}</ul>
      )}
    </article>
  );
}

function Head({ whole: { mail, envelope, session, attachments }, gone }: { whole: Whole; gone(): void }) {
  const [tone, words] = outcome(mail);
  const [problem, fail] = useState<Problem>();
  const drop = async () => {
    try {
      await act("DELETE", api(`mailbox/${mail.id}`));
      gone();
    } catch (e) {
      fail(problemOf(e));
    }
  };
  return (
    <div class="one-head">
      <h3 id="mail-title">{mail.subject || (mail.kept ? "(no subject)" : "An attempt")}</h3>
      <p class="line-up">
        <State tone={tone} words={words} />
        <span>{moment(mail.at)}</span>
        {mail.size > 0 && <span>{text(bytes(mail.size))}</span>}
        <span title={`HELO ${session.helo}, from ${session.ip}`}>{session.tls ? "TLS" : "no TLS"}{session.auth && ", signed in"}</span>
      </p>
      <dl class="pairs"><dt>from</dt><dd>{mail.from}{!mail.from.includes(envelope.from) && ` (${envelope.from})`}</dd><dt>to</dt><dd>{mail.to.join(", ") || "nobody"}</dd></dl>
      {problem && <p class="problem" role="alert"><Said problem={problem} /></p>}
      <div class="one-acts">
        {attachments.filter((a) => !a.inline).map((a) => <a key={a.n} class="tag" href={a.url} download={a.name}>{a.name} <span class="small">{text(bytes(a.size))}</span></a>)}
        {mail.key && <span class="id mono">{mail.key}<CopyButton text={mail.key} label="Copy the key of its job" /></span>}
        <span class="push" />
        <button type="button" class="button danger" onClick={() => void drop()}>Delete</button>
      </div>
    </div>
  );
}

function Source({ url }: { url: string }) {
  const [source, set] = useState<string>();
  useEffect(() => {
    const abort = new AbortController();
    fetch(url, { signal: abort.signal }).then((r) => (r.ok ? r.text() : Promise.reject(new Error(String(r.status)))))
      .then(set, () => abort.signal.aborted || set("The source did not load. Open the mail again."));
    return () => abort.abort();
  }, [url]);
  return (
    <>
      <pre class="words" tabIndex={0} aria-busy={source === undefined}>{source?.slice(0, MAX_SOURCE) ?? "Loading…"}</pre>
      {source !== undefined && source.length > MAX_SOURCE && <p class="under-sheet"><a href={url} download="mail.eml">The whole of it</a> is longer.</p>}
    </>
  );
}

function Links({ whole: { links } }: { whole: Whole }) {
  if (links.length === 0) return <p class="empty">There is no link in it.</p>;
  return (
    <ul class="checks">
      {links.map((l, i) => <li key={i}><span>{l.text || "–"}{l.one_click && <span class="badge">one click</span>}</span><a class="mono" href={l.url} target="_blank" rel="noopener noreferrer">{l.url}</a></li>)}
    </ul>
  );
}
