package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestConsoleMesh looks at the services on the overview: their health in words, and
// their figures.
func TestConsoleMesh(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "")
	for service, state := range map[string]string{"edge": "Ready", "console": "Up"} {
		if row := p.rowOf(".members table", service); row[1] != state {
			t.Errorf("the %s is %q, want %q", service, row[1], state)
		}
	}
	p.until("two connections", `document.querySelector(".strip:nth-child(3) .big").textContent === "2"`)
	tidings.listen("ann", "user")
	p.until("three connections", `document.querySelector(".strip:nth-child(3) .big").textContent === "3"`)
	p.until("a latency", `/\d/.test(document.querySelector(".strip:nth-child(5) .big").textContent)`)

	// One crosshair goes through all strips, and each shows its number of then.
	at := eval[[]float64](p, `(() => { const r = document.querySelector(".strip .u-over").getBoundingClientRect(); return [r.right - 3, r.y + 20]; })()`)
	p.do("hover", chromedp.MouseEvent("mouseMoved", at[0], at[1]))
	p.until("the time at every strip", `document.querySelectorAll(".strip .note.strong").length === 5`)
}

// TestConsoleConnections finds connections by user, address, topic and state, sees
// their details, and cuts one and then all of a user.
func TestConsoleConnections(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	people := tidings.crowd()
	second := tidings.listen("ann", "user")
	p := newPage(t)
	p.view(tidings, "connections")
	row := p.rowOf(".connections", "bob")
	if want := []string{"bob", "Live", "127.0.0.1"}; !slices.Equal(row[:3], want) || !strings.Contains(row[4], "room.support") {
		t.Errorf("bob's row is %q", row)
	}
	total := func(n int) {
		t.Helper()
		p.until(fmt.Sprintf("%d connections", n), fmt.Sprintf(`document.querySelector(".total").textContent === "%d"`, n))
	}
	total(len(people) + 3) // the page has two itself
	p.enter("User", "ann")
	total(2)
	if at := eval[string](p, "location.hash"); at != "#/connections?user=ann" {
		t.Errorf("the address is %s", at)
	}
	p.enter("Topic", "room.shop.orders")
	total(1)
	p.enter("IP", "10.0.0.1")
	total(0)
	p.until("the reason", `/No connection matches/.test(document.querySelector(".empty")?.textContent)`)
	p.enter("IP", "")
	p.enter("Topic", "")
	total(2)

	p.click(".connections .opener")
	p.until("its name", fmt.Sprintf(`/%s|%s/.test(document.querySelector(".more").textContent)`, people["ann"].conn, second.conn))
	p.click(".more .danger:nth-of-type(2)")
	p.click("dialog [type=radio]:not(:checked)")
	p.click("dialog [type=submit]")
	for _, r := range []*reader{people["ann"], second} {
		if bye := r.last(t); !strings.Contains(bye, `"code":"cut"`) || !strings.Contains(bye, `"return":false`) {
			t.Errorf("the stream ended with %s", bye)
		}
	}
	p.until("their traces", `[...document.querySelectorAll(".connections .st")].every((e) => e.textContent === "Ended")`)
	total(0)

	p.enter("User", "bob")
	total(1)
	p.rowOf(".connections", "bob")
	p.click(".connections .opener")
	p.click(".more .danger")
	p.until("a question", `document.querySelector("dialog[open]")`)
	p.click("dialog [type=submit]") // to come back is what stands there
	if bye := people["bob"].last(t); !strings.Contains(bye, `"code":"cut"`) || !strings.Contains(bye, `"return":true`) {
		t.Errorf("the stream ended with %s", bye)
	}
}

// TestConsolePages turns the pages of more connections than fit on one.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	tidings := begin(t, "TIDINGS_MAX_CONNECTIONS_PER_IP=100")
	seen := map[string]bool{}
	for i := range 60 {
		tidings.listen(fmt.Sprintf("user-%02d", i), "user")
	}
	p := newPage(t)
	p.view(tidings, "connections")
	p.until("all of them", `document.querySelector(".total").textContent === "62"`)
	note := func() {
		for _, row := range p.cells(".connections") {
			seen[row[0]] = true
		}
	}
	p.until("a page", `document.querySelectorAll(".connections tbody tr").length === 50`)
	note()
	p.click(".panel-foot .button:last-child")
	p.until("the rest", `document.querySelectorAll(".connections tbody tr").length === 12`)
	note()
	if len(seen) != 61 { // the page's two have one name
		t.Errorf("the pages show %d people", len(seen))
	}
	p.click(".panel-foot .button:nth-last-child(2)")
	p.until("the first page", `document.querySelectorAll(".connections tbody tr").length === 50`)
}

// TestConsoleTopics walks the tree by keyboard and goes on to a topic's events.
func TestConsoleTopics(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.mustPublish(sights...)
	tidings.listen("ann", "user,room.shop.orders")
	p := newPage(t)
	p.view(tidings, "topics")
	if row := p.rowOf(".tree", "shop"); row[2] != "1" || row[3] != "2" {
		t.Errorf("the row of shop is %q, want one subscriber and two held", row)
	}
	p.until("the rate of the metrics", `[...document.querySelectorAll(".tree tr")].some((r) => r.cells[0].innerText === "nats" && /^(0.[5-9]|1\.\d) .s$/.test(r.cells[1].innerText))`)
	p.do("focus the tree", focused)
	eval[bool](p, `(document.querySelector(".tree tr[tabindex='0']").focus(), true)`)
	p.walkTo("shop")
	p.press(kb.ArrowRight)
	p.rowOf(".tree", "orders")
	p.press(kb.ArrowDown)
	p.press("\r")
	p.until("its events", `location.hash === "#/events?topics=room.shop.orders"`)
	p.until("the event", rowsOf+`.some((r) => r.startsWith("room.shop.orders order.paid"))`)

	p.visit(tidings.url + "/#/topics")
	p.rowOf(".tree", "shop")
	tidings.mustPublish(counted(1, "room.brandnew"))
	p.click(".chip")
	p.rowOf(".tree", "brandnew")
	p.enter("Prefix", "room.shop")
	p.until("one room", `document.querySelectorAll(".tree tbody tr").length === 2`)
}

// walkTo presses the arrow down until a row of the tree has the focus.
func (p *page) walkTo(name string) {
	p.t.Helper()
	for range 50 {
		if eval[string](p, `document.activeElement.querySelector?.("a")?.textContent ?? ""`) == name {
			return
		}
		p.press(kb.ArrowDown)
	}
	p.t.Fatalf("the arrows do not lead to %s; the page shows:\n%s", name, p.text())
}

// TestConsoleStreams looks at the streams with their limits and consumers.
func TestConsoleStreams(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.mustPublish(sights...)
	p := newPage(t)
	p.view(tidings, "streams")
	row := p.rowOf(".streams", "tidings_EVENTS")
	if !strings.Contains(row[2], "of ") || !strings.Contains(row[3], "of 1 d") {
		t.Errorf("the row of EVENTS is %q", row)
	}
	p.until("bars", `document.querySelectorAll(".streams [role=meter]").length >= 2`)
	p.until("a consumer that is up to date", `document.querySelector(".inner .state")?.textContent === "Up to date"`)
}

// TestConsoleTry mints a token, subscribes and publishes with it.
func TestConsoleTry(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "try")
	p.enter("User", "zoe")
	p.click(".step:nth-of-type(1) .primary")
	p.until("a token", `/A token for zoe/.test(document.querySelector(".lines").textContent)`)
	p.click(".step:nth-of-type(2) .primary")
	p.until("a stream", `document.querySelector(".output .state")?.textContent === "Live"`)
	p.click(".step:nth-of-type(3) .primary")
	p.until("the event", `/"source":"user.zoe".*Hello/.test(document.querySelector(".lines .event")?.textContent)`)
	for _, words := range []string{"tidings token zoe", "/v1/events?topics=user,room.try.", "/v1/publish"} {
		if !eval[bool](p, fmt.Sprintf(`[...document.querySelectorAll(".snippet pre")].some((e) => e.textContent.includes(%q))`, words)) {
			t.Errorf("no snippet has %s", words)
		}
	}
	p.click(".step:nth-of-type(2) .segments button:nth-child(2)")
	p.until("JavaScript", `document.querySelector(".step:nth-of-type(2) pre").textContent.includes("@tidings/client")`)

	p.expect("status of 403")
	p.enter("Topic", "room.secret")
	p.click(".step:nth-of-type(3) .primary")
	p.until("a refusal", `/does not let you publish/.test(document.querySelector(".step:nth-of-type(3) .problem")?.textContent)`)
}

// TestConsoleOperatorsOnly opens the views with a token that is nobody's who operates:
// each explains what is needed, and the rest of the page works.
func TestConsoleOperatorsOnly(t *testing.T) {
	t.Parallel()
	const secret = "a secret that only this test and its process know"
	tidings := begin(t, "TIDINGS_JWT_SECRET="+secret)
	p := newPage(t)
	p.expect("status of 403")
	p.visit(tidings.url + "/#token=" + sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"tidings":{"sub":["room.>"]}}`, time.Now().Add(time.Hour).Unix())))
	p.until("the pill to say Live", says("Live"))
	const explained = `/Operators only.*tidings token --as-admin/s.test(document.querySelector("main .notice")?.textContent)`
	p.until("an explanation", explained)
	p.until("eight charts", `document.querySelectorAll(".card canvas").length === 8`)
	p.keepShot("refused-overview")
	for _, view := range []string{"connections", "topics", "streams"} {
		p.click(fmt.Sprintf(`.rail a[href^="#/%s"]`, view))
		p.until("an explanation", explained)
		p.keepShot("refused-" + view)
	}
	p.click(`.rail a[href^="#/try"]`)
	p.click(".step:nth-of-type(1) .primary")
	p.until("a refusal", `/operators/.test(document.querySelector(".step .problem")?.textContent)`)
	p.click(`.rail a[href^="#/events"]`)
	p.until("events", `document.querySelectorAll(".list .line").length > 0`)
}

// sign makes a token of claims.
func sign(secret, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}
