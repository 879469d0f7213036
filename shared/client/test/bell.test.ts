// What the bell says, and which links it takes. How it behaves in a page is tested in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { badge, dayOf, ENGLISH, isOn, link, momentOf, naps, timeOf, titled, turn } from "../src/bell/words.ts";
import { NO_WISHES, type Wishes } from "../src/inbox/preferences.ts";

test("numbers and names", () => {
  assert.deepEqual([0, 1, 99, 100, 250].map(badge), ["0", "1", "99", "99+", "99+"]);
  assert.deepEqual(["orders", "product_news", "a.b-c", ""].map(titled), ["Orders", "Product news", "A b c", ""]);
});

test("links are https or a path of the page", () => {
  const page = "https://shop.example.com/a/b";
  const to = (url: unknown) => link(url, page)?.href;
  assert.equal(to("/orders/7?x#y"), "https://shop.example.com/orders/7?x#y");
  assert.equal(to("https://example.com/x"), "https://example.com/x");
  assert.equal(to("HTTPS://example.com"), "https://example.com/");
  assert.equal(link("/orders", "http://localhost:8000/")?.href, "http://localhost:8000/orders");
  for (const bad of ["javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "http://example.com", "//evil.com", "/\\evil.com", "/\t/evil.com", "/\n\\evil.com", "https:evil", "orders", "", "mailto:a@b", undefined, null, 7, {}, "https://"]) {
    assert.equal(to(bad), undefined, JSON.stringify(bad));
  }
});

test("days are those of the person", () => {
  const now = new Date(2026, 2, 29, 12); // in Europe this day has 23 hours
  const day = (...at: [number, number, number, number?]) => dayOf(new Date(...at), now, ENGLISH, "en-GB");
  assert.equal(day(2026, 2, 29, 0), "Today");
  assert.equal(day(2026, 2, 30, 0), "Today", "a clock that is behind");
  assert.equal(day(2026, 2, 28, 23), "Yesterday");
  assert.equal(day(2026, 2, 27), "Friday");
  assert.equal(day(2026, 2, 22), "22 March");
  assert.equal(day(2025, 11, 31), "31 December 2025");
});

test("times: how long ago today, and the time of day before", () => {
  const now = new Date(2026, 2, 10, 12);
  const time = (ms: number) => timeOf(new Date(+now - ms), now, ENGLISH, "en-GB").replace(/\u202f|\u00a0/g, " ");
  assert.deepEqual([time(-5_000), time(59_000)], ["now", "now"]);
  assert.match(time(61_000), /^1\s?m/);
  assert.match(time(3 * 3_600_000), /^3\s?h/);
  assert.equal(time(20 * 3_600_000), "16:00");
});

test("times to be told again", () => {
  // Commas and leading zeros are a matter of the version of the locale's data.
  const of = (...at: [number, number, number, number]) => naps(new Date(...at)).map(([name, time]) => name + " " + momentOf(time, new Date(...at), "en-GB").replace(/,|\b0(?=\d:)/g, ""));
  assert.deepEqual(of(2026, 2, 26, 16), ["hour 17:00", "evening 18:00", "tomorrow Fri 9:00", "week Mon 9:00"]);
  assert.deepEqual(of(2026, 2, 28, 17), ["hour 18:00", "tomorrow Sun 9:00", "week Mon 9:00"], "a Saturday, and the next day has 23 hours");
  assert.deepEqual(of(2026, 2, 29, 23), ["hour Mon 0:00", "tomorrow Mon 9:00", "week Mon 6 Apr 9:00"], "on a Sunday next week is not tomorrow");
  assert.equal(of(2026, 2, 30, 8).at(-1), "week Mon 6 Apr 9:00", "nor today on a Monday");
});

test("a switch turns one channel of one category", () => {
  const wishes = (preferences: Wishes["preferences"]): Wishes => ({ ...NO_WISHES, channels: ["inbox", "mail"], preferences });
  assert.ok(isOn(wishes({}), "orders", "mail"));
  const some = { ...wishes({}), categories: { orders: { channels: ["inbox"] } } };
  assert.deepEqual([isOn(some, "orders", "inbox"), isOn(some, "orders", "mail")], [true, false]);
  assert.ok(isOn({ ...some, preferences: { channels: { mail: true } } }, "orders", "mail"));
  assert.ok(!isOn(wishes({ channels: { mail: false } }), "orders", "mail"));
  assert.ok(isOn(wishes({ channels: { mail: false }, categories: { orders: { channels: { mail: true } } } }), "orders", "mail"));
  const off = wishes({ categories: { orders: { enabled: false } } });
  assert.ok(!isOn(off, "orders", "inbox"));
  assert.deepEqual(turn(wishes({}), "orders", "mail", false), { categories: { orders: { channels: { mail: false } } } });
  assert.deepEqual(turn(off, "orders", "mail", true), { categories: { orders: { enabled: null, channels: { inbox: false, mail: true } } } });
});
