// The page: the door while there is no token, the console behind it.

import "./kit.ts";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { span } from "./format.ts";
import { Events, topicsOf } from "./events.tsx";
import { Feed } from "./feed.ts";
import { Keys, LETTERS, TITLES } from "./help.tsx";
import { useCell, useClock } from "./hooks.ts";
import { Logo, Moon, NAV, Sun } from "./icons.tsx";
import { lazy } from "./lazy.tsx";
import { Mesh } from "./mesh.ts";
import { Metrics, REWIND, TOPICS } from "./metrics.ts";
import { Overview } from "./overview.tsx";
import { splitTopics, VIEWS, type View } from "./route.ts";
import { recall, route } from "./router.ts";
import { forget, reject, session, token, type Info } from "./session.ts";
import { sight } from "./sight.ts";
import { Source } from "./source.ts";
import { Status } from "./status.tsx";
import { Stream, type State } from "./stream.ts";
import { theme, toggle } from "./theme.ts";
import { TokenCard } from "./token.tsx";

/** UNKNOWN_VERSION is what a build from a working tree calls itself; the badge says as much. */
const UNKNOWN_VERSION = "(devel)";

const Connections = lazy(() => import("./connections.tsx").then((m) => m.Connections));
const Topics = lazy(() => import("./topics.tsx").then((m) => m.Topics));
const Streams = lazy(() => import("./streams.tsx").then((m) => m.Streams));
const Notifications = lazy(() => import("./notifications.tsx").then((m) => m.Notifications));
const Mailbox = lazy(() => import("./mailbox.tsx").then((m) => m.Mailbox));
const Dead = lazy(() => import("./dead.tsx").then((m) => m.Dead));
const Templates = lazy(() => import("./templates.tsx").then((m) => m.Templates));
const Try = lazy(() => import("./try.tsx").then((m) => m.Try));

/** MAILS is the topic of the mailbox, which there is in development alone. */
const MAILS = "room.mailbox";
/** OWN is the topic of whoever reads the page, for the bell. */
const OWN = "user";

/** App is the whole page. */
export function App() {
  const s = useCell(session);
  switch (s.name) {
    case "checking":
      return <main class="door" aria-busy="true"><Logo size={40} /></main>;
    case "needed":
      return <TokenCard problem={s.problem} />;
    case "ready":
      return <Console info={s.info} />;
  }
}

function Console({ info }: { info: Info }) {
  const [expires, setExpires] = useState(0);
  const { view } = useCell(route);
  const { mesh, metrics, stream, source, feed } = useMemo(() => build(info.dev, setExpires), []);
  const views = VIEWS.filter((v) => info.dev || v !== "mailbox");
  const tailStream = useCell(source.stream);
  const states = [useCell(stream.state), useCell(tailStream.state)];
  useEffect(() => {
    mesh.start();
    stream.start();
    source.start();
    const streams = () => [stream, source.stream.get()];
    const off = sight({
      rest: () => streams().forEach((s) => s.rest()),
      wake: (since, far) => {
        if (far) {
          stream.skip();
          source.skip(since);
        }
        streams().forEach((s) => s.start());
      },
      check: () => streams().forEach((s) => s.check()),
    });
    return () => {
      off();
      mesh.stop();
      stream.stop();
      source.stop();
    };
  }, []);
  useEffect(() => {
    const refused = states.find(rejected);
    if (refused?.name === "denied") reject(refused.problem);
  }, states);
  useEffect(() => void (document.title = `${TITLES[view]} · Tidings`), [view]);
  const own = [stream.facts.conn, tailStream.facts.conn];
  return (
    <>
      <header class="top">
        <span class="brand"><Logo size={24} /> <h1>Tidings</h1></span>
        <span class="where">{info.node}</span>
        {info.version && info.version !== UNKNOWN_VERSION && <span class="where version">{info.version}</span>}
        {info.dev && <span class="badge">dev</span>}
        <span class="push" />
        <Status streams={[{ name: "Metrics", stream }, { name: "Events", stream: tailStream }]} user={info.user} forget={forget} />
        <Bell feed={feed} stream={stream} />
        <Keys views={views} />
        <ThemeButton />
      </header>
      <div class="body">
        <Rail views={views} view={view} />
        <main class="page">
          {expires > 0 && <Expiring at={expires} />}
          {view === "overview" && <Overview mesh={mesh} metrics={metrics} stream={stream} prefix={info.prefix} />}
          {view === "connections" && <Connections own={own} />}
          {view === "topics" && <Topics />}
          {view === "events" && <Events source={source} prefix={info.prefix} />}
          {view === "streams" && <Streams prefix={info.prefix} />}
          {view === "notifications" && <Notifications mailbox={info.dev} user={info.user} />}
          {view === "mailbox" && <Mailbox feed={feed} />}
          {view === "dead" && <Dead />}
          {view === "templates" && <Templates />}
          {view === "try" && <Try />}
        </main>
      </div>
    </>
  );
}

/** Bell is where the bell hangs once it is there; nothing waits for it. */
function Bell({ feed, stream }: { feed: Feed; stream: Stream }) {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let off = () => {};
    let gone = false;
    import("./bell.ts").then((m) => {
      if (!gone) off = m.hang(place.current!, feed, stream);
    }, () => {}); // a page without a bell is still one
    return () => {
      gone = true;
      off();
    };
  }, []);
  return <span class="bell-place" ref={place} />;
}

/** Rail leads to the views. */
function Rail({ views, view }: { views: readonly View[]; view: View }) {
  const nav = useRef<HTMLElement>(null);
  // On a phone there are more views than fit.
  useEffect(() => {
    const box = nav.current!;
    const here = box.querySelector<HTMLElement>("[aria-current]")!;
    box.scrollLeft = here.offsetLeft - (box.clientWidth - here.clientWidth) / 2;
  }, [view]);
  return (
    <nav class="rail" aria-label="Views" ref={nav}>
      {views.map((v) => (
        <a key={v} href={recall(v)} aria-current={v === view ? "page" : undefined} title={`${TITLES[v]} (g ${LETTERS[v]})`}>{NAV[v]}<span>{TITLES[v]}</span></a>
      ))}
    </nav>
  );
}

function build(dev: boolean, expires: (at: number) => void) {
  const metrics = new Metrics();
  const feed = new Feed();
  const stream = new Stream({
    topics: [...TOPICS, OWN, ...(dev ? [MAILS] : [])], token, rewind: REWIND,
    event: (m) => {
      metrics.event(m.data);
      feed.event(m);
    },
    control: (type, data) => {
      if (type === "tidings.hello") expires(0);
      feed.control(type, data);
      if (type === "tidings.expiring") expires(Date.now() + (Number(data.in_ms) || 0));
    },
  });
  return { mesh: new Mesh(), metrics, stream, feed, source: new Source(splitTopics(topicsOf(route.get().query)), token) };
}

/** rejected says that the token itself is refused, not just a topic. */
function rejected(s: State): boolean {
  return s.name === "denied" && /^(token|ticket|revoked)/.test(s.problem.code);
}

/** Expiring warns before the server ends the streams. */
function Expiring({ at }: { at: number }) {
  const now = useClock(1000);
  return (
    <p class="problem bar mild" role="alert">
      <span>{at > now ? `Your token ends in ${span(at - now)}.` : "Your token has ended."}</span>
      <button type="button" class="button quiet" onClick={forget}>Paste a new one</button>
    </p>
  );
}

function ThemeButton() {
  const dark = useCell(theme) === "dark";
  return (
    <button type="button" class="button quiet square" aria-label={dark ? "Use the light theme" : "Use the dark theme"} onClick={toggle}>
      {dark ? <Sun /> : <Moon />}
    </button>
  );
}
