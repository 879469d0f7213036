package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// page is one tab. Unless it was opened beside another one, it has cookies and
// storage of its own.
type page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	said     []string         // errors and warnings of the browser's console
	expected []*regexp.Regexp // those that are no fault
}

// newPage opens an empty tab of 1280 by 800.
func newPage(t *testing.T) *page {
	t.Helper()
	return open(t, shared.browser, chromedp.WithNewBrowserContext())
}

// beside opens another tab of the same user: in a window of its own, where both
// are seen, or over this one, which hides it.
func (p *page) beside(window bool) *page {
	p.t.Helper()
	return open(p.t, p.ctx, chromedp.WithNewWindow(window))
}

func open(t *testing.T, parent context.Context, option chromedp.ContextOption) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent, option)
	p := &page{t: t, ctx: ctx}
	t.Cleanup(func() {
		closeTab()
		p.judge()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("listen to a tab: %v", err)
	}
	p.size(1280, 800, 1)
	return p
}

// hear notes what the browser complains about. It runs in chromedp's goroutine.
func (p *page) hear(ev any) {
	text := ""
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = "exception: " + ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type != "error" && ev.Type != "warning" && ev.Type != "assert" {
			return
		}
		text = "console." + string(ev.Type)
		for _, a := range ev.Args {
			text += " " + cmp.Or(a.Description, string(a.Value))
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level != "error" && ev.Entry.Level != "warning" {
			return
		}
		text = fmt.Sprintf("%s %s: %s (%s)", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, text)
}

// expect says that complaints like this are what the test is about.
func (p *page) expect(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, regexp.MustCompile(pattern))
}

// expectCuts is expect for what a browser says when a server goes away.
func (p *page) expectCuts() { p.expect(`^network error: Failed to load resource: net::ERR_`) }

// heard reports whether the browser complained like this.
func (p *page) heard(pattern string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return regexp.MustCompile(pattern).MatchString(strings.Join(p.said, "\n"))
}

// judge fails the test for every complaint that was not expected.
func (p *page) judge() {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, s := range p.said {
		for _, e := range p.expected {
			if e.MatchString(s) {
				continue next
			}
		}
		p.t.Errorf("the browser says: %s", s)
	}
}

// do runs actions with a deadline.
func (p *page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.text())
	}
}

// visit loads a page.
func (p *page) visit(url string) {
	p.t.Helper()
	p.do("visit", chromedp.Navigate(url))
}

// size sets the viewport in CSS pixels and how many dots each has.
func (p *page) size(width, height int64, dots float64) {
	p.t.Helper()
	p.do("viewport", chromedp.EmulateViewport(width, height, chromedp.EmulateScale(dots)))
}

// scheme makes the system light or dark.
func (p *page) scheme(name string) {
	p.t.Helper()
	p.do("scheme", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// spot is true once the middle of an element stands still and nothing covers it,
// and then it is where that is.
const spot = `(() => {
	const e = document.querySelector(%q);
	if (!e) return null;
	e.scrollIntoView({ block: "nearest" });
	const r = e.getBoundingClientRect();
	const at = [r.x + r.width / 2, r.y + r.height / 2];
	const still = String(window.spotted) === String(at) && e.contains(document.elementFromPoint(...at));
	window.spotted = at;
	return still ? at : null;
})()`

// click presses the first element that the CSS selector finds, with the mouse, as
// soon as a person could.
func (p *page) click(selector string) {
	p.t.Helper()
	var at []float64
	if !poll(func() bool { at = eval[[]float64](p, fmt.Sprintf(spot, selector)); return at != nil }, nil) {
		p.t.Fatalf("there is no %s to click; the page shows:\n%s", selector, p.text())
	}
	p.do("click "+selector, chromedp.MouseClickXY(at[0], at[1]))
}

// enter replaces the text of a labelled field with what is typed, key by key.
func (p *page) enter(label, text string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`input[aria-label=%q]`, label))
	p.do("type into "+label, focused,
		chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent("\b"),
		chromedp.KeyEvent(text),
	)
}

// focused makes the page believe that its window has the focus, without which it
// gets no keys: of all windows one can have it. It also believes that it is seen.
func focused(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return chromedp.Void{}, err
}

// reload loads the page again.
func (p *page) reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

// press types into whatever has the focus.
func (p *page) press(keys string) {
	p.t.Helper()
	p.do("press keys", focused, chromedp.KeyEvent(keys))
}

// eval evaluates an expression in the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true in the page.
func (p *page) until(what, expression string) {
	p.t.Helper()
	if !poll(func() bool { return eval[bool](p, "!!("+expression+")") }, nil) {
		p.t.Fatalf("timed out waiting for %s; the page shows:\n%s", what, p.text())
	}
}

// text is what the page shows, for the words of a failure.
func (p *page) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href.replace(/token=.*/, "token=…") + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return s
}

// quote makes a JSON string of any text, which is a JavaScript one too. Unlike
// json.Marshal it leaves markup as it is.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // unreachable: every string encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
