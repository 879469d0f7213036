package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestConsoleKeys goes everywhere without a mouse: by letters, and by the tab key,
// which must show where it is.
func TestConsoleKeys(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.listen("ann", "user")
	p := newPage(t)
	p.view(tidings, "")
	for _, v := range []struct{ letter, hash string }{{"c", "#/connections"}, {"t", "#/topics"}, {"e", "#/events"}, {"s", "#/streams"}, {"y", "#/try"}, {"o", "#/"}} {
		p.press("g")
		p.press(v.letter)
		p.until("the view of "+v.letter, fmt.Sprintf(`location.hash === %q`, v.hash))
	}
	p.press("?")
	p.until("the help", `document.querySelector("dialog[open]")?.textContent.includes("Connections")`)
	p.press("\x1b")
	p.until("no help", `!document.querySelector("dialog")`)
	before := eval[string](p, "document.documentElement.dataset.theme")
	p.press("d")
	p.until("the other theme", fmt.Sprintf(`document.documentElement.dataset.theme !== %q`, before))

	p.press("gc")
	p.rowOf(".connections", "ann")
	p.press("/")
	p.until("the first field", `document.activeElement.getAttribute("aria-label") === "User"`)
	// The protocol sends the character apart from the key, which a keyboard does not.
	p.do("type", focused, chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent("ann"))
	p.until("the filter", `location.hash === "#/connections?user=ann"`)
	p.until("one row", `document.querySelectorAll(".connections tbody tr").length === 1`)
	stops := p.tabTo("opener")
	for _, want := range []string{"IP", "Topic", "State"} {
		if !slices.ContainsFunc(stops, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("the tab key does not stop at %s, but at %q", want, stops)
		}
	}
	p.press("\r")
	p.until("a detail", `document.querySelector(".connections .more .danger")`)
	p.tabTo("danger")
	p.press("\r")
	p.until("a question", `document.querySelector("dialog[open]")`)
	p.tabTo("kill")
	p.press("\r")
	p.until("the end", `document.querySelector(".connections .st").textContent === "Ended"`)
}

// tabTo presses the tab key until an element of a class has the focus. Each stop must
// be seen: it has an outline, or the frame around it has one. It returns the stops.
func (p *page) tabTo(class string) []string {
	p.t.Helper()
	const stop = `(() => {
		const e = document.activeElement;
		const outlined = (n) => n && getComputedStyle(n).outlineStyle !== "none";
		return [e.className, (e.getAttribute("aria-label") ?? e.textContent).trim(), String(outlined(e) || outlined(e.closest(".filter, label")))];
	})()`
	var stops []string
	for range 40 {
		p.press("\t")
		at := eval[[]string](p, stop)
		stops = append(stops, at[1])
		if at[2] != "true" {
			p.t.Errorf("the focus on %q (%s) cannot be seen", at[1], at[0])
		}
		if slices.Contains(strings.Fields(at[0]), class) {
			return stops
		}
	}
	p.t.Fatalf("the tab key does not lead to .%s, but to %q", class, stops)
	return nil
}

// contrasts finds text whose contrast with what is behind it is below 4.5. Colours are
// drawn and read back, since style sheets may have them in any space.
const contrasts = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => { const v = c[i] / 255; return sum + w * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		const style = getComputedStyle(e);
		if (!own || !e.checkVisibility({ opacityProperty: true }) || e.closest(":disabled, .bone, .hidden, script, noscript") || style.color === "rgba(0, 0, 0, 0)") continue;
		const [a, b] = [light(rgba(style.color)), light(behind(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.add((e.className || e.nodeName) + " " + e.textContent.slice(0, 30) + " " + ratio.toFixed(2));
	}
	return [...bad];
})()`

// TestConsoleContrast reads every view in light and dark.
func TestConsoleContrast(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.crowd()
	tidings.mustPublish(sights...)
	for _, scheme := range []string{"light", "dark"} {
		p := newPage(t)
		p.scheme(scheme)
		p.visit(tidings.link)
		p.until("the pill to say Live", says("Live"))
		p.until("numbers", `/\d/.test(document.querySelector(".strip .big").textContent)`)
		check := func(view string) {
			for _, fault := range eval[[]string](p, contrasts) {
				t.Errorf("%s, %s: %s", scheme, view, fault)
			}
		}
		check("overview")
		for _, v := range viewsSeen {
			v.open(p, tidings)
			check(v.name)
		}
	}
}
