// A cursor is "<epoch>-<seq>": a position in one incarnation of the log.

/** split returns the epoch and the sequence, which has up to 64 bits and hence stays text. */
export function split(cursor: string): [epoch: string, seq: string] {
  return [...cursor.split("-"), ""] as [string, string];
}

/** after says whether a stands after b. Positions of different epochs can't be compared: then it
 * says yes, for what comes from another log was not seen before. */
export function after(a: string, b: string | undefined): boolean {
  if (!b) return true;
  const [epoch, seq] = split(a);
  const [other, last] = split(b);
  return epoch !== other || seq.padStart(20, "0") > last.padStart(20, "0");
}
