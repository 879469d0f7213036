// A live list that stands still: what is in it keeps its place until somebody asks for another
// list. Rows that jump away under the pointer can't be read, and the wrong one gets pressed.

/** Kept is a row in its place. */
export interface Kept<T> {
  key: string;
  row: T;
  /** gone says that the row is no more; it shows what was known last. */
  gone: boolean;
}

/** settle returns the rows of old in their places, with what fresh knows about them, and what is
 * new after them, up to most rows in all. over counts the new ones that have no place. absent
 * says whether a row that fresh does not have is gone; it may be on another page. */
export function settle<T>(old: Kept<T>[], fresh: T[], keyOf: (row: T) => string, most: number, absent: (key: string) => boolean): { rows: Kept<T>[]; over: number } {
  const news = new Map(fresh.map((row) => [keyOf(row), row]));
  const rows = old.map((kept) => {
    const row = news.get(kept.key);
    news.delete(kept.key);
    return row ? { key: kept.key, row, gone: false } : { ...kept, gone: kept.gone || absent(kept.key) };
  });
  const room = Math.max(0, most - rows.length);
  for (const [key, row] of [...news].slice(0, room)) rows.push({ key, row, gone: false });
  return { rows, over: Math.max(0, news.size - room) };
}
