// What the server said, as a sentence.

import type { Problem } from "./ask.ts";

/** Said shows a problem's detail and hint; what stands between backticks is set as code. */
export function Said({ problem }: { problem: Problem }) {
  const parts = `${problem.detail} ${problem.hint}`.split("`");
  return <span>{parts.map((part, i) => (i % 2 ? <code key={i}>{part}</code> : part))}</span>;
}
