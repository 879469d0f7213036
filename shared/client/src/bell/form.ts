// The preferences: a switch for each category and channel, quiet hours, and a pause. A part of its
// own, since few open it.

import type { PreferencesStore, Wishes } from "../inbox/preferences.ts";
import { h } from "./dom.ts";
import { FORM } from "./look.ts";
import { adopt } from "./sheet.ts";
import { isOn, titled, turn, type Labels } from "./words.ts";

/** NIGHT is what quiet hours are before somebody says otherwise. */
const NIGHT = { from: "22:00", to: "07:00" };

/** Form shows preferences. */
export interface Form {
  readonly el: HTMLElement;
  show(wishes: Wishes): void;
}

/** formOf makes a form. failed is told why a change was refused. */
export function formOf(root: ShadowRoot, store: PreferencesStore, labels: Labels, failed: (e: unknown) => void): Form {
  adopt(root, FORM);
  const el = h("div", { className: "form" });
  let drawn = ""; // which switches there are
  let updates: ((w: Wishes) => void)[] = [];
  const patch = (change: object) => void store.patch(change).catch(failed);

  /** toggle makes a switch. */
  const toggle = (label: string, is: (w: Wishes) => boolean, set: (on: boolean) => object) => {
    const box = h("input", { type: "checkbox", role: "switch", className: "switch", ariaLabel: label });
    box.onchange = () => patch(set(box.checked));
    updates.push((w) => (box.checked = is(w)));
    return box;
  };
  const line = (label: string, hint: string, control: Node) => h("label", { className: "line" }, h("span", {}, h("b", {}, label), h("small", {}, hint)), control);
  const quiet = (w: Wishes) => w.preferences.quiet_hours?.[0];

  const draw = (w: Wishes) => {
    updates = [];
    const hour = (label: string, key: "from" | "to") => {
      const input = h("input", { type: "time", required: true });
      input.onchange = () => {
        const [first = NIGHT, ...more] = store.get().preferences.quiet_hours ?? [];
        if (input.value && input.value !== { ...first, [key]: "" }[key === "from" ? "to" : "from"]) patch({ quiet_hours: [{ ...first, [key]: input.value }, ...more] });
        else input.value = first[key];
      };
      updates.push((now) => {
        const value = (quiet(now) ?? NIGHT)[key];
        if (input.value !== value) input.value = value;
      });
      return h("label", {}, label + " ", input);
    };
    const hours = h("div", { className: "hours" }, hour(labels.from, "from"), hour(labels.to, "to"));
    updates.push((now) => (hours.hidden = !quiet(now)));
    const categories = Object.entries(w.categories);
    // Of the channels that there are, those that anything comes by unless somebody says otherwise.
    const columns = w.channels.filter((c) => categories.some(([, { channels }]) => !channels || channels.includes(c)));
    const matrix = h("div", { className: "matrix" });
    matrix.style.setProperty("--n", "" + columns.length);
    const name = (channel: string) => (labels as unknown as Record<string, string>)[channel] ?? titled(channel);
    matrix.append(h("span"), ...columns.map((c) => h("small", { ariaHidden: "true" }, name(c))));
    for (const [category, { title = titled(category) }] of categories) {
      matrix.append(h("span", { className: "category" }, title), ...columns.map((c) =>
        toggle(`${title}: ${name(c)}`, (now) => isOn(now, category, c), (on) => turn(store.get(), category, c, on))));
    }
    el.replaceChildren(
      line(labels.pause, labels.pauseHint, toggle(labels.pause, (now) => now.preferences.enabled === false, (on) => ({ enabled: on ? false : null }))),
      line(labels.quiet, labels.quietHint, toggle(labels.quiet, (now) => !!quiet(now), (on) => ({
        quiet_hours: on ? [{ ...NIGHT, tz: new Intl.DateTimeFormat().resolvedOptions().timeZone }] : null,
      }))),
      hours);
    if (categories.length) el.append(h("h3", {}, labels.channels), matrix);
    updates.push((now) => matrix.classList.toggle("paused", now.preferences.enabled === false));
  };

  return {
    el,
    show(w) {
      if (w.loading) return el.replaceChildren(...Array.from({ length: 5 }, () => h("div", { className: "bone" })));
      if (w.error && !w.channels.length) {
        drawn = "";
        return el.replaceChildren(h("p", {}, w.error.detail), h("button", { type: "button", className: "action", onclick: store.reload }, labels.retry));
      }
      const shape = JSON.stringify([w.categories, w.channels]);
      if (shape !== drawn) draw(w);
      drawn = shape;
      for (const update of updates) update(w);
    },
  };
}
