// Light or dark: what the system says, until someone decides otherwise here.

import { Cell, type Readable } from "./cell.ts";

const KEY = "tidings.theme";

/** Theme is what the page looks like now. */
export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const cell = new Cell<Theme>(current());

/** theme changes with the system and with toggle. */
export const theme: Readable<Theme> = cell;

/** applyTheme makes the page follow the choice; call it once. */
export function applyTheme(): void {
  system.addEventListener("change", paint);
  paint();
}

/** toggle switches and remembers. Choosing what the system says anyway forgets the choice. */
export function toggle(): void {
  const next: Theme = cell.get() === "dark" ? "light" : "dark";
  try {
    if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // It is not remembered, but it still happens.
  }
  paint(next);
}

function current(): Theme {
  try {
    const chosen = localStorage.getItem(KEY);
    if (chosen === "light" || chosen === "dark") return chosen;
  } catch {
    // No storage, no choice.
  }
  return system.matches ? "dark" : "light";
}

function paint(choice?: unknown): void {
  const now = choice === "light" || choice === "dark" ? choice : current();
  document.documentElement.dataset.theme = now;
  cell.set(now);
}
