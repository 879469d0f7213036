package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// live opens the console's events by its printed link, with filters such as
// "type=count" in the address, and waits until the pill says Live.
func (p *page) live(tidings *process, filters string) {
	p.t.Helper()
	p.visit(tidings.url + "/#/events?" + filters + "&token=" + tidings.token())
	p.until("the pill to say Live", says("Live"))
}

// says is true while the status pill shows these words.
func says(words string) string {
	return fmt.Sprintf(`document.querySelector(".pill-text")?.textContent === %q`, words)
}

// rowsOf is the list as it can be read: topic, type and data of each event in
// sight, the oldest first, and in brackets what stands between them.
const rowsOf = `[...document.querySelectorAll(".list .line, .list .mark-text")].map((e) => e.matches(".line")
	? ["topic", "type", "preview"].map((c) => e.querySelector("." + c).textContent).join(" ")
	: "[" + e.textContent + "]")`

// rows waits until the list shows exactly these rows.
func (p *page) rows(what string, want ...string) {
	p.t.Helper()
	var have []string
	if !poll(func() bool { have = eval[[]string](p, rowsOf); return slices.Equal(have, want) }, nil) {
		p.t.Fatalf("%s: the list shows\n\t%s\nwant\n\t%s\nThe page:\n%s", what, strings.Join(have, "\n\t"), strings.Join(want, "\n\t"), p.text())
	}
}

// TestConsole opens the printed link as it is: the page is live, the token leaves
// the address, the charts move, and what curl publishes appears.
func TestConsole(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.visit(tidings.link)
	p.until("the pill to say Live", says("Live"))
	if at := eval[string](p, "location.href + history.length"); strings.Contains(at, "eyJ") {
		t.Error("the token is still in the address")
	}
	p.until("thirteen charts", `document.querySelectorAll(".card canvas").length === 13`)
	p.until("numbers", `[...document.querySelectorAll(".card .big")].filter((e) => /\d/.test(e.textContent)).length >= 17`)
	eval[bool](p, `(window.canvases = () => [...document.querySelectorAll(".card canvas")].map((c) => c.toDataURL()),
		window.numbers = () => [...document.querySelectorAll(".card .big")].map((e) => e.textContent),
		window.first = canvases(), window.before = numbers(), true)`)
	p.until("all charts to move", "canvases().every((c, i) => c !== first[i])")
	p.until("numbers to move", "numbers().filter((n, i) => n !== before[i]).length >= 3")

	p.click(`.rail a[href^="#/events"]`)
	tidings.mustPublish(`{"topic":"room.ops","type":"deploy","data":{"version":"1.2.3"}}`)
	p.until("the event in the tail", rowsOf+`.includes('room.ops deploy {"version":"1.2.3"}')`)
}

// TestConsoleInert publishes markup: it stays text, in the line and in what opens
// below it.
func TestConsoleInert(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.size(1280, 2000, 1) // all rows are in sight
	p.live(tidings, "topics=room.evil,user")
	for _, markup := range []string{
		`<script>window.harmed = 1</script>`,
		`<img src=x onerror="window.harmed = 1">`,
		`</span><svg onload="window.harmed = 1">`,
		`<a href="javascript:window.harmed=1">x</a>`,
	} {
		tidings.mustPublish(fmt.Sprintf(`{"topic":"room.evil","type":"evil","source":%[1]s,"id":%[1]s,"data":{%[1]s:%[1]s}}`, quote(markup)))
	}
	p.until("four rows", `document.querySelectorAll(".list .line").length === 4`)
	for i := range 4 {
		p.click(fmt.Sprintf(".list .row:nth-of-type(%d) .line", i+2)) // the first one is a spacer
	}
	p.until("four details", `document.querySelectorAll(".list .detail").length === 4`)
	p.until("the markup as text", `document.querySelector(".list .detail").textContent.includes("<script>window.harmed = 1</script>")`)
	if n := eval[int](p, `document.querySelectorAll(".list :is(script, img, a, [onload], [onerror])").length`); n != 0 {
		t.Errorf("%d pieces of markup became elements", n)
	}
	if eval[bool](p, `"harmed" in window`) {
		t.Error("markup of an event ran")
	}
}

// TestConsoleFilters narrows the tail by type, text and topics, as typed, and finds
// the view again after a reload.
func TestConsoleFilters(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.live(tidings, "")
	const (
		paid = `room.shop order.paid {"city":"Berlin"}`
		sent = `room.shop order.sent {"city":"Bern"}`
		chat = `room.chat chat.message {"text":"to berlin"}`
	)
	p.enter("Type", "order., chat.*")
	tidings.mustPublish(
		`{"topic":"room.shop","type":"order.paid","data":{"city":"Berlin"}}`,
		`{"topic":"room.shop","type":"order.sent","data":{"city":"Bern"}}`,
		`{"topic":"room.chat","type":"chat.message","data":{"text":"to berlin"}}`,
	)
	p.rows("two types", paid, sent, chat)
	p.enter("Text", "BERLIN")
	p.rows("a text", paid, chat)
	p.enter("Type", "!chat.*, !*.metrics")
	p.rows("a type left out", paid)

	p.enter("Text", "")
	p.enter("Type", "")
	p.enter("Topics", "room.shop\r")
	p.rows("one topic, with its history", paid, sent)
	tidings.mustPublish(`{"topic":"room.chat","data":1}`, `{"topic":"room.shop","data":2}`)
	p.rows("one topic, live", paid, sent, "room.shop message 2")
	p.reload()
	p.rows("the same after a reload", paid, sent, "room.shop message 2")
	if view := eval[string](p, "location.hash"); view != "#/events?topics=room.shop" {
		t.Errorf("the address says %q", view)
	}

	p.expect("status of 400")
	p.enter("Topics", "room..shop\r")
	p.until("a refusal", `document.querySelector(".problem.bar")?.textContent.includes("malformed")`)
	p.until("charts nevertheless", says("Live"))
	p.enter("Topics", "room.shop\r")
	p.rows("the way back", paid, sent, "room.shop message 2")
}

// TestConsoleReplay opens an event and starts the tail again at it.
func TestConsoleReplay(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.live(tidings, "type=count")
	want := []string{"[Replay]"}
	for n := 1; n <= 30; n++ {
		tidings.mustPublish(counted(n, "room.a"))
		if n >= 5 {
			want = append(want, fmt.Sprintf(`room.a count {"n":%d}`, n))
		}
	}
	p.size(1280, 2000, 1)
	p.until("all rows", `document.querySelectorAll(".list .line").length === 30`)
	p.click(".list .row:nth-of-type(6) .line") // the first one is a spacer
	p.until("its detail", `document.querySelector(".list .row.open .line .preview").textContent === '{"n":5}'`)
	p.click(".list .detail .actions button:first-child")
	p.rows("from event 5", want...)
	tidings.mustPublish(counted(31, "room.a"))
	p.rows("and on", append(want, `room.a count {"n":31}`)...)
}

// TestConsoleDoor opens the console without a token, with a bad one and with one
// that runs out: a card says why, and a good token opens it.
func TestConsoleDoor(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.expect("status of 401")
	p.visit(tidings.url)
	p.until("the door", `document.querySelector(".door-card input")`)
	if eval[bool](p, `!!document.querySelector(".door-card .problem")`) {
		t.Error("opening the page without a token is treated as a fault")
	}
	p.visit(tidings.url + "/?bad#token=bad")
	p.until("the reason", `/token/i.test(document.querySelector(".door-card .problem")?.textContent)`)
	if at := eval[string](p, "location.href"); strings.Contains(at, "#") {
		t.Errorf("the bad token stays in the address %s", at)
	}
	p.click(".door-card input")
	p.press(tidings.link + "\r")
	p.until("the console", says("Live"))
	p.click(".pill")
	p.until("who it is", `document.querySelector(".popover-foot").textContent.includes("Signed in as dev")`)
	p.click(".popover-foot button")
	p.until("the door again", `document.querySelector(".door-card input")`)
}

// TestConsoleExpired lets the token of an open console run out.
func TestConsoleExpired(t *testing.T) {
	t.Parallel()
	const secret = "a secret that only this test and its process know"
	tidings := begin(t, "TIDINGS_JWT_SECRET="+secret)
	p := newPage(t)
	p.expect("status of 40[13]") // it is no operator's token
	p.visit(tidings.url + "/#token=" + expiring(secret))
	p.until("the pill to say Live", says("Live"))
	p.until("a warning", `document.querySelector(".problem.bar")?.textContent.includes("Your token ends in")`)
	p.until("the door", `document.querySelector(".door-card input")`)
	p.until("the reason", `/expired/.test(document.querySelector(".door-card .problem")?.textContent)`)
}

// TestConsoleComesBack kills the process while events are published and starts it
// again on the same port and data. The page comes back by itself and its tail shows
// every event that was acknowledged, once and in order.
func TestConsoleComesBack(t *testing.T) {
	t.Parallel()
	const last = 60
	tidings := begin(t)
	p := newPage(t)
	p.expectCuts()
	p.size(1280, 3000, 1) // all rows are in sight
	p.live(tidings, "type=count")
	reached := make(chan int, last)
	failed := make(chan error, 1)
	go func() { failed <- tidings.pour(t.Context(), 1, last, "room.a", func(n int) { reached <- n }) }()
	await(t, reached, 20)

	tidings.kill()
	p.until("the pill to say so", `/^Reconnecting/.test(document.querySelector(".pill-text").textContent)`)
	tidings.start()
	await(t, reached, last)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	p.until("the last event", fmt.Sprintf(`%s.includes('room.a count {"n":%d}')`, rowsOf, last))
	p.until("the pill to say Live", says("Live"))
	var want []string
	resumed := false
	for _, row := range eval[[]string](p, rowsOf) {
		if row == "[Resumed]" {
			resumed = true
			continue
		}
		want = append(want, fmt.Sprintf(`room.a count {"n":%d}`, len(want)+1))
		if row != want[len(want)-1] {
			t.Fatalf("row %d is %s", len(want), row)
		}
	}
	if len(want) != last || !resumed {
		t.Errorf("the tail shows %d events and resumed is %v, want %d and true", len(want), resumed, last)
	}
}

// TestConsoleTabs opens the console twice: both are live and show the same.
func TestConsoleTabs(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	one := newPage(t)
	one.live(tidings, "type=count")
	two := one.beside(true)
	two.live(tidings, "type=count")
	tidings.mustPublish(counted(1, "room.a"), counted(2, "room.b"))
	for _, p := range []*page{one, two} {
		p.rows("both events", `room.a count {"n":1}`, `room.b count {"n":2}`)
		p.click(`.rail a[href^="#/"]`)
		p.until("charts", `document.querySelectorAll(".card canvas").length === 13`)
	}
}

// TestConsoleManyTabs opens more tabs than a browser has connections for: over
// HTTP/1.1 it makes six to a host, and each console has two streams. Those out of
// sight must let go, and have missed nothing when they are seen again.
func TestConsoleManyTabs(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	first := newPage(t)
	first.live(tidings, "type=count")
	tidings.mustPublish(counted(1, "room.a"))
	first.rows("an event", `room.a count {"n":1}`)
	for range 4 {
		first.beside(false).live(tidings, "")
	}
	if eval[string](first, "document.visibilityState") != "hidden" {
		t.Fatal("the first tab is not hidden")
	}
	tidings.mustPublish(counted(2, "room.a"))
	first.do("show", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdppage.BringToFront, cdp.Empty{})
		return err
	}))
	first.until("the pill to say Live", says("Live"))
	first.rows("what it missed", `room.a count {"n":1}`, `room.a count {"n":2}`)
}
