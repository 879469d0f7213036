// Style made by script: it asks nothing of the page's Content Security Policy, which may refuse styles
// within the page.

const sheets = new Map<string, CSSStyleSheet>();

/** adopt gives a style to a tree. All trees share one sheet of it. */
export function adopt(root: ShadowRoot, css: string): void {
  if (!sheets.has(css)) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  const sheet = sheets.get(css)!;
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
