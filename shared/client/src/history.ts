// What the log holds of a topic.

import type { Api } from "./api.ts";
import type { HistoryOptions } from "./topic.ts";
import type { Page } from "./wire.ts";

/** history implements Topic.history. */
export function history(api: Api, topic: string, { after, limit, signal }: HistoryOptions = {}): Promise<Page> {
  const query = new URLSearchParams();
  if (after) query.set("after", after);
  if (limit) query.set("limit", String(limit));
  return api.call(`/v1/topics/${encodeURIComponent(topic)}/events?${query}`, undefined, Infinity, signal);
}
