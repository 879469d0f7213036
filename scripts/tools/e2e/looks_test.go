package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// shotsVar names the directory that screenshots are kept in. Without it the pages
// are looked at all the same.
const shotsVar = "TIDINGS_SHOTS"

// looks are the settings that the console is looked at in. Widths and heights are
// in CSS pixels.
var looks = []struct {
	name, scheme  string
	width, height int64
	dots          float64
}{
	{"light", "light", 1440, 1080, 1},
	{"dark", "dark", 1440, 1080, 1},
	{"tablet", "light", 900, 1100, 1},
	{"phone-light", "light", 390, 844, 2},
	{"phone-dark", "dark", 390, 844, 2},
}

// sights are events as they may be seen.
var sights = []string{
	`{"topic":"room.shop.orders","type":"order.paid","source":"shop","data":{"id":"A-10442","city":"Berlin","total":129.9,"items":[{"sku":"lamp-3","n":1},{"sku":"cable","n":2}]}}`,
	`{"topic":"room.shop.stock","type":"stock.low","source":"shop","data":{"sku":"lamp-3","left":2}}`,
	`{"topic":"room.deploys","type":"deploy.finished","source":"ci","data":{"service":"search","version":"2.41.0","seconds":48,"ok":true}}`,
	`{"topic":"room.support","type":"chat.message","data":{"from":"Ann","text":"The new invoices are out – can someone check the totals for Zürich?"}}`,
	`{"user":"ann","type":"invoice.ready","source":"billing","data":{"id":"R-2209"}}`,
	`{"topic":"all","type":"notice","data":"Maintenance on Sunday, 06:00–06:15 UTC"}`,
}

// TestConsoleLooks opens every view in light and dark, wide and on a phone. None must
// need to scroll sideways, whatever is open.
func TestConsoleLooks(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.crowd()
	samples := 4
	if os.Getenv(shotsVar) != "" {
		samples = 16
	}
	for _, l := range looks {
		tidings.mustPublish(sights...)
		p := newPage(t)
		p.scheme(l.scheme)
		p.size(l.width, l.height, l.dots)
		p.visit(tidings.link)
		p.until("the pill to say Live", says("Live"))
		p.until("thirteen charts", `document.querySelectorAll(".card canvas").length === 13`)
		p.until("samples", fmt.Sprintf(`(window.seconds ??= Date.now(), Date.now() - seconds > %d000)`, samples))
		p.looksRight(l.name+"-overview", l.width)
		for _, v := range viewsSeen {
			v.open(p, tidings)
			p.looksRight(l.name+"-"+v.name, l.width)
		}
	}
}

// viewsSeen are the other views, with something in each.
var viewsSeen = []struct {
	name string
	open func(p *page, tidings *process)
}{
	{"connections", func(p *page, _ *process) {
		p.click(`.rail a[href^="#/connections"]`)
		p.rowOf(".connections", "guo")
	}},
	{"connections-detail", func(p *page, _ *process) {
		p.click(`.connections tbody tr:nth-child(2) .opener`)
		p.until("a detail", `document.querySelector(".connections .more .tag")`)
	}},
	{"connections-cut", func(p *page, _ *process) {
		p.click(`.connections .more .danger`)
		p.until("a question", `document.querySelector("dialog[open]")`)
	}},
	{"topics", func(p *page, _ *process) {
		p.press("\x1b")
		p.click(`.rail a[href^="#/topics"]`)
		p.rowOf(".tree", "shop")
		p.until("rates", `[...document.querySelectorAll(".tree .rate span")].some((e) => e.textContent.includes("/s"))`)
	}},
	{"events", func(p *page, _ *process) {
		p.click(`.rail a[href^="#/events"]`)
		p.enter("Type", "!*.metrics")
		p.until("events and no metrics", `((rows) => rows.length >= 4 && !rows.some((r) => r.includes("metrics")))(`+rowsOf+`)`)
	}},
	{"events-detail", func(p *page, _ *process) {
		p.click(`.list .row:nth-of-type(2) .line`)
		p.until("a detail", `document.querySelector(".list .detail")`)
	}},
	{"streams", func(p *page, _ *process) {
		p.click(`.rail a[href^="#/streams"]`)
		p.rowOf(".streams", "tidings_EVENTS")
		p.until("its consumers", `document.querySelector(".streams .inner .state")`)
	}},
	{"try", func(p *page, _ *process) {
		p.click(`.rail a[href^="#/try"]`)
		p.click(`.step:nth-of-type(1) .primary`)
		p.until("a token", `document.querySelectorAll(".lines .note").length === 1`)
		p.click(`.step:nth-of-type(2) .primary`)
		p.until("a stream", `document.querySelector(".output .state")?.textContent === "Live"`)
		p.click(`.step:nth-of-type(3) .primary`)
		p.until("the event", `document.querySelector(".lines .event")`)
	}},
	{"try-output", func(p *page, _ *process) {
		p.do("scroll", chromedp.ScrollIntoView(".output"))
	}},
	{"keys", func(p *page, _ *process) {
		p.press("\t")
		eval[bool](p, `(document.activeElement.blur(), true)`)
		p.press("?")
		p.until("the keys", `document.querySelector("dialog[open]")`)
	}},
	{"status", func(p *page, _ *process) {
		p.press("\x1b")
		p.click(".pill")
		p.until("details", `document.querySelector(".popover:popover-open")`)
	}},
	{"door", func(p *page, _ *process) {
		p.click(".popover-foot button")
		p.until("the door", `document.querySelector(".door-card input")`)
	}},
}

// looksRight checks that nothing overflows to the side and keeps a screenshot if
// there is a place for it.
func (p *page) looksRight(name string, width int64) {
	p.t.Helper()
	if w := eval[int64](p, "document.scrollingElement.scrollWidth"); w > width {
		p.t.Errorf("%s: the page is %d pixels wide, the screen %d", name, w, width)
	}
	p.keepShot(name)
}

// keepShot keeps a screenshot if there is a place for it.
func (p *page) keepShot(name string) {
	p.t.Helper()
	dir := os.Getenv(shotsVar)
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("%s: screenshot: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
