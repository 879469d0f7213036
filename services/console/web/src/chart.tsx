// A chart is a line drawing of some columns of a series. Its frame never changes: fixed height,
// fixed ticks "5m … now" below, a top that moves in round steps. Only the lines flow.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { Cell } from "./cell.ts";
import { useCell } from "./hooks.ts";
import type { Series } from "./series.ts";
import { theme } from "./theme.ts";

/** Line is one column to draw. */
export interface Line {
  column: string;
  /** color is the number of a colour of the palette, from 1. */
  color: number;
}

interface Props {
  series: Series;
  lines: Line[];
  /** end is the right edge in seconds, window the width. */
  end: number;
  window: number;
  /** top returns the upper end of the axis for the largest value in sight. */
  top(largest: number): number;
  /** tick formats a number at the axis. */
  tick(value: number): string;
  /** strip makes the drawing lower, and without an axis below. */
  strip?: boolean;
  /** label describes the chart to those who can't see it. */
  label: string;
}

/** HEIGHT of the drawing in CSS pixels, STRIP that of a strip; the style sheet reserves the same. */
const HEIGHT = 80;
const STRIP = 56;

/** NARROW is the width in CSS pixels below which a chart has no room for numbers at its side. */
const NARROW = 220;

/** hover is the moment under the pointer in seconds, shared by all charts; 0 for none. */
export const hover = new Cell(0);

/** Chart draws. */
export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  const plot = useRef<uPlot | null>(null);
  const look = useCell(theme);
  latest.current = props;
  const shape = props.lines.map((l) => `${l.column} ${l.color}`).join();

  useEffect(() => {
    const node = place.current!;
    const u = new uPlot(options(node, latest), data(latest.current), node);
    plot.current = u;
    const watch = new ResizeObserver(() => u.setSize({ width: node.clientWidth, height: heightOf(latest.current) }));
    watch.observe(node);
    return () => {
      watch.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [look, shape]);

  useEffect(() => {
    plot.current?.setData(data(props));
  }, [props.series, props.end, props.window, shape]);

  return <div class={props.strip ? "chart low" : "chart"} ref={place} role="img" aria-label={props.label} />;
}

function heightOf({ strip }: Props): number {
  return strip ? STRIP : HEIGHT;
}

function data({ series, lines }: Props): uPlot.AlignedData {
  return [series.x, ...lines.map((l) => series.column(l.column))];
}

function options(node: HTMLElement, latest: { current: Props }): uPlot.Options {
  const style = getComputedStyle(node);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const narrow = () => node.clientWidth < NARROW;
  return {
    width: node.clientWidth,
    height: heightOf(latest.current),
    padding: [6, 14, latest.current.strip ? 6 : 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: "tidings", scales: ["x", null] },
      points: { size: 7, width: 2 },
    },
    scales: {
      x: { time: false, range: () => [latest.current.end - latest.current.window, latest.current.end] },
      y: { range: () => [0, latest.current.top(largest(latest.current))] },
    },
    axes: [
      {
        show: !latest.current.strip, size: 20, gap: 4, font, stroke: color("--faint"), grid: { show: false }, ticks: { show: false },
        splits: (_u, _axis, min, max) => ticks(min, max, narrow()),
        values: (_u, splits) => splits.map((s) => ago(latest.current.end - s)),
      },
      {
        size: () => (narrow() ? 0 : 44), gap: 6, font, stroke: color("--faint"), ticks: { show: false },
        grid: { stroke: color("--grid"), width: 1 },
        splits: (_u, _axis, min, max) => [min, (min + max) / 2, max],
        values: (_u, splits) => splits.map((s) => (narrow() ? "" : latest.current.tick(s))),
      },
    ],
    series: [
      {},
      ...latest.current.lines.map((l) => ({
        stroke: color(`--c${l.color}`),
        width: 1.5,
        ...(l.color === 1 ? { fill: (u: uPlot) => wash(u, color("--wash"), color("--wash-end")) } : {}),
        points: { show: false },
        paths: uPlot.paths.spline!(),
      })),
    ],
    hooks: {
      draw: [(u) => heads(u, latest.current, color)],
      setCursor: [
        (u) => {
          const left = u.cursor.left ?? -1;
          hover.set(left < 0 ? 0 : u.posToVal(left, "x"));
        },
      ],
    },
  };
}

function largest({ series, lines, end, window }: Props): number {
  return series.top(lines.map((l) => l.column), end - window);
}

/** ticks stand still because they are counted from the right edge, not on the clock. */
function ticks(min: number, max: number, few: boolean): number[] {
  const width = max - min;
  const step = (width > 150 ? 60 : width > 90 ? 30 : 15) * (few ? 2 : 1);
  const at: number[] = [];
  for (let t = max; t > min + step / 2; t -= step) at.push(t);
  return at;
}

function ago(s: number): string {
  const n = Math.round(s);
  if (n === 0) return "now";
  return n % 60 === 0 ? `${n / 60}m` : `${n}s`;
}

/** wash fades the area below a line out towards the bottom. */
function wash(u: uPlot, from: string, to: string): CanvasGradient | string {
  const { top, height } = u.bbox;
  if (!(height > 0)) return from;
  const g = u.ctx.createLinearGradient(0, top, 0, top + height);
  g.addColorStop(0, from);
  g.addColorStop(1, to);
  return g;
}

/** heads puts a dot on the newest sample of each line. */
function heads(u: uPlot, { series, lines }: Props, color: (name: string) => string): void {
  const i = series.x.length - 1;
  if (i < 0) return;
  const x = u.valToPos(series.x[i]!, "x", true);
  const r = devicePixelRatio;
  u.ctx.save();
  for (const l of lines) {
    const v = series.column(l.column)[i];
    if (v === null || v === undefined) continue;
    const y = u.valToPos(v, "y", true);
    u.ctx.beginPath();
    u.ctx.arc(x, y, 2.75 * r, 0, 2 * Math.PI);
    u.ctx.fillStyle = color(`--c${l.color}`);
    u.ctx.fill();
    u.ctx.lineWidth = 1.5 * r;
    u.ctx.strokeStyle = color("--panel");
    u.ctx.stroke();
  }
  u.ctx.restore();
}
