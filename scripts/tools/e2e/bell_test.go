package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

const (
	// inBell is what the bell of a page has in its shadow.
	inBell = `document.querySelector("tidings-bell").shadowRoot`
	// inList are the titles of the bell's list, from above to below.
	inList = `[...` + inBell + `.querySelectorAll(".row .name")].map((e) => e.textContent)`
	// atRow is the title of the row that has the focus.
	atRow = inBell + `.activeElement?.closest(".row")?.querySelector(".name").textContent`
	// tab is the button of a filter.
	tab = inBell + `.querySelector('.tabs [value=%q]')`
)

// titles waits until the bell lists these, and no others.
func (p *page) titles(what string, want ...string) {
	p.t.Helper()
	list, err := json.Marshal(append([]string{}, want...))
	if err != nil {
		p.t.Fatal(err)
	}
	p.until(what, fmt.Sprintf(`JSON.stringify(%s) === %q`, inList, list))
}

// filter presses a tab of the bell.
func (p *page) filter(name string) {
	p.t.Helper()
	eval[bool](p, "("+fmt.Sprintf(tab, name)+".click(), true)")
}

// TestBellKeys does everything to notifications without a mouse, while another page of the
// same person stays in step.
func TestBellKeys(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	var pages []*page
	for range 2 {
		p := newPage(t)
		p.view(tidings, "")
		p.until("the bell", `document.querySelector("tidings-bell")?.notifications?.get().loading === false`)
		pages = append(pages, p)
	}
	for _, title := range []string{"One", "Two", "Three"} {
		tidings.notify(fmt.Sprintf(`{"to":["dev"],"category":"orders","title":%q}`, title))
		for _, p := range pages {
			p.until(title+" everywhere", fmt.Sprintf(`document.querySelector("tidings-bell").notifications.get().items[0]?.title === %q`, title))
		}
	}
	p, other := pages[0], pages[1]
	for _, p := range pages {
		p.click("tidings-bell")
		p.titles("all of them", "Three", "Two", "One")
	}
	unread := func(want int) {
		t.Helper()
		for _, p := range pages {
			p.until(fmt.Sprintf("%d unread", want), fmt.Sprintf(`document.querySelector("tidings-bell").notifications.get().unread === %d && %s.querySelectorAll(".row.unread").length === %d`, want, inBell, want))
		}
	}
	unread(3)

	p.press("j")
	p.until("the first row", atRow+` === "Three"`)
	p.press("j")
	p.press("r")
	unread(2)
	p.press("z")
	unread(3)

	p.press("e")
	other.titles("without the archived one", "Three", "One")
	p.until("the row below", atRow+` === "One"`)
	p.press("z")
	other.titles("with it", "Three", "Two", "One")

	// Snoozing asks until when; Escape is no answer and leaves the panel open.
	p.press("k")
	p.press("k")
	p.until("the first row again", atRow+` === "Three"`)
	menu := inBell + `.querySelector(".menu")`
	p.press("s")
	p.until("the times", menu+`?.contains(`+inBell+`.activeElement)`)
	p.press("\x1b")
	p.until("no times", "!"+menu+" && "+atRow+` === "Three"`)
	p.press("s")
	p.until("the times", menu)
	p.press("j")
	p.until("the second of them", inBell+`.activeElement === `+menu+`.querySelectorAll("button")[1]`)
	p.press("\r")
	for _, p := range pages {
		p.titles("without the sleeper", "Two", "One")
	}
	unread(2)
	for _, p := range pages {
		p.filter("snoozed")
		p.titles("the sleeper", "Three")
	}
	p.press("j")
	p.press("s")
	for _, p := range pages {
		p.titles("nobody sleeps")
		p.until("that it says so", inBell+`.querySelector(".blank")?.textContent.includes("Nothing is snoozed")`)
		p.filter("inbox")
		p.titles("awake", "Three", "Two", "One")
	}
	unread(3)

	p.click("tidings-bell")
	p.until("the panel to be closed", inBell+`.querySelector("[aria-expanded=false]")`)
}

// TestBellLooks opens the panel in light and dark, wide and on a phone.
func TestBellLooks(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	for _, n := range []string{
		`"title":"Order A-1 shipped","body":"It is on its way, and will be with you on Thursday between nine and noon.","category":"orders","actions":[{"label":"Follow it","url":"/orders/A-1"}]`,
		`"title":"A sign-in from a new device","body":"Firefox on Linux, near Lyon.","severity":"critical"`,
		`"title":"A title that is rather long and says more than there is room for in a line of the panel, Rindfleischetikettierungsüberwachung included","category":"orders"`,
		`"title":"Read long ago","category":"orders"`,
	} {
		tidings.notify(fmt.Sprintf(`{"to":["dev"],%s}`, n))
	}
	for _, l := range looks {
		p := newPage(t)
		p.scheme(l.scheme)
		p.size(l.width, l.height, l.dots)
		p.view(tidings, "")
		p.until("the bell", `document.querySelector("tidings-bell")?.notifications?.get().items.length === 4`)
		p.click("tidings-bell")
		p.until("the list", inList+`.length === 4`)
		shot := func(name string) {
			t.Helper()
			p.until("nothing to move", inBell+`.getAnimations().length === 0`)
			p.looksRight("bell-"+name+l.name, l.width)
		}
		shot("")
		p.press("j")
		p.press("s")
		p.until("the times", inBell+`.querySelector(".menu")`)
		shot("snooze-")
		p.press("\r")
		p.until("it sleeps", inList+`.length === 3`)
		p.filter("snoozed")
		p.until("the sleeper", inList+`.length === 1`)
		shot("snoozed-")
		p.press("j")
		p.press("s")
		p.until("nobody sleeps", inList+`.length === 0`)
		shot("empty-")
		eval[bool](p, "("+inBell+`.querySelector("header .tool:nth-of-type(2)").click(), true)`)
		p.until("the preferences", inBell+`.querySelector(".form .switch")`)
		shot("preferences-")
	}
}
