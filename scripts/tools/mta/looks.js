// Judges the mail that a page shows: an expression whose value is the JSON of its faults.
(() => {
  const MIN_CONTRAST = 4.5; // WCAG AA for body text
  const MIN_BUTTON = 44; // CSS pixels, for thumbs
  const faults = [];
  const width = document.documentElement.clientWidth;

  /** color reads what getComputedStyle says of a colour: red, green, blue and alpha. */
  const color = (css) => {
    const n = css.match(/[\d.]+/g).map(Number);
    return n.length < 4 ? [...n, 1] : n;
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  /** ground is the colour behind an element. */
  const ground = (e) => (e ? over(color(getComputedStyle(e).backgroundColor), ground(e.parentElement)) : [255, 255, 255]);

  if (document.scrollingElement.scrollWidth > width) faults.push(`it is ${document.scrollingElement.scrollWidth} pixels wide on ${width}`);
  for (const image of document.images) if (!image.src.startsWith("data:")) faults.push(`a remote image ${image.src}`);
  for (const entry of performance.getEntriesByType("resource")) if (!entry.name.endsWith("/favicon.ico")) faults.push(`it loaded ${entry.name}`);

  let texts = 0;
  let least = 21;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()];
    if (!node.data.trim() || !boxes.length || e.closest("[aria-hidden]")) continue;
    texts++;
    const said = node.data.trim().slice(0, 40);
    const behind = ground(e);
    const c = contrast(over(color(getComputedStyle(e).color), behind), behind);
    least = Math.min(least, c);
    if (c < MIN_CONTRAST) faults.push(`contrast ${c.toFixed(2)} of “${said}”`);
    if (parseFloat(getComputedStyle(e).fontSize) < 13) faults.push(`${getComputedStyle(e).fontSize} is small for “${said}”`);
    for (const box of boxes) if (box.left < -0.5 || box.right > width + 0.5) faults.push(`“${said}” is from ${box.left} to ${box.right} of ${width}`);
  }
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (box.width && !e.closest("[aria-hidden]") && (box.left < -0.5 || box.right > width + 0.5)) faults.push(`<${e.tagName.toLowerCase()} class="${e.className}"> is from ${box.left} to ${box.right}`);
  }
  const buttons = document.querySelectorAll(".button-text, .button-2-text");
  for (const b of buttons) {
    const box = b.getBoundingClientRect();
    if (box.height < MIN_BUTTON || box.width < MIN_BUTTON) faults.push(`the button “${b.textContent.trim()}” has ${box.width} × ${box.height} pixels`);
  }
  return JSON.stringify({ faults: [...new Set(faults)], texts, buttons: buttons.length, contrast: least });
})()
