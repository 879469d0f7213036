// Elements without markup: no text ever becomes HTML.

const SVG = "http://www.w3.org/2000/svg";

/** h makes an element: properties where it has them, else attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Record<string, unknown> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) name in el ? ((el as any)[name] = value) : el.setAttribute(name, String(value));
  el.append(...children);
  return el;
}

/** ICONS are paths of 24 by 24, to be stroked. */
export const ICONS = {
  bell: "M6 9.5a6 6 0 0 1 12 0c0 5.5 2.3 7.5 2.3 7.5H3.7S6 15 6 9.5M10 20.5a2.3 2.3 0 0 0 4 0",
  checks: "m2.5 13 4.2 4.2L16 8m-4.3 8 1.3 1.2L21.5 8",
  check: "m5 12.5 4.5 4.5L19 7.5",
  dot: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7",
  archive: "M3.5 4.5h17v4h-17zm1.5 4v11h14v-11M10 12.5h4",
  unarchive: "M3.5 4.5h17v4h-17zm1.5 4v11h14v-11M12 16.5v-5m-2 2 2-2 2 2",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M12 7.5V12l3 2",
  gear: "M4 7h7.5m5 0H20M4 17h3.5m5 0H20m-8.5-10a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0m-4 10a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",
  close: "m6 6 12 12M18 6 6 18",
  back: "m14.5 5-7 7 7 7",
  cloud: "M7 18.5h10a4 4 0 0 0 .6-8A6 6 0 0 0 6.3 9.6 4.5 4.5 0 0 0 7 18.5M3.5 3.5l17 17",
};

/** Icon is the name of one. */
export type Icon = keyof typeof ICONS;

/** icon draws one. */
export function icon(name: Icon): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  draw(svg, name);
  return svg;
}

/** draw makes it another one. */
export function draw(svg: Element, name: Icon): void {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.replaceChildren(path);
}

/** tool makes a button that is an icon. */
export function tool(name: Icon, label: string, onclick: (e: Event) => void, props: object = {}): HTMLButtonElement {
  return h("button", { type: "button", className: "tool", title: label, ariaLabel: label, onclick, ...props }, icon(name));
}

/** arrange makes these nodes the children of an element, and moves no more than it has to: what
 * stays keeps its focus and its place on the screen. */
export function arrange(parent: Element, nodes: Node[]): void {
  const keep = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!keep.has(node)) node.remove();
  nodes.forEach((node, i) => parent.childNodes[i] === node || parent.insertBefore(node, parent.childNodes[i] ?? null));
}
