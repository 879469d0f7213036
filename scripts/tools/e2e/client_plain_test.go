package e2e_test

import (
	"fmt"
	"testing"
)

const (
	// element is the status element of the plain page, inside of which its parts are.
	element = `document.querySelector("tidings-status")`
	// inside is a part of it.
	inside = element + `.shadowRoot.querySelector(%q)`
	// orders is what the plain page's list says.
	orders = `[...document.querySelectorAll("#list li")].map((li) => li.textContent).join("|")`
)

// labelled is true once the element's words match.
func labelled(pattern string) string {
	return fmt.Sprintf(`/%s/.test(`+inside+`?.textContent)`, pattern, ".label")
}

// TestPlainPage opens the page without a framework, whose one script tag is all it
// needs, under a policy that refuses styles within the page. It shows events and
// the status, says the status to screen readers too, and survives the edge's restart.
func TestPlainPage(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.mustPublish(`{"topic":"room.orders","type":"order.paid","data":{"id":"A-0"}}`)
	url := newExamples(t, tidings)
	p := newPage(t)
	p.expectRestart()
	p.visit(url + "/plain.html")
	p.until("the element to say Live", labelled("^Live$"))
	p.until("what happened before", orders+` === 'order.paid {"id":"A-0"}'`)
	tidings.mustPublish(`{"topic":"room.orders","type":"order.sent","data":{"id":"<b>A-1</b>"}}`)
	p.until("an event, inert, above", orders+` === 'order.sent {"id":"<b>A-1</b>"}|order.paid {"id":"A-0"}'`)
	tidings.connected(1)

	tidings.terminate()
	tidings.gone()
	p.until("the element to say when it tries again", labelled(`^Reconnecting in \d+ s$`))
	p.until("words for a screen reader", fmt.Sprintf(inside+`.textContent === "Reconnecting"`, ".said"))
	tidings.start()
	tidings.mustPublish(`{"topic":"room.orders","type":"order.lost","data":{"id":"A-2"}}`)
	p.until("the element to say Live again", labelled("^Live$"))
	p.until("what happened meanwhile", orders+`.startsWith('order.lost {"id":"A-2"}|order.sent')`)
	p.until("words for a screen reader again", fmt.Sprintf(inside+`.textContent === "Live"`, ".said"))
	if eval[bool](p, fmt.Sprintf("!"+inside+".hidden", ".retry")) {
		t.Error("the button is there although there is nothing to retry")
	}

	// An element that is moved keeps its client, one that is gone closes it.
	eval[bool](p, `(window.kept = `+element+`.client, document.body.append(`+element+`), true)`)
	if !eval[bool](p, element+`.client === kept && kept.status.get().state === "live"`) {
		t.Error("the element lost its client when it was moved")
	}
	eval[bool](p, element+`.remove(), true`)
	tidings.connected(0)
}

// states are what a client may be doing, and what the element shows of it.
var states = []struct{ name, status, label, reason string }{
	{"idle", `{}`, "Not connected", ""},
	{"connecting", `{}`, "Connecting", ""},
	{"catching-up", `{via: "sse", node: "n", conn: "c"}`, "Catching up", ""},
	{"live", `{via: "sse", node: "n", conn: "c"}`, "Live", ""},
	{"waiting", `{retryAt: Date.now() + 2_500, reason: "The server restarts."}`, "Reconnecting in 3 s", "The server restarts."},
	{"offline", `{retryAt: Date.now() + 60_000, reason: "No network."}`, "Offline", "No network."},
	{"denied", `{reason: "Not yours.", code: "forbidden", hint: ""}`, "Denied", "Not yours."},
}

// puppets makes window.puppet, a client whose status the test sets, and gives it to
// the page's element. retried counts the calls of retryNow.
const puppets = `(() => {
	const listeners = new Set();
	let status = { state: "idle" };
	window.retried = 0;
	window.puppet = {
		retryNow: () => void retried++,
		set: (s) => { status = s; for (const f of listeners) f(s); },
		status: { get: () => status, subscribe: (f) => { listeners.add(f); f(status); return () => listeners.delete(f); } },
	};
	window.listeners = listeners;
	document.querySelector("tidings-status").client = puppet;
	return true;
})()`

// contrast is the contrast of an element's text with its ground, by the formula of
// the Web Content Accessibility Guidelines.
const contrast = `(() => {
	const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const luminance = (color) => {
		context.fillStyle = color;
		context.fillRect(0, 0, 1, 1);
		const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const { color, backgroundColor } = getComputedStyle(document.querySelector("tidings-status").shadowRoot.querySelector(".pill"));
	const [dark, light] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
	return (light + 0.05) / (dark + 0.05);
})()`

// play makes the puppet do something.
func (p *page) play(state, status string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(puppet.set({ state: %q, ...%s }), true)`, state, status))
}

// TestStatusElement shows every state in words, shape and legible colours, in light
// and in dark, and counts the seconds of a wait.
func TestStatusElement(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	p.visit(newExamples(t, begin(t)) + "/plain.html")
	eval[bool](p, puppets)
	shapes := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		for _, s := range states {
			p.play(s.name, s.status)
			if have := eval[string](p, fmt.Sprintf(inside+".textContent", ".label")); have != s.label {
				t.Errorf("%s: the element says %q, want %q", s.name, have, s.label)
			}
			if have := eval[string](p, fmt.Sprintf(inside+".title", ".pill")); have != s.reason {
				t.Errorf("%s: the reason is %q, want %q", s.name, have, s.reason)
			}
			if have := eval[bool](p, fmt.Sprintf("!"+inside+".hidden", ".retry")); have != (s.reason != "") {
				t.Errorf("%s: the button is shown: %v", s.name, have)
			}
			if have := eval[float64](p, contrast); have < 4.5 {
				t.Errorf("%s, %s: the contrast is %.2f, want 4.5", s.name, scheme, have)
			}
			shapes[eval[string](p, fmt.Sprintf(inside+`.getAttribute("d")`, "path"))] = s.name
		}
	}
	if len(shapes) != len(states)-1 { // the two in between are one
		t.Errorf("there are %d shapes for %d states: %v", len(shapes), len(states), shapes)
	}
	p.play("waiting", `{retryAt: Date.now() + 1_800, reason: "The server restarts."}`)
	for _, label := range []string{"Reconnecting in 2 s", "Reconnecting in 1 s", "Reconnecting"} {
		p.until(label, labelled("^"+label+"$"))
	}
	p.play("live", "{}")
	eval[bool](p, element+`.labels = { live: "Verbunden" }, true`)
	p.until("a word of the page's own", labelled("^Verbunden$"))
	eval[bool](p, element+`.client = undefined, true`)
	if n := eval[int](p, "listeners.size"); n != 0 {
		t.Errorf("the element still listens to a client that was taken away")
	}
}

// TestStatusElementAccess works the element by keyboard and listens to it as a
// screen reader does: few words, and none for a hiccup.
func TestStatusElementAccess(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	p.visit(newExamples(t, begin(t)) + "/plain.html")
	eval[bool](p, puppets)
	eval[bool](p, fmt.Sprintf(`(window.words = [], new MutationObserver(() => words.push(`+inside+`.textContent)).observe(`+inside+`, { childList: true }), true)`, ".said", ".said"))
	// A hiccup of less than a second, many times.
	for range 5 {
		p.play("waiting", states[4].status)
		p.play("connecting", "{}")
		p.play("live", "{}")
	}
	p.play("denied", states[6].status)
	p.until("the denial, with its reason", `words.join("|") === "Denied. Not yours."`)
	began := eval[float64](p, "performance.now()")
	p.play("live", "{}")

	p.play("denied", states[6].status)
	p.press("\t")
	p.until("the focus on the button", fmt.Sprintf(inside+`.matches(":focus-visible")`, ".retry"))
	p.press("\r")
	p.until("a retry", "retried === 1")
	p.play("live", "{}")
	p.until("the focus on what replaced the button", fmt.Sprintf(inside+`.matches(":focus")`, ".pill"))
	p.until("the next words", `words.join("|") === "Denied. Not yours.|Live"`)
	if ms := eval[float64](p, "performance.now()") - began; ms < 4_500 {
		t.Errorf("the element spoke again after %.0f ms", ms)
	}
}

// TestPlainPageFirefox opens the plain page in Firefox: only an element that works
// there connects.
func TestPlainPageFirefox(t *testing.T) {
	t.Parallel()
	path := findFirefox(t)
	tidings := begin(t)
	startFirefox(t, path, newExamples(t, tidings)+"/plain.html")
	tidings.connected(1)
}
