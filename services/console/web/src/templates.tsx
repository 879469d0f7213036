// Templates: what notifications look like, rendered with their samples, in every language.

import { useState } from "preact/hooks";
import { api } from "./ask.ts";
import { Blocked, Stale } from "./blocked.tsx";
import { useCell } from "./hooks.ts";
import { wear } from "./lazy.tsx";
import { Bones, Live } from "./live.tsx";
import { useLoad } from "./load.ts";
import { usePoll } from "./poll.ts";
import { amend, link, route } from "./router.ts";
import { Sheet, Tools, usePaper, type Paper } from "./sheet.tsx";
import { Split } from "./split.tsx";
import css from "./style/templates.sheet.css";

wear(css);

/** Info is one of GET templates. */
interface Info {
  name: string;
  description?: string;
  locales: string[];
}

/** Preview is the answer of GET templates/:name. */
interface Preview extends Info {
  title: string;
  body: string;
  subject: string;
  html: string;
  text: string;
  html_url: string;
}

/** POLL_MS is how often the list is asked for: in development templates change while one looks. */
const POLL_MS = 5_000;
const TABS = ["mail", "text", "inbox"] as const;
type Tab = (typeof TABS)[number];
const NAMES: Record<Tab, string> = { mail: "Mail", text: "Mail as text", inbox: "Inbox, push, SMS" };

/** Templates is the view. */
export function Templates() {
  const { query } = useCell(route);
  const { data, problem, again } = usePoll<{ templates: Info[] }>(api("templates"), POLL_MS);
  const [paper, setPaper] = usePaper("desk");
  const [tab, setTab] = useState<Tab>("mail");
  const list = data?.templates ?? [];
  const name = query.name ?? "";
  // With room for both, the first is looked at without asking.
  const shown = list.find((t) => t.name === name) ?? (name ? undefined : list[0]);
  return (
    <Split title="Templates" open={name} back={link("templates")}
      head={<span class="facts">what notifications look like, with samples</span>}
      note={<Stale problem={data && problem} />}
      list={
        <Live label="Templates" name="all" rows={list} keyOf={(t) => t.name} chosen={shown?.name ?? ""} href={(t) => link("templates", { name: t.name, locale: query.locale ?? "" })} draw={(t) => <Line info={t} />}>
          {data ? <p class="empty">There is no template.</p> : problem ? <Blocked problem={problem} again={again} /> : <Bones n={4} />}
        </Live>
      }
      foot={<span class="fact">templates <b>{data ? list.length : "–"}</b></span>}>
      {shown && <One key={shown.name} info={shown} locale={query.locale ?? ""} paper={paper} setPaper={setPaper} tab={tab} setTab={setTab} />}
      {data && name && !shown && <p class="empty">There is no template {name}.</p>}
    </Split>
  );
}

function Line({ info }: { info: Info }) {
  return (
    <>
      <b>{info.name}</b>
      <span class="under mono">{info.locales.join(" ")}</span>
      <span class="under">{info.description ?? "–"}</span>
    </>
  );
}

interface OneProps {
  info: Info;
  locale: string;
  paper: Paper;
  setPaper(p: Paper): void;
  tab: Tab;
  setTab(t: Tab): void;
}

function One({ info, locale, paper, setPaper, tab, setTab }: OneProps) {
  const spoken = info.locales.includes(locale) ? locale : info.locales.includes("en") ? "en" : info.locales[0] ?? "";
  const { data: p, problem, again } = useLoad<Preview>(api(`templates/${encodeURIComponent(info.name)}`, { locale: spoken }));
  return (
    <article aria-labelledby="template-title">
      <div class="one-head">
        <h3 id="template-title">{info.name}</h3>
        {info.description && <p class="line-up">{info.description}</p>}
      </div>
      <div class="tools">
        <div class="segments" role="group" aria-label="Part">
          {TABS.map((t) => <button type="button" key={t} aria-pressed={t === tab} onClick={() => setTab(t)}>{NAMES[t]}</button>)}
        </div>
        {info.locales.length > 1 && (
          <div class="segments" role="group" aria-label="Language">
            {info.locales.map((l) => <button type="button" key={l} aria-pressed={l === spoken} title={nameOf(l)} onClick={() => amend({ name: info.name, locale: l })}>{l}</button>)}
          </div>
        )}
        {tab === "mail" && <><span class="push" /><Tools paper={paper} set={setPaper} widths={[["desk", "800"], ["phone", "390"]]} /></>}
      </div>
      {problem && <Blocked problem={problem} again={again} />}
      {tab === "mail" && (
        <>
          <p class="subject"><span>Subject</span> {p ? <b>{p.subject}</b> : <b class="bone">Loading the subject</b>}</p>
          {p ? <Sheet url={p.html_url} title={`The mail ${info.name}`} paper={paper} /> : <div class="sheet" aria-busy="true" />}
        </>
      )}
      {tab === "text" && <pre class="words" tabIndex={0}>{p?.text ?? "Loading…"}</pre>}
      {tab === "inbox" && p && <div class="item"><b>{p.title}</b><p>{p.body || "(no body)"}</p></div>}
    </article>
  );
}

/** nameOf is a language's own name. */
function nameOf(locale: string): string {
  try {
    return new Intl.DisplayNames([locale], { type: "language" }).of(locale) ?? locale;
  } catch {
    return locale;
  }
}
