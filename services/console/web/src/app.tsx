// The page: the door while there is no token, the console behind it.

import { useEffect, useMemo, useState } from "preact/hooks";
import { span } from "./format.ts";
import { Connections } from "./connections.tsx";
import { Events, topicsOf } from "./events.tsx";
import { Keys, LETTERS, TITLES } from "./help.tsx";
import { useCell, useClock } from "./hooks.ts";
import { Logo, Moon, NAV, Sun } from "./icons.tsx";
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
import { Streams } from "./streams.tsx";
import { theme, toggle } from "./theme.ts";
import { TokenCard } from "./token.tsx";
import { Topics } from "./topics.tsx";
import { Try } from "./try.tsx";

/** UNKNOWN_VERSION is what a build from a working tree calls itself; the badge says as much. */
const UNKNOWN_VERSION = "(devel)";

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
  const { mesh, metrics, stream, source } = useMemo(() => build(setExpires), []);
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
        <Keys />
        <ThemeButton />
      </header>
      <div class="body">
        <Rail view={view} />
        <main class="page">
          {expires > 0 && <Expiring at={expires} />}
          {view === "overview" && <Overview mesh={mesh} metrics={metrics} stream={stream} prefix={info.prefix} />}
          {view === "connections" && <Connections own={own} />}
          {view === "topics" && <Topics />}
          {view === "events" && <Events source={source} prefix={info.prefix} />}
          {view === "streams" && <Streams prefix={info.prefix} />}
          {view === "try" && <Try />}
        </main>
      </div>
    </>
  );
}

/** Rail leads to the views. */
function Rail({ view }: { view: View }) {
  return (
    <nav class="rail" aria-label="Views">
      {VIEWS.map((v) => (
        <a key={v} href={recall(v)} aria-current={v === view ? "page" : undefined} title={`${TITLES[v]} (g ${LETTERS[v]})`}>{NAV[v]}<span>{TITLES[v]}</span></a>
      ))}
    </nav>
  );
}

function build(expires: (at: number) => void) {
  const metrics = new Metrics();
  const stream = new Stream({
    topics: TOPICS, token, rewind: REWIND,
    event: (m) => metrics.event(m.data),
    control: (type, data) => {
      if (type === "tidings.hello") expires(0);
      if (type === "tidings.expiring") expires(Date.now() + (Number(data.in_ms) || 0));
    },
  });
  return { mesh: new Mesh(), metrics, stream, source: new Source(splitTopics(topicsOf(route.get().query)), token) };
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
