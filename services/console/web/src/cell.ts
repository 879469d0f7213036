// A cell is one observable value. Everything that changes outside a component is one.

/** Readable is what a consumer of a value may do. */
export interface Readable<T> {
  get(): T;
  /** subscribe calls f after each change, not at once, and returns the way to end that. */
  subscribe(f: (value: T) => void): () => void;
}

/** Cell holds a value and tells who listens when it changes. */
export class Cell<T> implements Readable<T> {
  private listeners = new Set<(value: T) => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const f of [...this.listeners]) f(value);
  }

  subscribe(f: (value: T) => void): () => void {
    this.listeners.add(f);
    return () => void this.listeners.delete(f);
  }
}
