// A table of samples over time, column by column, in the shape the charts draw.

/** MAX_SAMPLES bounds a table: ten minutes at one sample a second, twice the widest window. */
export const MAX_SAMPLES = 600;
/** HOLE_S is the silence, in seconds, after which the line breaks: samples come every second,
 * and drawing through an outage would hide it. */
export const HOLE_S = 5;

/** Column holds one value per sample; null breaks the line. */
export type Column = (number | null)[];

/** Series is one table. Times are in seconds since 1970, rising. */
export class Series {
  readonly x: number[] = [];
  private columns = new Map<string, Column>();

  /** last is the time of the newest sample, 0 if there is none. */
  get last(): number {
    return this.x.length ? this.x[this.x.length - 1]! : 0;
  }

  /** column returns the values of one name, all null if it never had any. */
  column(name: string): Column {
    let c = this.columns.get(name);
    if (!c) {
      c = new Array<number | null>(this.x.length).fill(null);
      this.columns.set(name, c);
    }
    return c;
  }

  /** push adds a sample. One that is not newer than the last is a repetition and is ignored. */
  push(time: number, values: Record<string, number | null>): boolean {
    if (!(time > this.last)) return false;
    if (this.last && time - this.last > HOLE_S) this.row(this.last + 1, {});
    this.row(time, values);
    return true;
  }

  private row(time: number, values: Record<string, number | null>): void {
    for (const name of Object.keys(values)) this.column(name);
    this.x.push(time);
    for (const [name, c] of this.columns) c.push(values[name] ?? null);
    if (this.x.length <= MAX_SAMPLES) return;
    this.x.shift();
    for (const c of this.columns.values()) c.shift();
  }

  /** at returns the index of the sample nearest to a time, -1 if there is none. */
  at(time: number): number {
    let lo = 0;
    let hi = this.x.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.x[mid]! < time) lo = mid + 1;
      else hi = mid;
    }
    if (lo === this.x.length) return lo - 1;
    return lo > 0 && time - this.x[lo - 1]! < this.x[lo]! - time ? lo - 1 : lo;
  }

  /** top returns the largest value of some columns since a time, 0 if there is none. */
  top(names: string[], since: number): number {
    let top = 0;
    for (const name of names) {
      const c = this.column(name);
      for (let i = c.length - 1; i >= 0 && this.x[i]! >= since; i--) top = Math.max(top, c[i] ?? 0);
    }
    return top;
  }
}
