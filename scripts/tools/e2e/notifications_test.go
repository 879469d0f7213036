package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// prompt is how soon a notification must ring the bell of a page on this machine.
const prompt = 200 * time.Millisecond

// notify sends a notification as curl would, without a token, and returns its id.
func (p *process) notify(body string) string {
	p.t.Helper()
	resp, err := http.Post(p.url+"/v1/notify", "application/json", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var accepted struct{ ID string }
	if err := json.Unmarshal(answer, &accepted); err != nil || resp.StatusCode != http.StatusAccepted {
		p.t.Fatalf("notify: %s %s (%v)", resp.Status, answer, err)
	}
	return accepted.ID
}

// toldTo is a notification to a user with a mail address.
func toldTo(user, title string) string {
	return fmt.Sprintf(`{"to":[{"user":%q,"email":%q}],"category":"orders","title":%q,"body":"It is on its way."}`, user, user+"@example.org", title)
}

// arm has the mailbox fail.
func (p *process) arm(fault string) {
	p.t.Helper()
	var armed struct{ ID int }
	p.ask(http.MethodPost, "/console/api/mailbox/faults", fault, &armed)
}

// listed are the texts of the rows of a list.
const listed = `[...document.querySelectorAll(".live-row")].map((e) => e.innerText)`

// row waits for the row of a list whose text contains words, and opens it.
func (p *page) row(words string) {
	p.t.Helper()
	found := fmt.Sprintf(`[...document.querySelectorAll(".live-row")].find((e) => e.innerText.includes(%q))`, words)
	p.until("a row with "+words, found)
	p.click(`[data-key="` + eval[string](p, found+".dataset.key") + `"]`)
}

// wanted marks the button that says so, and is true if there is one that can be pressed.
const wanted = `(() => {
	document.querySelector("[data-wanted]")?.removeAttribute("data-wanted");
	const e = [...document.querySelectorAll("main button, main a.button, dialog[open] button")].find((e) => e.textContent.trim() === %q && !e.disabled && e.checkVisibility());
	e?.setAttribute("data-wanted", "");
	return !!e;
})()`

// button presses the button of the page that says so, as soon as a person could. A view
// that is being replaced takes its buttons along, so they are looked for again and again.
func (p *page) button(words string) {
	p.t.Helper()
	var at []float64
	if !poll(func() bool {
		if eval[bool](p, fmt.Sprintf(wanted, words)) {
			at = eval[[]float64](p, fmt.Sprintf(spot, "[data-wanted]"))
		}
		return at != nil
	}, nil) {
		p.t.Fatalf("there is no button %q to press; the page shows:\n%s", words, p.text())
	}
	p.do("press "+words, chromedp.MouseClickXY(at[0], at[1]))
}

// happened are the words of the steps of a timeline.
const happened = `[...document.querySelectorAll(".happened .step-head")].map((e) => e.innerText.replaceAll("\n", " "))`

// steps waits until a timeline has these steps.
func (p *page) steps(want ...string) {
	p.t.Helper()
	list, err := json.Marshal(want)
	if err != nil {
		p.t.Fatal(err)
	}
	p.until("the steps "+string(list), fmt.Sprintf(`((have) => %s.every((s) => have.some((h) => h.startsWith(s))))(%s)`, list, happened))
}

// TestNotificationsBell: what is sent with one request rings the page's bell at once.
// It has the machine to itself, for it is about time.
func TestNotificationsBell(t *testing.T) {
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "")
	p.until("the bell", `document.querySelector("tidings-bell")?.notifications?.get().loading === false`)
	eval[bool](p, `(window.rung = [], document.querySelector("tidings-bell").addEventListener("tidings-new", (e) => rung.push([e.detail.id, Date.now()])), true)`)
	const times = 7
	var took []time.Duration
	for n := range times {
		sent := time.Now()
		id := tidings.notify(fmt.Sprintf(`{"to":["dev"],"category":"orders","title":"Order %d shipped"}`, n))
		p.until("the bell to ring", fmt.Sprintf(`rung.some(([id]) => id === %q)`, id))
		at := eval[int64](p, fmt.Sprintf(`rung.find(([id]) => id === %q)[1]`, id))
		took = append(took, time.UnixMilli(at).Sub(sent))
	}
	p.until("the number", fmt.Sprintf(`document.querySelector("tidings-bell").shadowRoot.querySelector(".badge").textContent === "%d"`, times))
	slices.Sort(took)
	t.Logf("from the request to the bell: %v", took)
	if took[times/2] > prompt {
		t.Errorf("half of them took more than %v", took[times/2])
	}

	p.click("tidings-bell")
	row := `document.querySelector("tidings-bell").shadowRoot.querySelector(".row")`
	p.until("the panel", row+`?.innerText.includes("Order 6 shipped")`)
	eval[bool](p, "("+row+".click(), true)")
	p.until("its timeline", `/^#\/notifications\?id=/.test(location.hash) && document.querySelector("#story-title")?.textContent === "Order 6 shipped"`)
}

// TestNotificationsStory sends a notification with the form, and follows it: who got it
// over which channels, which were not used and why, and the mail itself.
func TestNotificationsStory(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "notifications")
	p.until("an empty list", `/No notification yet/.test(document.querySelector("main .notice")?.textContent)`)
	p.enter("To", "dev, ann")
	p.enter("Title", "Order 7 shipped")
	p.button("Send")
	p.steps("Requested over HTTP", "Routed dev", "Queued dev · mail", "Sending dev · mail", "Sent dev · mail", "Delivered dev · inbox", "Delivered ann · inbox")
	p.until("why a channel is not used", `[...document.querySelectorAll(".choice.not")].some((e) => /not push – This channel is not set up here/.test(e.textContent))`)
	p.until("people and channels", `document.querySelectorAll(".matrix tbody tr").length === 2 && document.querySelector(".matrix .cell.delivered")`)
	p.until("its row with a summary", listed+`.some((s) => s.includes("Order 7 shipped") && /delivered/.test(s))`)

	p.click(".matrix .cell.sent")
	p.until("one delivery alone", `/mail/.test(document.querySelector(".chosen").textContent) && `+happened+`.every((s) => !s.includes("inbox"))`)
	p.button("The mail")
	p.until("the mail", `document.querySelector("#mail-title")?.textContent === "Order 7 shipped"`)
	key := eval[string](p, `document.querySelector(".mail .id").innerText.trim()`)
	if q := eval[string](p, `document.querySelector("[aria-label=Find]").value`); q != key {
		t.Errorf("it was looked for as %q, its key is %q", q, key)
	}

	// One that is for later can be called off.
	p.visit(tidings.url + "/#/notifications?id=" + tidings.notify(fmt.Sprintf(`{"to":["dev"],"title":"Later","at":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))))
	p.until("when it begins", `/begins .*, in 5\d min/.test(document.querySelector(".one-head")?.textContent)`)
	p.button("Cancel…")
	p.button("Cancel it for good")
	p.steps("Canceled by dev")
	p.until("no button any more", `![...document.querySelectorAll(".one-head button")].some((b) => /Cancel/.test(b.textContent))`)
}

// TestNotificationsMailbox: mail appears as it comes, and can be looked at from all
// sides.
func TestNotificationsMailbox(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "mailbox")
	p.until("an empty mailbox", `/No mail yet/.test(document.querySelector("main .notice")?.textContent)`)
	tidings.notify(toldTo("ann", "Order 1 shipped"))
	p.until("the mail", listed+`.some((s) => s.includes("Order 1 shipped") && s.includes("ann@example.org"))`)

	// While somebody points into the list, nothing comes under the pointer.
	p.row("Order 1 shipped")
	p.until("its frame", `document.querySelector(".sheet iframe")?.getAttribute("sandbox") === "allow-popups allow-popups-to-escape-sandbox"`)
	tidings.notify(toldTo("bob", "Order 2 shipped"))
	p.until("a button for what is new", `/1 new/.test(document.querySelector(".chip.up")?.textContent)`)
	if rows := eval[[]string](p, listed); len(rows) != 1 {
		t.Errorf("the list changed under the pointer: %q", rows)
	}
	p.click(".chip.up")
	p.until("both", listed+`.length === 2`)

	resp, err := http.Get(tidings.url + eval[string](p, `document.querySelector(".sheet iframe").getAttribute("src")`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if html, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(html), "Order 1 shipped") {
		t.Errorf("the frame shows %s %q (%v)", resp.Status, html, err)
	}
	p.button("390")
	p.until("a phone", `document.querySelector(".sheet iframe").clientWidth <= 390`)
	for tab, words := range map[string]string{"Text": "It is on its way", "Headers": "Feedback-ID", "Source": "MIME-Version: 1.0"} {
		p.button(tab)
		p.until(words, fmt.Sprintf(`document.querySelector(".mail").innerText.toLowerCase().includes(%q)`, strings.ToLower(words)))
	}
	p.enter("Find", "bob@")
	p.until("what was looked for", listed+`.length === 1 && `+listed+`[0].includes("Order 2")`)
	p.row("Order 2 shipped")
	p.button("Delete")
	p.until("nothing", `/No mail matches/.test(document.querySelector("main .empty")?.textContent)`)
}

// TestNotificationsRetry arms a failure on the page, and sees the mail fail and what
// comes next.
func TestNotificationsRetry(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "mailbox")
	p.button("Try again later")
	p.enter("Only for", "eve")
	p.enter("Times", "100") // pauses are random: what fails once may be tried again at once
	p.button("Arm")
	p.until("one that is armed", `/451/.test(document.querySelector(".armed")?.textContent) && /Failing: 1/.test(document.querySelector(".filters").textContent)`)
	id := tidings.notify(toldTo("eve", "Order 3 shipped"))
	p.until("the attempt", listed+`.some((s) => s.includes("451 at rcpt"))`)
	p.until("that it struck", `/struck \d/.test(document.querySelector(".armed").textContent)`)
	p.visit(tidings.url + "/#/notifications?id=" + id)
	p.steps("Queued eve · mail", "Sending eve · mail", "Retrying eve · mail")
	p.until("the reason and when it is tried again", `[...document.querySelectorAll(".happened .warn")].some((e) => /RCPT: 451.*It is tried again in \d+/s.test(e.textContent))`)
	p.until("its summary", listed+`.some((s) => s.includes("Order 3") && /1 (retrying|sending)/.test(s))`)
}

// TestNotificationsDead redrives and drops what was given up.
func TestNotificationsDead(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "dead")
	p.until("no letter", `/No dead letters/.test(document.querySelector("main .notice")?.textContent)`)
	tidings.arm(`{"stage":"mail","code":554,"times":4}`)
	var ids []string
	for _, user := range []string{"ann", "bob", "eve", "guo"} {
		ids = append(ids, tidings.notify(toldTo(user, "To "+user)))
	}
	p.until("four letters", listed+`.length === 4`)
	p.row("bob")
	p.until("what it says", `/"title": "To bob"/.test(document.querySelector(".words")?.textContent)`)
	p.button("Redrive")
	p.until("three letters", listed+`.length === 3`)
	p.visit(tidings.url + "/#/notifications?id=" + ids[1])
	p.steps("Dead bob · mail", "Sent bob · mail")

	p.visit(tidings.url + "/#/notifications?id=" + ids[0])
	p.button("The dead letter")
	p.until("its letter alone", listed+`.length === 1`)
	p.row("ann")
	p.button("Drop…")
	p.button("Drop it")
	p.until("nothing that matches", `/No dead letter matches/.test(document.querySelector("main .empty")?.textContent)`)

	p.visit(tidings.url + "/#/dead")
	p.until("two letters", listed+`.length === 2`)
	p.button("Redrive all…")
	p.button("Redrive all")
	p.until("none", `/2 redriven/.test(document.querySelector(".panel-foot").textContent) && /No dead letters/.test(document.querySelector("main .notice")?.textContent)`)
}

// TestNotificationsTemplates looks at a template in its languages.
func TestNotificationsTemplates(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.view(tidings, "templates")
	p.row("order_shipped")
	for locale, words := range map[string]string{"de": "Bestellung", "ru": "Заказ", "en": "Order"} {
		p.button(locale)
		p.until("the subject in "+locale, fmt.Sprintf(`document.querySelector(".subject b").textContent.includes(%q)`, words))
		p.until("its frame", `document.querySelector(".sheet iframe")?.src.includes("locale=`+locale+`")`)
	}
	p.button("390")
	p.until("a phone", `document.querySelector(".sheet iframe").clientWidth <= 390`)
	p.button("Mail as text")
	p.until("the text", `document.querySelector(".words").textContent.length > 80`)
	p.button("Inbox, push, SMS")
	p.until("the item", `document.querySelector(".item b")?.textContent.includes("A-10482")`)
}
