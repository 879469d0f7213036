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
	{"phone-light", "light", 390, 844, 2},
	{"phone-dark", "dark", 390, 844, 2},
}

// sights are events as they may be seen.
var sights = []string{
	`{"topic":"room.shop.orders","type":"order.paid","source":"shop","data":{"id":"A-10442","city":"Berlin","total":129.9,"items":[{"sku":"lamp-3","n":1},{"sku":"cable","n":2}]}}`,
	`{"topic":"room.deploys","type":"deploy.finished","source":"ci","data":{"service":"search","version":"2.41.0","seconds":48,"ok":true}}`,
	`{"topic":"room.support","type":"chat.message","data":{"from":"Ann","text":"The new invoices are out – can someone check the totals for Zürich?"}}`,
	`{"topic":"all","type":"notice","data":"Maintenance on Sunday, 06:00–06:15 UTC"}`,
}

// TestConsoleLooks opens the console in light and dark, wide and on a phone. It
// must not need to scroll sideways, whatever is open.
func TestConsoleLooks(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	samples := 4
	if os.Getenv(shotsVar) != "" {
		samples = 12
	}
	for _, l := range looks {
		tidings.mustPublish(sights...)
		p := newPage(t)
		p.scheme(l.scheme)
		p.size(l.width, l.height, l.dots)
		p.visit(tidings.link)
		p.until("the pill to say Live", says("Live"))
		p.until("eight charts", `document.querySelectorAll(".card canvas").length === 8`)
		p.until("samples", fmt.Sprintf(`Number(document.querySelector(".panel-foot .seen b").textContent) >= %d`, 2*samples+4))
		p.looksRight(l.name, l.width)

		p.enter("Type", "!*.metrics")
		p.until("events and no metrics", `((rows) => rows.length >= 4 && !rows.some((r) => r.includes("metrics")))(`+rowsOf+`)`)
		p.click(`.list .row:nth-of-type(2) .line`)
		p.until("a detail", `document.querySelector(".list .detail")`)
		p.looksRight(l.name+"-event", l.width)

		p.click(".pill")
		p.until("details", `document.querySelector(".popover:popover-open")`)
		p.looksRight(l.name+"-status", l.width)

		p.click(".popover-foot button")
		p.until("the door", `document.querySelector(".door-card input")`)
		p.looksRight(l.name+"-door", l.width)
	}
}

// looksRight checks that nothing overflows to the side and keeps a screenshot if
// there is a place for it.
func (p *page) looksRight(name string, width int64) {
	p.t.Helper()
	if w := eval[int64](p, "document.scrollingElement.scrollWidth"); w > width {
		p.t.Errorf("%s: the page is %d pixels wide, the screen %d", name, w, width)
	}
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
