import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed } from "../src/feed.ts";
import { held } from "../src/live.tsx";

const mail = (n: number) => ({ type: "mail.received", id: "", data: JSON.stringify({ topic: "room.mailbox", type: "mail.received", data: { id: n } }) });

test("the past that charts ask for is nobody's news, what was missed is", () => {
  const feed = new Feed();
  const heard: unknown[] = [];
  const off = feed.on("mail.received", (d) => heard.push(d.id));
  feed.on("gap", (d) => heard.push(d.reason));
  feed.control("tidings.hello", {});
  feed.event(mail(1));
  assert.equal(feed.live.get(), false);
  feed.control("tidings.live", {});
  assert.equal(feed.live.get(), true);
  feed.event(mail(2));
  feed.control("tidings.hello", { resumed: true });
  feed.event(mail(3));
  feed.control("tidings.live", {});
  assert.deepEqual(heard, [2, 3]);
  feed.control("tidings.hello", { resumed: false }); // begun anew: something may be missing
  feed.event(mail(4));
  feed.control("tidings.live", {});
  feed.control("tidings.gap", { reason: "dropped" });
  feed.event({ type: "mail.received", id: "", data: "no JSON" });
  off();
  feed.event(mail(5));
  assert.deepEqual(heard, [2, 3, "restart", "dropped"]);
});

test("a list that is pointed at keeps its rows and counts what waits", () => {
  const key = (r: { k: number; v?: string }) => String(r.k);
  const shown = [{ k: 3 }, { k: 2 }];
  assert.deepEqual(held(shown, [{ k: 5 }, { k: 4 }, { k: 3, v: "new" }, { k: 2 }, { k: 1 }], key), { rows: [{ k: 3, v: "new" }, { k: 2 }, { k: 1 }], fresh: 2 });
  assert.deepEqual(held(shown, [{ k: 3 }], key), { rows: shown, fresh: 0 }, "one that is gone keeps its place");
  assert.deepEqual(held(shown, [{ k: 9 }], key).rows, shown);
});
