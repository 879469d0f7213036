// One stream for whatever the page listens to besides the tail: a browser makes few connections to
// a host, and views come and go.

import { Cell, type Readable } from "./cell.ts";
import type { Message } from "./stream.ts";
import { parseObject } from "./wire.ts";

type Ear = (data: Record<string, unknown>) => void;

/** Feed hands the events of a stream to those who listen: what happens from now on, and what was
 * missed while the stream was away, but not the past that the charts ask for. */
export class Feed {
  private ears = new Map<string, Set<Ear>>();
  private past = true;
  private cell = new Cell(false);
  /** live says that what comes from now on is heard. */
  readonly live: Readable<boolean> = this.cell;

  /** on calls ear with the data of every event of a type until the returned function is called. The
   * type "gap" says that events may have been missed. */
  on(type: string, ear: Ear): () => void {
    const set = this.ears.get(type) ?? new Set();
    this.ears.set(type, set.add(ear));
    return () => void set.delete(ear);
  }

  /** event takes an event of the stream. */
  event(m: Message): void {
    if (this.past || !this.ears.get(m.type)?.size) return;
    const data = parseObject(m.data)?.data;
    if (data && typeof data === "object") this.tell(m.type, data as Record<string, unknown>);
  }

  /** control takes a control event of the stream. */
  control(type: string, data: Record<string, unknown>): void {
    if (type === "tidings.gap") this.tell("gap", data);
    if (type === "tidings.hello") {
      const again = data.resumed !== true && this.cell.get();
      this.past = data.resumed !== true;
      if (again) this.tell("gap", { reason: "restart" });
    }
    if (type === "tidings.live") {
      this.past = false;
      this.cell.set(true);
    }
  }

  private tell(type: string, data: Record<string, unknown>): void {
    for (const ear of this.ears.get(type) ?? []) ear(data);
  }
}
