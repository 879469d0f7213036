// The panel: the notification centre behind the bell. It is a part of its own, loaded when somebody
// is about to open it.

import type { Client } from "../client.ts";
import { isUnread, type Entry, type Filter, type select } from "../inbox/fold.ts";
import type { Notifications } from "../inbox/inbox.ts";
import type { PreferencesStore, Wishes } from "../inbox/preferences.ts";
import type { Off } from "../store.ts";
import { arrange, h, icon, tool, type Icon } from "./dom.ts";
import type { Form } from "./form.ts";
import { listOf, type List } from "./list.ts";
import { PANEL } from "./look.ts";
import { adopt } from "./sheet.ts";
import { badge, momentOf, naps, type Labels } from "./words.ts";

/** UNDO_MS is how long "Undo" is offered. */
const UNDO_MS = 6_000;
/** AGE_MS is how often the panel says anew how long ago something was. */
const AGE_MS = 20_000;
/** EDGE is the least distance of the panel from the edge of the window and from the bell, in pixels. */
const EDGE = 8;
const FILTERS = ["inbox", "unread", "snoozed", "archived"] as const satisfies Filter[];

/** Owner is the bell. */
export interface Owner {
  host: HTMLElement;
  root: ShadowRoot;
  button: HTMLButtonElement;
  labels: Labels;
  client: Client<any>;
  inbox: Notifications;
  wishes: PreferencesStore;
  select: typeof select;
}

/** Panel is the notification centre of one client. */
export class Panel {
  readonly #owner: Owner;
  readonly #panel = h("div", { className: "panel", id: "panel", part: "panel", role: "dialog", tabIndex: -1, popover: "manual" });
  readonly #body = h("div", { className: "body" });
  readonly #list: List;
  readonly #locale: string | undefined;
  readonly #head: { normal: HTMLElement; prefs: HTMLElement; tabs: HTMLElement; readAll: HTMLButtonElement };
  #offs: Off[] | undefined; // while it is open
  #choice: Wishes | undefined;
  #form: Form | undefined;
  #bar: HTMLElement | undefined;
  #barTimer: ReturnType<typeof setTimeout> | undefined;
  #filter: (typeof FILTERS)[number] = "inbox";
  #asking = false; // the preferences are shown
  #queued = false;

  constructor(owner: Owner) {
    const { host, root, labels } = (this.#owner = owner);
    adopt(root, PANEL);
    root.append(this.#panel);
    this.#panel.onkeydown = (e) => this.#key(e);
    this.#panel.onpointerdown = (e) => this.#bar?.className === "menu" && !e.composedPath().includes(this.#bar) && this.#note();
    this.#head = this.#heads();
    this.#locale = host.lang || document.documentElement.lang || undefined;
    this.#list = listOf({
      labels,
      locale: this.#locale,
      category: (name) => this.#choice?.categories[name]?.title,
      open: (e) => this.#open(e),
      toggle: (e) => this.#toggle(e),
      archive: (e) => this.#archive(e),
      snooze: (e) => this.#snooze(e),
    });
  }

  /** open says whether it is shown. */
  get open(): boolean {
    return !!this.#offs;
  }

  /** show opens it, and what there is counts as seen. */
  show(): void {
    if (this.open) return;
    const { host, button, client, inbox, wishes } = this.#owner;
    const panel = this.#panel;
    panel.dataset.open = "";
    panel.showPopover?.();
    button.ariaExpanded = "true";
    const end = new AbortController();
    const on = { signal: end.signal, capture: true, passive: true };
    const place = () => this.#place();
    addEventListener("resize", place, on);
    addEventListener("scroll", place, on);
    addEventListener("pointerdown", (e) => e.composedPath().includes(host) || this.close(false), on);
    host.addEventListener("focusout", (e) => e.relatedTarget && e.relatedTarget !== host && this.close(false), on);
    const age = setInterval(() => this.#draw(), AGE_MS);
    const later = () => this.#later();
    this.#offs = [() => end.abort(), () => clearInterval(age)];
    this.#offs.push(inbox.subscribe(later), client.status.subscribe(later), wishes.subscribe((w) => {
      this.#choice = w;
      later();
    }));
    this.#draw();
    place();
    this.#body.scrollTop = 0;
    panel.focus({ preventScroll: true });
  }

  /** close hides it, and gives the focus back to the bell. */
  close(focus = true): void {
    if (!this.open) return;
    for (const off of this.#offs!) off();
    this.#offs = undefined;
    delete this.#panel.dataset.open;
    this.#panel.hidePopover?.();
    this.#owner.button.ariaExpanded = "false";
    this.#prefs(false);
    if (focus) this.#owner.button.focus();
  }

  /** remove takes it away for good. */
  remove(): void {
    this.close(false);
    this.#panel.remove();
  }

  // ---- What it shows ----

  #later(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      this.#draw();
    });
  }

  #draw(): void {
    if (!this.open) return;
    const { inbox, labels } = this.#owner;
    const { normal, prefs, tabs } = this.#head;
    if (inbox.get().unseen && !document.hidden) void inbox.seen();
    this.#panel.ariaLabel = this.#asking ? labels.preferences : labels.title;
    arrange(this.#panel, [...(this.#asking ? [prefs] : [normal, tabs]), this.#body, ...(this.#bar ? [this.#bar] : this.#trouble())]);
    this.#asking ? this.#drawForm() : this.#drawList();
  }

  #heads() {
    const l = this.#owner.labels;
    const closer = () => tool("close", l.close, () => this.close(), { className: "tool close" });
    const readAll = tool("checks", l.readAll, () => this.#do(this.#owner.inbox.read("all"), l.didRead));
    const tabs = h("div", { className: "tabs", role: "group", ariaLabel: l.title }, ...FILTERS.map((filter) =>
      h("button", { type: "button", value: filter, onclick: () => {
        this.#filter = filter;
        this.#body.scrollTop = 0;
        this.#draw();
      } }, filter === "inbox" ? l.all : l[filter])));
    return {
      tabs, readAll,
      normal: h("header", {}, h("h2", {}, l.title), readAll, tool("gear", l.preferences, () => this.#prefs(true)), closer()),
      prefs: h("header", {}, tool("back", l.back, () => this.#prefs(false)), h("h2", {}, l.preferences), closer()),
    };
  }

  #drawList(): void {
    const { labels: l, inbox, select } = this.#owner;
    const { items, loading, error, unread } = inbox.get();
    for (const tab of this.#head.tabs.children as unknown as HTMLButtonElement[]) {
      tab.ariaPressed = "" + (tab.value === this.#filter);
      if (tab.value === "unread") tab.textContent = l.unread + (unread ? " " + badge(unread) : "");
    }
    this.#head.readAll.disabled = !unread;
    const entries = select(items, { filter: this.#filter });
    const list = this.#list;
    list.el.ariaBusy = "" + loading;
    list.show(entries);
    if (entries.length) arrange(this.#body, [list.el]);
    else if (error) {
      arrange(this.#body, [h("div", { className: "blank" }, icon("cloud"), h("b", {}, l.failed), h("span", {}, error.detail),
        h("button", { type: "button", className: "action", onclick: inbox.reload }, l.retry))]);
    } else if (loading) {
      this.#bones();
    } else {
      const [text, hint, sign] = { archived: [l.emptyArchived, "", "archive"], snoozed: [l.emptySnoozed, "", "clock"], unread: [l.emptyUnread, "", "checks"], inbox: [l.emptyAll, l.emptyAllHint, "bell"] }[this.#filter];
      arrange(this.#body, [h("div", { className: "blank" }, icon(sign as Icon), h("b", {}, text!), h("span", {}, hint!))]);
    }
  }

  #drawForm(): void {
    if (!this.#form) return this.#bones();
    this.#form.show(this.#choice!);
    arrange(this.#body, [this.#form.el]);
  }

  /** bones hold the place of what is loaded. */
  #bones(): void {
    if (!this.#body.querySelector(".bone")) arrange(this.#body, Array.from({ length: 6 }, () => h("div", { className: "bone" })));
  }

  #prefs(on: boolean): void {
    this.#asking = on;
    if (on && !this.#form) {
      const { root, wishes, labels } = this.#owner;
      import("./form.ts").then(({ formOf }) => {
        this.#form ??= formOf(root, wishes, labels, (e) => this.#fail(e));
        this.#draw();
      }, (e) => this.#fail(e));
    }
    this.#note();
    this.#body.scrollTop = 0;
    if (this.open) this.#panel.focus();
  }

  /** trouble says that what is shown may not be all, once that has lasted. */
  #trouble(): Node[] {
    const { client, inbox } = this.#owner;
    if (!inbox.get().items.length || !/offline|waiting/.test(client.status.get().state)) return [];
    const old = this.#panel.querySelector(".late");
    return [old ?? h("div", { className: "bar late", role: "status" }, h("span", {}, this.#owner.labels.offline))];
  }

  /** note shows a line, perhaps with an Undo, for a while; without a text it takes it away. */
  #note(text = "", undo = false): void {
    clearTimeout(this.#barTimer);
    this.#bar = undefined;
    if (text) {
      this.#bar = h("div", { className: "bar", role: "status" }, h("span", {}, text));
      if (undo) this.#bar.append(h("button", { type: "button", title: "z", onclick: () => this.#undo() }, this.#owner.labels.undo));
      this.#barTimer = setTimeout(() => this.#note(), UNDO_MS);
    }
    this.#draw();
  }

  // ---- What a person does ----

  /** do waits for a change, and offers to take it back if it has a name. */
  #do(change: Promise<void>, done = ""): void {
    this.#note(done, true);
    change.catch((e) => this.#fail(e));
  }

  #toggle({ id, read }: Entry): void {
    this.#do(this.#owner.inbox[read ? "unread" : "read"](id));
  }

  #archive({ id, archived }: Entry): void {
    const { inbox, labels } = this.#owner;
    archived ? this.#do(inbox.unarchive(id), labels.didUnarchive) : this.#do(inbox.archive(id), labels.didArchive);
  }

  /** snooze asks until when, or wakes up what sleeps. */
  #snooze({ id, archived, snoozed_until: until }: Entry): void {
    const { inbox, labels } = this.#owner;
    if (archived) return;
    if (until) return this.#do(inbox.unread(id));
    const now = new Date();
    const at = this.#list.index();
    this.#note();
    this.#bar = h("div", { className: "menu", role: "group", ariaLabel: labels.snoozeUntil }, h("small", {}, labels.snoozeUntil), ...naps(now).map(([name, time]) => {
      const when = momentOf(time, now, this.#locale);
      return h("button", { type: "button", onclick: () => {
        this.#do(inbox.snooze(id, time), `${labels.didSnooze} ${when}`);
        this.#back(at);
      } }, labels[name], h("span", {}, when));
    }));
    this.#draw();
    this.#bar.querySelector("button")!.focus();
    this.#bar.onkeydown = (e) => this.#choose(e, at);
  }

  /** choose is the keyboard of the times to choose from. */
  #choose(e: KeyboardEvent, at: number): void {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[e.key];
    const buttons = [...this.#bar!.querySelectorAll("button")];
    if (step) buttons.at((buttons.indexOf(e.target as HTMLButtonElement) + step) % buttons.length)!.focus();
    else if (e.key === "Escape") {
      this.#note();
      this.#back(at);
    } else return e.stopPropagation();
    e.preventDefault();
    e.stopPropagation();
  }

  /** back gives the focus back to the list. */
  #back(row: number): void {
    row < 0 ? this.#panel.focus() : this.#list.focus(row);
  }

  #fail(e: unknown): void {
    this.#note((e as Error).message);
  }

  #undo(): void {
    this.#do(this.#owner.inbox.undo());
    if (!this.#owner.root.activeElement) this.#panel.focus();
  }

  /** open marks an item as read, and says so to the page. */
  #open(entry: Entry): boolean {
    if (isUnread(entry)) this.#toggle(entry);
    return this.#owner.host.dispatchEvent(new CustomEvent("tidings-open", { detail: entry, bubbles: true, composed: true, cancelable: true }));
  }

  #key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    const { key } = e;
    if (key === "Escape") {
      e.preventDefault();
      e.stopPropagation();
      return this.#asking ? this.#prefs(false) : this.close();
    }
    const list = this.#list;
    if (this.#asking) return;
    const at = list.index();
    const row = list.rows[at];
    const onRow = row && this.#owner.root.activeElement === row.el; // and not on a button within it
    if (key === "j" || key === "k") list.focus(at < 0 ? 0 : at + (key === "j" ? 1 : -1));
    else if (key === "z") this.#undo();
    else if (key === "e" && row) this.#archive(row.entry);
    else if (key === "r" && row) this.#toggle(row.entry);
    else if (key === "s" && row) this.#snooze(row.entry);
    else if (key === "Enter" && onRow) this.#open(row.entry) && row.follow();
    else return;
    e.preventDefault();
  }

  /** place puts the panel beside the bell, within the window. In a narrow one it is a sheet. */
  #place(): void {
    const { style, offsetWidth: width, offsetHeight: height } = this.#panel;
    const { button, host } = this.#owner;
    const bell = button.getBoundingClientRect();
    const [side, align] = (host.getAttribute("placement") ?? "").split("-");
    const rtl = getComputedStyle(host).direction === "rtl";
    const within = (at: number, length: number, all: number) => Math.max(EDGE, Math.min(at, all - length - EDGE)) + "px";
    style.left = within((align === "start") !== rtl ? bell.left : bell.right - width, width, document.documentElement.clientWidth);
    style.top = within(side === "top" ? bell.top - EDGE - height : bell.bottom + EDGE, height, innerHeight);
  }
}

