// Rates of counts that grow.

/** Rates makes rates of counts that grow. */
export class Rates {
  private counts = new Map<string, number>();
  private at = 0;
  /** now holds what grew per second between the last two calls of take. */
  now: ReadonlyMap<string, number> = new Map();

  /** take notes the counts of a moment in milliseconds. A count that is new or fell has no rate. */
  take(counts: Map<string, number>, at: number): void {
    const seconds = (at - this.at) / 1000;
    if (this.at && seconds <= 0) return;
    const rates = new Map<string, number>();
    for (const [name, n] of counts) {
      const before = this.counts.get(name);
      if (before !== undefined && n >= before) rates.set(name, (n - before) / seconds);
    }
    this.now = rates;
    this.counts = counts;
    this.at = at;
  }
}
