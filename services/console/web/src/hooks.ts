// The few hooks everything uses.

import { useEffect, useReducer, useState } from "preact/hooks";
import type { Readable } from "./cell.ts";

/** useCell renders again whenever the cell changes. */
export function useCell<T>(cell: Readable<T>): T {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const off = cell.subscribe(() => again(undefined));
    again(undefined); // it may have changed between rendering and this effect
    return off;
  }, [cell]);
  return cell.get();
}

/** useClock renders again every ms milliseconds and returns the time. */
export function useClock(ms: number): number {
  const [now, set] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}

/** useMedia says whether a media query matches. */
export function useMedia(query: string): boolean {
  const [matches, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = () => set(list.matches);
    list.addEventListener("change", changed);
    changed();
    return () => list.removeEventListener("change", changed);
  }, [query]);
  return matches;
}

/** useLater is a value that waits until it has not changed for ms milliseconds. */
export function useLater(value: string, ms: number): string {
  const [late, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}
