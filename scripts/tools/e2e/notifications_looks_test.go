package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// noticesSeen are the views of notifications, with something in each.
var noticesSeen = []struct {
	name string
	open func(p *page)
}{
	{"send", func(p *page) { p.at("notifications?id=new", `document.querySelector(".form")`) }},
	{"notifications", func(p *page) { p.at("notifications", listed+`.some((s) => s.includes("1 retrying"))`) }},
	{"timeline", func(p *page) {
		p.row("Order 3 shipped")
		p.steps("Retrying eve · mail")
	}},
	{"timeline-dead", func(p *page) {
		p.at("notifications", listed+`.length > 3`)
		p.row("Order 4 shipped")
		p.steps("Dead bob · mail")
		p.click(".matrix .cell.dead")
		p.until("one delivery", `document.querySelector(".chosen")`)
	}},
	{"mailbox", func(p *page) { p.at("mailbox", listed+`.length > 3`) }},
	{"mail", func(p *page) {
		p.row("A-1")
		p.until("its frame", `document.querySelector(".sheet iframe.loaded")`)
	}},
	{"mail-checks", func(p *page) {
		p.click(`.mail .segments button:last-child`)
		p.until("the checks", `document.querySelector(".checks li")`)
	}},
	{"mailbox-faults", func(p *page) { p.at("mailbox?id=faults", `document.querySelector(".armed li")`) }},
	{"dead", func(p *page) { p.at("dead", listed+`.length > 0`) }},
	{"dead-letter", func(p *page) {
		p.row("bob")
		p.until("what it says", `document.querySelector(".words")`)
	}},
	{"dead-drop", func(p *page) {
		p.button("Drop…")
		p.until("a question", `document.querySelector("dialog[open]")`)
	}},
	{"templates", func(p *page) {
		p.press("\x1b")
		p.at("templates", listed+`.length > 3`)
	}},
	{"template", func(p *page) {
		p.row("order_shipped")
		p.until("its frame", `document.querySelector(".sheet iframe.loaded")`)
	}},
}

// at goes to a view and waits for a condition.
func (p *page) at(hash, condition string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(location.hash = %q, true)`, "#/"+hash))
	p.until(hash, condition)
}

// newsroom is a process that has notifications of all kinds.
func newsroom(t *testing.T) *process {
	t.Helper()
	tidings := begin(t)
	// Pauses are random: a mail that failed once may be tried again at once.
	tidings.arm(`{"stage":"rcpt","code":451,"times":100,"recipient":"eve"}`)
	tidings.arm(`{"stage":"mail","code":554,"times":1,"recipient":""}`)
	tidings.notify(`{"to":[{"user":"bob","email":"bob@example.org"}],"category":"orders","severity":"high","title":"Order 4 shipped"}`)
	return tidings
}

// stock fills it, once the first mail has died.
func (p *process) stock() {
	p.notify(`{"to":["dev","ann",{"user":"eve","email":"eve@example.org"}],"category":"orders","title":"Order 3 shipped","body":"It is on its way."}`)
	p.notify(`{"to":[{"user":"ann","email":"ann@example.org"}],"category":"orders","template":"order_shipped","data":{"order":"A-1","items":[{"name":"Mug","quantity":2}]}}`)
	p.notify(toldTo("fatima", "A title that is rather long and says more than there is room for in one line of a list, even on a wide screen"))
	p.arm(`{"stage":"data","code":452,"times":1,"recipient":"nobody"}`)
}

// TestNotificationsLooks opens the views of notifications in light and dark, wide and
// on a phone: nothing may need to scroll sideways, and every text can be read.
func TestNotificationsLooks(t *testing.T) {
	t.Parallel()
	tidings := newsroom(t)
	first := newPage(t)
	first.view(tidings, "dead")
	first.until("a letter", listed+`.length === 1`)
	tidings.stock()
	for _, l := range looks {
		p := newPage(t)
		p.scheme(l.scheme)
		p.size(l.width, l.height, l.dots)
		p.visit(tidings.link)
		p.until("the pill to say Live", says("Live"))
		for _, v := range noticesSeen {
			v.open(p)
			p.looksRight("notices-"+l.name+"-"+v.name, l.width)
			for _, fault := range eval[[]string](p, contrasts) {
				t.Errorf("%s, %s: %s", l.name, v.name, fault)
			}
		}
	}
}

// TestNotificationsCalm looks at each view while notifications come: nothing may move,
// not by a pixel, wide and on a phone.
func TestNotificationsCalm(t *testing.T) {
	t.Parallel()
	tidings := newsroom(t)
	first := newPage(t)
	first.view(tidings, "dead")
	first.until("a letter", listed+`.length === 1`)
	tidings.stock()
	story := tidings.notify(toldTo("guo", "The one that is looked at"))
	for _, width := range []int64{1280, 390} {
		for _, view := range []string{"notifications", "notifications?id=" + story, "mailbox", "dead", "templates"} {
			p := newPage(t)
			p.size(width, 800, 1)
			p.visit(tidings.url + "/#/" + view + map[bool]string{true: "&", false: "?"}[strings.Contains(view, "?")] + "token=" + tidings.token())
			p.until("the pill to say Live", says("Live"))
			p.until("something to see", `document.querySelector(".live-row, .happened li") && !document.querySelector(".bone") && !document.querySelector(".live-row .under:last-child:not(.mono)")?.textContent.includes("…")`)
			p.until("the bell", `document.querySelector("tidings-bell")`)
			p.until("all of that painted", `(window.painted ??= (requestAnimationFrame(() => requestAnimationFrame(() => (window.painted = 2))), 1)) === 2`)
			eval[bool](p, watch)
			for n := range 4 {
				tidings.notify(toldTo("dev", fmt.Sprintf("News %d", n)))
			}
			p.until("a while", fmt.Sprintf(`performance.now() - since > %d`, watched))
			if shifts := eval[[]string](p, "shifts"); len(shifts) > 0 {
				t.Errorf("%d pixels, %q: the layout shifted:\n\t%s", width, view, strings.Join(shifts, "\n\t"))
			}
			if view == "notifications" || view == "mailbox" {
				p.until("the news", listed+`.some((s) => s.includes("News 3"))`)
			}
		}
	}
}

// TestNotificationsKeys goes to the views without a mouse and walks in a list.
func TestNotificationsKeys(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.notify(toldTo("ann", "Order 1 shipped"))
	tidings.notify(toldTo("bob", "Order 2 shipped"))
	p := newPage(t)
	p.view(tidings, "")
	for _, v := range []struct{ letter, hash string }{{"m", "#/mailbox"}, {"d", "#/dead"}, {"p", "#/templates"}, {"n", "#/notifications"}} {
		p.press("g")
		p.press(v.letter)
		p.until("the view of "+v.letter, fmt.Sprintf(`location.hash === %q`, v.hash))
	}
	p.until("both", listed+`.length === 2`)
	// The tab key comes from the head of the page; in the bell a test sees no focus.
	eval[bool](p, `(document.querySelector("main a.button").focus(), true)`)
	p.tabTo("live-row")
	p.press("\r")
	p.until("the newest", `document.querySelector("#story-title")?.textContent === "Order 2 shipped"`)
	p.do("focus", focused, chromedp.KeyEvent("j"))
	p.press("\r")
	p.until("the one below", `document.querySelector("#story-title")?.textContent === "Order 1 shipped"`)
}

// TestNotificationsOperatorsOnly opens the views with a token of nobody who operates:
// each says what is needed.
func TestNotificationsOperatorsOnly(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	p := newPage(t)
	p.expect("status of 403")
	p.visit(tidings.url + "/#token=" + tidings.mint(`{"user":"ann","sub":["room.>"]}`))
	p.until("the pill to say Live", says("Live"))
	for _, view := range []string{"notifications", "mailbox", "dead", "templates"} {
		p.at(view, `/Operators only|Nothing to show/.test(document.querySelector("main .notice")?.textContent)`)
		p.keepShot("refused-" + view)
	}
}
