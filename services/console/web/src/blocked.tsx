// What a view shows instead of data.

import type { ComponentChildren } from "preact";
import { CopyButton } from "./copy.tsx";
import { Warn } from "./icons.tsx";
import { Said } from "./said.tsx";
import type { Problem } from "./ask.ts";

/** Command is a line for a terminal, to copy. */
export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <code tabIndex={0}>{text}</code>
      <CopyButton text={text} label="Copy command" />
    </div>
  );
}

/** Teach is an empty state: what is missing and what to do next. */
export function Teach({ title, command, children }: { title: string; command?: string; children: ComponentChildren }) {
  return (
    <div class="notice" role="status">
      <h2>{title}</h2>
      <p>{children}</p>
      {command && <Command text={command} />}
    </div>
  );
}

/** Blocked says why there is nothing to see. */
export function Blocked({ problem, again }: { problem: Problem; again(): void }) {
  if (problem.status === 403) {
    return (
      <Teach title="Operators only" command="tidings token --as-admin">
        <Said problem={problem} /> Make one where Tidings runs, then forget the token in use (behind the status pill) and paste the new one:
      </Teach>
    );
  }
  return (
    <div class="notice" role="alert">
      <h2>Nothing to show</h2>
      <p><Said problem={problem} /></p>
      <p><button type="button" class="button" onClick={again}>Try again</button></p>
    </div>
  );
}

/** Stale stands above old data. */
export function Stale({ problem }: { problem: Problem | undefined }) {
  if (!problem) return null;
  return <p class="problem bar" role="alert"><Warn /> <Said problem={problem} /></p>;
}
