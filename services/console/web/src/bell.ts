// The bell of whoever reads the page: the element of the browser package, on the page's own stream.

import "./kit.ts";
import { TidingsBell } from "../../../../shared/client/src/bell/index.ts";
import { clientOf } from "./client.ts";
import type { Feed } from "./feed.ts";
import { go } from "./router.ts";
import type { Stream } from "./stream.ts";

/** hang puts a bell into a place until the returned function is called. What is opened in it is shown
 * with what became of it, instead of being followed: this is the operators' page. */
export function hang(place: HTMLElement, feed: Feed, stream: Stream): () => void {
  const bell = new TidingsBell();
  bell.client = clientOf(feed, stream);
  bell.addEventListener("tidings-open", (e) => {
    e.preventDefault();
    bell.close();
    go("notifications", { id: (e as CustomEvent<{ id: string }>).detail.id });
  });
  place.append(bell);
  return () => bell.remove();
}
