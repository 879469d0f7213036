// Numbers as people read them. A reading is split in value and unit: they are set differently.

/** Reading is a number ready to show. */
export interface Reading {
  value: string;
  unit: string;
}

/** NONE is shown where there is no number yet. */
export const NONE: Reading = { value: "–", unit: "" };

const SI = ["", "k", "M", "G", "T"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti"];

/** digits gives three significant figures and never an exponent. */
function digits(n: number): string {
  if (n === 0) return "0";
  const a = Math.abs(n);
  return n.toFixed(a < 9.995 ? 2 : a < 99.95 ? 1 : 0);
}

function scaled(n: number, base: number, names: string[]): [string, string] {
  let i = 0;
  while (Math.abs(n) >= base * 0.9995 && i < names.length - 1) {
    n /= base;
    i++;
  }
  return [i === 0 && Number.isInteger(n) ? String(n) : digits(n), names[i]!];
}

/** rate formats a count per second. Below a thousand a tenth at most: a second is measured, so a
 * steady six comes as 5.99 and 6.01. */
export function rate(n: number): Reading {
  if (n < 999.5) return { value: n === 0 ? "0" : n.toFixed(n < 9.95 ? 1 : 0), unit: "/s" };
  const [value, prefix] = scaled(n, 1000, SI);
  return { value, unit: `${prefix}/s` };
}

/** traffic formats bytes per second, decimal as network people count. */
export function traffic(n: number): Reading {
  if (n < 1000) return { value: n.toFixed(0), unit: "B/s" };
  const [value, prefix] = scaled(n, 1000, SI);
  return { value, unit: `${prefix}B/s` };
}

/** bytes formats a size, binary as memory is sold. */
export function bytes(n: number): Reading {
  const [value, prefix] = scaled(n, 1024, BINARY);
  return { value, unit: `${prefix}B` };
}

/** count formats a whole number. */
export function count(n: number): Reading {
  if (Math.abs(n) < 10_000) return { value: String(Math.round(n)), unit: "" };
  const [value, unit] = scaled(n, 1000, SI);
  return { value, unit };
}

/** percent formats a share of 100. */
export function percent(n: number): Reading {
  return { value: n.toFixed(n < 99.95 ? 1 : 0), unit: "%" };
}

/** load formats a load average. */
export function load(n: number): Reading {
  return { value: n.toFixed(n < 100 ? 2 : 0), unit: "" };
}

/** latency formats milliseconds. */
export function latency(ms: number): Reading {
  return ms < 1000 ? { value: digits(ms), unit: "ms" } : { value: digits(ms / 1000), unit: "s" };
}

/** compact is a number with a one-letter unit: an axis has room for five characters. */
export function compact(v: number, base: number): string {
  let i = 0;
  while (v >= base && i < 4) {
    v /= base;
    i++;
  }
  return `${v < 100 ? Math.round(v * 10) / 10 : Math.round(v)}${["", "k", "M", "G", "T"][i]}`;
}

/** text joins a reading for places where one size fits. */
export function text(r: Reading): string {
  return r.unit === "" ? r.value : r.unit === "%" ? `${r.value} %` : `${r.value} ${r.unit}`;
}

/** span formats a duration in milliseconds in its two largest units. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** clock formats a moment as local time of day; millis adds the fraction. */
export function clock(ms: number, millis = false): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return millis ? `${time}.${String(d.getMilliseconds()).padStart(3, "0")}` : time;
}

/** ceiling returns the top of an axis: the next round number at or above n, at least `least`.
 * base is 1000 for decimal and 1024 for binary units. */
export function ceiling(n: number, least: number, base = 1000): number {
  if (!(n > least)) return least;
  const unit = base ** Math.floor(Math.log(n) / Math.log(base));
  const rest = n / unit;
  const ten = 10 ** Math.floor(Math.log10(rest));
  for (const step of [1, 2, 3, 4, 5, 6, 8, 10]) {
    if (rest <= step * ten) return step * ten * unit;
  }
  return base * unit;
}
