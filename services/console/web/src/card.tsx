// A card is one measure: its name, its number as large as it deserves, and its chart.

import { Chart, hover, type Line } from "./chart.tsx";
import { clock, NONE, text, type Reading } from "./format.ts";
import { useCell } from "./hooks.ts";
import type { Series } from "./series.ts";

/** Value is one number of a card and its line. */
export interface Value {
  /** column names the values; the first colour goes to the first value. */
  column: string;
  /** label stands below the number: what it is, or what it is a part of. */
  label: string;
  /** plain values are shown and not drawn. */
  plain?: boolean;
}

interface Props {
  title: string;
  /** note stands at the right of the title: a total, a unit, a name. */
  note?: string;
  series: Series | undefined;
  values: Value[];
  format(value: number): Reading;
  tick(value: number): string;
  top(largest: number): number;
  end: number;
  window: number;
  /** strip lays the card out as one line of a stack. */
  strip?: boolean;
}

/** Card shows the newest numbers, or those under the pointer while it is over any chart. */
export function Card(props: Props) {
  const { title, note, series, values } = props;
  if (!series || series.x.length === 0) return <Skeleton title={title} values={values.length} strip={props.strip} />;
  const lines: Line[] = values.filter((v) => !v.plain).map((v, i) => ({ column: v.column, color: i + 1 }));
  const last = text(numberAt(series, values[0]!.column, series.x.length - 1, props.format));
  return (
    <article class={props.strip ? "card strip" : "card"}>
      <Title title={title} note={note} series={series} />
      <div class={`readings n${values.length}`}>
        {values.map((v, i) => (
          <Number key={v.column} value={v} color={v.plain || lines.length < 2 ? 0 : i + 1} series={series} format={props.format} />
        ))}
      </div>
      <Chart series={series} lines={lines} end={props.end} window={props.window} strip={props.strip ?? false} top={props.top} tick={props.tick}
        label={`${title} over the last ${props.window / 60} minutes, now ${last}`} />
    </article>
  );
}

function Title({ title, note, series }: { title: string; note?: string | undefined; series: Series }) {
  const at = useCell(hover);
  const i = at ? series.at(at) : -1;
  return (
    <header class="card-head">
      <h3>{title}</h3>
      <span class={at ? "note strong" : "note"}>{i >= 0 ? clock(series.x[i]! * 1000) : note}</span>
    </header>
  );
}

type NumberProps = { value: Value; color: number; series: Series; format(value: number): Reading };

function Number({ value, color, series, format }: NumberProps) {
  const at = useCell(hover);
  const r = numberAt(series, value.column, at ? series.at(at) : series.x.length - 1, format);
  return (
    <div class="reading">
      <span class="big">{r.value}</span>
      <span class="name" title={value.label}>
        {color > 0 && <i class={`swatch c${color}`} />}
        {`${r.unit} ${value.label}`.trim()}
      </span>
    </div>
  );
}

function numberAt(series: Series, column: string, i: number, format: (v: number) => Reading): Reading {
  const v = series.column(column)[i];
  return v === null || v === undefined ? NONE : format(v);
}

function Skeleton({ title, values, strip }: { title: string; values: number; strip: boolean | undefined }) {
  return (
    <article class={strip ? "card strip" : "card"} aria-busy="true">
      <header class="card-head"><h3>{title}</h3></header>
      <div class="readings">
        {Array.from({ length: values }, (_, i) => (
          <div class="reading" key={i}><span class="big"><span class="bone">0000</span></span><span class="name"><span class="bone">label</span></span></div>
        ))}
      </div>
      <div class={strip ? "chart low" : "chart"}><div class="bone" /></div>
    </article>
  );
}
