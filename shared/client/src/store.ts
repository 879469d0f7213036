// One shape for everything that can be observed: {get, subscribe}. It fits React's
// useSyncExternalStore, Svelte's stores, and plain code.

/** Off ends what its maker began; calling it again does nothing. */
export type Off = () => void;

/** Store is a value that changes. Its functions need no `this`. */
export interface Store<T> {
  /** get returns the value of now, the same object until it changes. */
  get(): T;
  /** subscribe calls fn at once with the value and then with each new one, until Off. */
  subscribe(fn: (value: T) => void): Off;
}

/** Cell is a Store with the right to set it. */
export interface Cell<T> extends Store<T> {
  set(value: T): void;
}

/** cell makes a store. */
export function cell<T>(value: T): Cell<T> {
  const listeners = bell<[T]>();
  return {
    get: () => value,
    set(v) {
      value = v;
      listeners.ring(v);
    },
    subscribe(fn) {
      const off = listeners.add(fn);
      call(fn, value);
      return off;
    },
  };
}

/** Bell is a list of listeners. */
export interface Bell<A extends unknown[]> {
  /** add adds a listener; the same function may be added twice. */
  add(fn: (...args: A) => void): Off;
  /** ring calls those who listened when it began, and returns how many. */
  ring(...args: A): number;
  /** size is how many listen. */
  size(): number;
}

/** bell makes a list of listeners. */
export function bell<A extends unknown[]>(): Bell<A> {
  const entries = new Set<{ fn: (...args: A) => void }>();
  return {
    add(fn) {
      const entry = { fn };
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    ring: (...args) => [...entries].map(({ fn }) => call(fn, ...args)).length,
    size: () => entries.size,
  };
}

/** call calls a listener, whose fault is its own: the others still hear, the stream goes on, and
 * the page's error handler is told. */
function call<A extends unknown[]>(fn: (...args: A) => void, ...args: A): void {
  try {
    fn(...args);
  } catch (e) {
    (globalThis.reportError ?? console.error)(e);
  }
}
