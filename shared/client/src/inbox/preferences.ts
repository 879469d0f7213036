// What a person wants to be told, and how.

import type { Client } from "../client.ts";
import type { TidingsError } from "../fault.ts";
import { cell, type Store } from "../store.ts";
import { SEND_MS } from "./inbox.ts";

/** Choice is what a person wants of one category. It goes before what they want in general. */
export interface Choice {
  /** enabled turns the category off, if false. */
  enabled?: boolean;
  muted_until?: string;
  /** channels turns channels on or off, by name. */
  channels?: Record<string, boolean>;
  /** digest is that of the server's documentation. */
  digest?: object;
}

/** QuietHours hold what disturbs, and drop nothing. */
export interface QuietHours {
  /** from and to are times of day such as "22:00"; tz is an IANA zone, the person's if left out. */
  from: string;
  to: string;
  tz?: string;
  days?: string[];
}

/** Preferences are what a person wants. What they leave out is as the categories say. */
export interface Preferences {
  /** enabled turns everything off, if false. */
  enabled?: boolean;
  muted_until?: string;
  channels?: Record<string, boolean>;
  categories?: Record<string, Choice>;
  quiet_hours?: QuietHours[];
}

/** Patch is a JSON merge patch: what it names is replaced, null takes it away, the rest stays. */
export type Patch<T> = { [K in keyof T]?: (T[K] extends readonly unknown[] | undefined ? T[K] : T[K] extends object | undefined ? Patch<T[K]> : T[K]) | null };

/** Wishes is what the store holds. */
export interface Wishes {
  preferences: Preferences;
  /** categories are those that there are, by name, with the channels that are on by themselves. */
  categories: Record<string, { title?: string; channels?: string[] }>;
  /** channels are those that the server has. */
  channels: string[];
  loading: boolean;
  error: TidingsError | undefined;
}

/** PreferencesStore reads when its first listener comes, and again when there was none for a while. */
export interface PreferencesStore extends Store<Wishes> {
  /** patch changes what it names. It shows at once, and is taken back if it is refused. */
  patch(change: Patch<Preferences>): Promise<void>;
  reload(): void;
}

/** NO_WISHES is what a store holds before it has read anything. */
export const NO_WISHES: Wishes = { preferences: {}, categories: {}, channels: [], loading: true, error: undefined };

/** merge applies a JSON merge patch (RFC 7396) to a value, which it leaves as it is. */
export function merge(value: any, patch: any): any {
  if (!patch || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const out: Record<string, unknown> = Array.isArray(value) ? {} : { ...value };
  for (const [k, v] of Object.entries(patch)) {
    if (v === null) delete out[k];
    else out[k] = merge(out[k], v);
  }
  return out;
}

/** preferences makes the store of a client's user. */
export function preferences(client: Client<any>): PreferencesStore {
  const { api } = client.hub;
  const store = cell(NO_WISHES);
  let known: Omit<Wishes, "loading" | "error"> = NO_WISHES;
  let pending: object[] = [];
  let queue: Promise<unknown> = Promise.resolve();
  let listeners = 0;

  const show = (error?: TidingsError) => store.set({ ...known, preferences: pending.reduce((p, change) => merge(p, change), known.preferences) as Preferences, loading: false, error });
  const take = (answer: Wishes) => {
    known = { ...NO_WISHES, ...answer };
  };
  // In the queue too: what is read is not to be older than what was changed.
  const reload = () => {
    queue = queue.then(() => api.call("/v1/preferences", undefined, SEND_MS)).then((answer) => {
      take(answer);
      show();
    }, show);
  };
  return {
    get: store.get,
    subscribe(fn) {
      const off = store.subscribe(fn);
      let on = true;
      if (!listeners++) reload();
      return () => {
        if (on) listeners--;
        on = false;
        off();
      };
    },
    patch(change) {
      pending.push(change);
      show();
      const sent = queue.then(() => api.call("/v1/preferences", change, SEND_MS, undefined, "PUT")).then(take).finally(() => {
        pending = pending.filter((p) => p !== change);
        show();
      });
      queue = sent.catch(() => {});
      return sent;
    },
    reload,
  };
}
