// One row of the tail: a line, and what opens below it.

import { asCurl, asNats } from "./commands.ts";
import { CopyButton } from "./copy.tsx";
import { clock } from "./format.ts";
import { Replay, Right, Terminal } from "./icons.tsx";
import { pretty, tokens } from "./json.ts";
import type { EventRow, MarkRow } from "./tail.ts";
import { before } from "./wire.ts";

/** PREVIEW is how much of the data a line shows; wider screens than that don't exist. */
const PREVIEW = 260;
/** PRETTY bounds what opens below: more would be searched elsewhere. */
const PRETTY = 20_000;

interface Props {
  row: EventRow;
  open: boolean;
  /** reachable says that the tab key stops here; the arrows do the rest. */
  reachable: boolean;
  prefix: string;
  toggle(): void;
  focus(): void;
  replay(cursor: string): void;
}

/** EventLine is an event. Everything of it is text: nothing a publisher sends becomes markup. */
export function EventLine({ row, open, reachable, prefix, toggle, focus, replay }: Props) {
  const { envelope } = row;
  return (
    <div role="listitem" class={open ? "row open" : "row"}>
      <button type="button" class="line" aria-expanded={open} data-key={row.key} tabIndex={reachable ? 0 : -1} onClick={toggle} onFocus={focus}>
        <Right />
        <time>{clock(row.time, true)}</time>
        <span class="topic" title={envelope.topic}>{envelope.topic}</span>
        <span class="type" title={envelope.type}>{envelope.type}</span>
        <span class="preview"><Json text={row.data.slice(0, PREVIEW)} /></span>
      </button>
      {open && <Detail row={row} prefix={prefix} replay={replay} />}
    </div>
  );
}

type DetailProps = Pick<Props, "row" | "prefix" | "replay">;

function Detail({ row, prefix, replay }: DetailProps) {
  const { envelope, cursor } = row;
  const from = before(cursor);
  const pairs: [string, string | undefined][] = [
    ["topic", envelope.topic], ["type", envelope.type],
    ["cursor", cursor || "none: ephemeral, not stored"], ["id", envelope.id],
    ["source", envelope.source], ["time", envelope.time],
  ];
  return (
    <div class="detail">
      <div class="detail-side">
        <dl class="pairs">
          {pairs.filter(([, v]) => v).map(([k, v]) => <><dt key={k}>{k}</dt><dd>{v}</dd></>)}
        </dl>
        <div class="actions">
          <button type="button" class="button quiet" disabled={!from} title="Start the tail again at this event" onClick={() => replay(from)}>
            <Replay /><span>Replay from here</span>
          </button>
          <CopyButton label="Copy a curl command that publishes this event again" icon={<Terminal />}
            text={() => asCurl(location.origin, envelope, row.raw, `console-${Date.now()}`)}>Copy as curl</CopyButton>
          <CopyButton label="Copy a nats command that publishes this event again" icon={<Terminal />}
            text={() => asNats(prefix, envelope, row.raw)}>Copy as nats pub</CopyButton>
        </div>
      </div>
      <pre class="json" tabIndex={0} aria-label="Data"><Json text={pretty(row.data, PRETTY)} /></pre>
    </div>
  );
}

/** MarkLine is a rule across the list. */
export function MarkLine({ row }: { row: MarkRow }) {
  return (
    <div role="listitem" class={`mark ${row.tone}`}>
      <span class="mark-text">{row.text}</span>
      {row.detail && <span class="mark-detail" title={row.detail}>{row.detail}</span>}
    </div>
  );
}

function Json({ text }: { text: string }) {
  return <>{tokens(text).map((t, i) => (t.kind === "mark" ? t.text : <span key={i} class={`j-${t.kind}`}>{t.text}</span>))}</>;
}
