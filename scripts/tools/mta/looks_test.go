package mta_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// shotsVar names the directory that screenshots are kept in. Without it the mails are
// looked at all the same.
const shotsVar = "TIDINGS_SHOTS"

// looksJS judges a mail in the browser and returns its faults.
//
//go:embed looks.js
var looksJS string

// TestLooks shows the stored mails on a phone and in a window, in light and dark.
func TestLooks(t *testing.T) {
	t.Parallel()
	k, office := newKey(t, "ed25519-sha256"), openPostOffice(t, users()...)
	mails := begin(t, office, k).send(office)
	pages, asked := serveMails(t, mails)
	ctx, closeTab := chromedp.NewContext(shared.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 800} {
			for i, l := range letters() {
				name := fmt.Sprintf("mail-%s-%s-%d", l.name, scheme, width)
				v := view{t: t, ctx: ctx, name: name, width: width}
				v.open(fmt.Sprintf("%s/%d", pages, i), scheme)
				v.judge(l.buttons)
				v.keep()
			}
		}
	}
	for path := range asked() {
		if !regexp.MustCompile(`^/(\d+|favicon\.ico)$`).MatchString(path) {
			t.Errorf("a mail asked for %s", path)
		}
	}
}

// serveMails serves the HTML of mails at /0, /1 and so on. asked returns all paths that
// were asked for.
func serveMails(t *testing.T, mails [][]byte) (url string, asked func() map[string]bool) {
	t.Helper()
	var bodies []string
	for i, m := range mails {
		_, parts := parse(t, m)
		body := parts[1].text
		// Whoever loads something learns that the mail is being read.
		if remote := regexp.MustCompile(`(?i)\bsrc\s*=|srcset|background\s*=|url\(|@import|<link|<script|<iframe|<form`).FindString(body); remote != "" {
			t.Errorf("mail %d has a %s", i, remote)
		}
		bodies = append(bodies, body)
	}
	var mu sync.Mutex
	paths := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths[r.URL.Path] = true
		mu.Unlock()
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= len(bodies) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(bodies[i])) // a browser that is gone is noticed by the test
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, func() map[string]bool {
		mu.Lock()
		defer mu.Unlock()
		return paths
	}
}

// view is a mail as it is seen.
type view struct {
	t     *testing.T
	ctx   context.Context
	name  string
	width int64
}

// open shows a mail at its full height.
func (v view) open(url, scheme string) {
	v.t.Helper()
	v.do(
		chromedp.EmulateViewport(v.width, 600, chromedp.EmulateScale(2)),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}),
		chromedp.Navigate(url),
	)
	height := eval[int64](v, "document.scrollingElement.scrollHeight")
	v.do(chromedp.EmulateViewport(v.width, height, chromedp.EmulateScale(2)))
}

// judge checks what can be measured.
func (v view) judge(buttons int) {
	v.t.Helper()
	var found struct {
		Faults   []string
		Texts    int
		Buttons  int
		Contrast float64
	}
	text := eval[string](v, looksJS)
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		v.t.Fatal(err)
	}
	if len(found.Faults) > 0 {
		v.t.Errorf("%s:\n%s", v.name, strings.Join(found.Faults, "\n"))
	}
	if found.Texts < 3 || found.Buttons != buttons {
		v.t.Errorf("%s: %d texts and %d buttons were looked at", v.name, found.Texts, found.Buttons)
	}
	v.t.Logf("%s: the least contrast is %.2f", v.name, found.Contrast)
}

// keep keeps a screenshot if there is a place for it.
func (v view) keep() {
	v.t.Helper()
	dir := os.Getenv(shotsVar)
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		v.t.Fatalf("%s: screenshot: %v", v.name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, v.name+".png"), png, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// do runs actions with a deadline.
func (v view) do(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		v.t.Fatalf("%s: %v", v.name, err)
	}
}

// eval evaluates an expression in the page.
func eval[T any](v view, expression string) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		v.t.Fatalf("%s: %v", v.name, err)
	}
	return value
}
