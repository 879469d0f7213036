// The list: days, rows, and what a row can do.

import { isUnread, type Entry } from "../inbox/fold.ts";
import { arrange, draw, h, tool } from "./dom.ts";
import { dayOf, link, momentOf, timeOf, titled, type Labels } from "./words.ts";

/** Doer does what a person asks of an item. */
export interface Doer {
  labels: Labels;
  locale: string | undefined;
  /** category returns a category's title. */
  category(name: string): string | undefined;
  open(e: Entry): void;
  toggle(e: Entry): void;
  archive(e: Entry): void;
  snooze(e: Entry): void;
}

/** Row is one item on the screen. */
export interface Row {
  entry: Entry;
  readonly el: HTMLElement;
  /** follow opens the first link, if there is one. */
  follow(): void;
  update(entry: Entry, now: Date): void;
}

/** rowOf makes a row. What an item says never changes; what was done with it does. */
export function rowOf(entry: Entry, doer: Doer): Row {
  const { labels } = doer;
  const { title = "", body, actions, severity, at } = entry;
  const links: HTMLAnchorElement[] = [];
  for (const { label, url } of Array.isArray(actions) ? actions : []) {
    const to = link(url, location.href);
    if (!to) continue;
    links.push(h("a", { href: to.href, className: "action", ...(to.origin === location.origin ? {} : { target: "_blank", rel: "noopener noreferrer" }) }, String(label)));
  }
  const when = new Date(at);
  const time = h("time", { dateTime: at, title: when.toLocaleString(doer.locale) });
  const chip = h("span", { className: "chip" });
  const read = tool("check", "", () => doer.toggle(row.entry));
  const sleep = tool("clock", "", () => doer.snooze(row.entry));
  const put = tool("archive", "", () => doer.archive(row.entry));
  const foot = h("div", { className: "foot" }, chip, ...links);
  if (severity === "critical") foot.prepend(h("span", { className: "chip hot" }, labels.critical));
  const el = h("article", { className: "row", tabIndex: -1, part: "item" },
    h("span", { className: "dot" }),
    h("b", { className: "name" }, String(title)), time,
    ...(body ? [h("p", {}, String(body))] : []),
    foot, h("span", { className: "tools" }, read, sleep, put));
  el.onclick = (e) => (e.target as Element).closest("button") || doer.open(row.entry);
  const row: Row = {
    entry, el,
    follow: () => links[0]?.click(),
    update(e, now) {
      row.entry = e;
      const unread = isUnread(e);
      el.classList.toggle("unread", unread);
      el.ariaLabel = (unread ? labels.unread + ": " : "") + title;
      const until = e.snoozed_until;
      time.textContent = until ? momentOf(new Date(until), now, doer.locale) : timeOf(when, now, labels, doer.locale);
      chip.textContent = e.category ? (doer.category(e.category) ?? titled(e.category)) : "";
      chip.hidden = !e.category;
      foot.hidden = !e.category && foot.childElementCount < 2;
      face(read, unread ? "check" : "dot", (unread ? labels.markRead : labels.markUnread), "r");
      face(put, e.archived ? "unarchive" : "archive", e.archived ? labels.unarchive : labels.archive, "e");
      face(sleep, until ? "bell" : "clock", until ? labels.wake : labels.snooze, "s");
      read.hidden = e.archived || !!until;
      sleep.hidden = e.archived;
    },
  };
  return row;
}

/** face gives a button another icon and name. */
function face(button: HTMLButtonElement, icon: Parameters<typeof draw>[1], label: string, key: string): void {
  if (button.ariaLabel === label) return;
  button.ariaLabel = label;
  button.title = `${label} (${key})`;
  draw(button.firstElementChild!, icon);
}

/** List shows entries by day. */
export interface List {
  readonly el: HTMLElement;
  /** rows are those on the screen, from above to below. */
  rows: Row[];
  show(entries: readonly Entry[]): void;
  /** focus goes to the row at an index, or the nearest. */
  focus(index: number): void;
  /** index is that of the row with the focus, -1 if none has it. */
  index(): number;
}

/** listOf makes a list. */
export function listOf(doer: Doer): List {
  const el = h("div", { className: "feed", role: "feed", ariaLabel: doer.labels.title });
  const known = new Map<number, Row>();
  const days = new Map<string, HTMLElement>();
  const active = () => (el.getRootNode() as ShadowRoot).activeElement;
  const list: List = {
    el,
    rows: [],
    show(entries) {
      const now = new Date();
      const index = list.index();
      const nodes: Node[] = [];
      let day = "";
      list.rows = entries.map((e, i) => {
        const row = known.get(e.n) ?? rowOf(e, doer);
        known.set(e.n, row);
        row.update(e, now);
        row.el.ariaPosInSet = "" + (i + 1);
        row.el.ariaSetSize = "" + entries.length;
        const its = dayOf(new Date(e.at), now, doer.labels, doer.locale);
        if (its !== day) {
          day = its;
          if (!days.has(day)) days.set(day, h("h3", {}, day));
          nodes.push(days.get(day)!);
        }
        nodes.push(row.el);
        return row;
      });
      for (const [n, row] of known) if (!list.rows.includes(row)) known.delete(n);
      arrange(el, nodes);
      // One row is reached by Tab, the others by j and k.
      if (!list.rows.some((r) => r.el.tabIndex === 0) && list.rows[0]) list.rows[0].el.tabIndex = 0;
      if (index >= 0 && list.index() < 0) list.focus(index);
    },
    focus(index) {
      const row = list.rows[Math.max(0, Math.min(index, list.rows.length - 1))];
      if (!row) return (el.closest(".panel") as HTMLElement | null)?.focus();
      for (const r of list.rows) r.el.tabIndex = r === row ? 0 : -1;
      row.el.focus();
      row.el.scrollIntoView({ block: "nearest" });
    },
    index: () => list.rows.findIndex((r) => r.el.contains(active())),
  };
  return list;
}
