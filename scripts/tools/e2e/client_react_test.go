package e2e_test

import (
	"fmt"
	"testing"
)

const (
	// pill is true once the React page's own pill shows a state.
	pill = `document.querySelector(".pill")?.dataset.state === %q`
	// chat is what the React page's list of messages says.
	chat = `[...document.querySelectorAll(".messages li:not(.hint)")].map((li) => li.innerText).join("|")`
)

// said is a message in the React page's room.
func said(n int) string {
	return fmt.Sprintf(`{"topic":"room.kitchen","type":"chat.message","id":"said-%d","data":{"from":"Bob","text":"Soup %d"}}`, n, n)
}

// TestReact opens the React example in strict mode, where React mounts everything
// twice, and lets it live: one connection, events, words of its own, the edge's
// restart with nothing lost or doubled, and an end when nothing is mounted.
func TestReact(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	url := newExamples(t, tidings)
	p := newPage(t)
	p.expectRestart()
	p.visit(url + "/react/")
	p.until("a live pill", fmt.Sprintf(pill, "live"))
	p.until("a list without messages", `document.querySelector(".messages .hint")`)

	tidings.mustPublish(said(1), said(2))
	tidings.mustPublish(`{"topic":"room.kitchen","type":"order.paid","data":{"id":"A-1","total":12.5}}`)
	tidings.mustPublish(`{"topic":"room.kitchen","type":"order.paid","data":{"id":"A-2","total":7.25}}`)
	p.until("two messages", chat+` === "Bob Soup 1|Bob Soup 2"`)
	p.until("the orders", `document.querySelector(".hint").textContent === "Orders paid: 2, 19.75 € in all"`)
	p.enter("Message", "Salt?")
	p.press("\r")
	p.until("the page's own message", chat+` === "Bob Soup 1|Bob Soup 2|You Salt?"`)
	tidings.connected(1)
	if n := tidings.metric(`tidings_edge_connects_total{result="fresh"}`); n != 1 {
		t.Errorf("the page connected %v times, want once", n)
	}

	tidings.terminate()
	tidings.gone()
	p.until("a pill that waits", fmt.Sprintf(pill, "waiting"))
	tidings.start()
	tidings.mustPublish(said(3))
	p.until("a live pill after the restart", fmt.Sprintf(pill, "live"))
	tidings.mustPublish(said(4))
	p.until("what was said meanwhile, once", chat+` === "Bob Soup 1|Bob Soup 2|You Salt?|Bob Soup 3|Bob Soup 4"`)
	tidings.connected(1)

	p.click("button.quiet")
	p.until("an idle pill", fmt.Sprintf(pill, "idle"))
	tidings.connected(0)
	p.click("button.quiet")
	p.until("a live pill again", fmt.Sprintf(pill, "live"))
	tidings.connected(1)
	p.visit("about:blank")
	tidings.connected(0)
}

// TestSignedOut opens both pages for somebody to whom their server gives no token:
// they say so and do not ask for ever.
func TestSignedOut(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	url := serveExamples(t, tidings, "")
	for name, live := range map[string]string{"plain.html": labelled("^Denied$"), "react/": fmt.Sprintf(pill, "denied")} {
		p := newPage(t)
		p.expect(`^network error: Failed to load resource: the server responded with a status of 401`)
		p.visit(url + "/" + name)
		p.until(name+" to say that it was denied", live)
	}
	tidings.connected(0)
}

// TestReactBurst publishes far more than the React page keeps: the list holds the
// newest ones, in order, and the page does not fall behind.
func TestReactBurst(t *testing.T) {
	t.Parallel()
	const events, kept = 1_000, 50
	tidings := begin(t)
	p := newPage(t)
	p.visit(newExamples(t, tidings) + "/react/")
	p.until("a live pill", fmt.Sprintf(pill, "live"))
	for n := range events {
		tidings.mustPublish(said(n + 1))
	}
	p.until("the last message", fmt.Sprintf(chat+`.endsWith("Bob Soup %d")`, events))
	want := ""
	for n := events - kept; n < events; n++ {
		want += fmt.Sprintf("|Bob Soup %d", n+1)
	}
	if have := eval[string](p, chat); have != want[1:] {
		t.Errorf("the page keeps %s, want %s", have, want[1:])
	}
}
