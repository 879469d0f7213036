package e2e_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"
)

const (
	// asleep is how long the machine sleeps: clocks jump by more than a tick of the client.
	asleep = 11 * time.Second
	// atOnce is how soon after waking everything that was missed must be there. It takes
	// a fraction of a second; the rest is for loaded machines.
	atOnce = 5 * time.Second
)

// TestClientSleep stops a whole browser for some seconds, as a closed lid does, and
// breaks its connections meanwhile: one proxy hangs up, another forgets them without
// a word. Awake again the pages catch up at once and miss nothing.
func TestClientSleep(t *testing.T) {
	t.Parallel()
	path, err := findChromium()
	if err != nil {
		t.Fatal(err)
	}
	browser, stop, err := startBrowser(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	const before, all = 50, 650
	hungUp, forgotten := newFront(t, time.Hour, "TIDINGS_HEARTBEAT=1s"), newFront(t, time.Hour, "TIDINGS_HEARTBEAT=1s")
	fronts := []*front{hungUp, forgotten}
	pours, missed := map[*front]*pouring{}, map[*front]int64{}
	pages := map[*page]*front{}
	for _, f := range fronts {
		for _, share := range []string{`"auto"`, `false`} {
			p := open(t, browser, chromedp.WithNewBrowserContext())
			p.expectCuts()
			f.visit(p, `{"share":`+share+`}`, "room.a")
			p.alive("sse")
			pages[p] = f
		}
		pours[f] = f.pour(1, all, "room.a")
	}
	for _, f := range fronts {
		pours[f].until(before)
	}
	wake := freeze(t, browser)
	slept := time.Now()
	hungUp.wires.cut()
	forgotten.wires.forget()
	poll(func() bool { return time.Since(slept) >= asleep }, nil)
	wake()
	woken := time.Now()
	for f, o := range pours {
		missed[f] = o.reached.Load()
	}
	for p, f := range pages {
		if f == hungUp { // what a machine with a network says when it wakes
			eval[bool](p, `dispatchEvent(new Event("online"))`)
		}
	}
	for p, f := range pages {
		p.until("what was missed", fmt.Sprintf(`got.some((e) => e[1] === %d)`, missed[f]))
		took := time.Since(woken)
		if took > atOnce {
			t.Errorf("the page had everything %v after waking, want at most %v", took, atOnce)
		}
		t.Logf("%s, forgotten: %v: everything within %v of waking, up to event %d", eval[string](p, `new URLSearchParams(location.search).get("options")`), f == forgotten, took.Round(time.Millisecond), missed[f])
	}
	for p, f := range pages {
		pours[f].until(all)
		p.exactly(all, "room.a")
		p.noGaps()
	}
}

// freeze stops all processes of a browser and returns what lets them go on, which
// also happens when the test ends.
func freeze(t *testing.T, browser context.Context) func() {
	t.Helper()
	info, err := chromedp.CallBrowser(browser, systeminfo.GetProcessInfo, cdp.Empty{})
	if err != nil {
		t.Fatalf("ask for a browser's processes: %v", err)
	}
	signal := func(s syscall.Signal) {
		for _, p := range info.ProcessInfo {
			// One that has ended meanwhile needs no signal.
			_ = syscall.Kill(int(p.ID), s)
		}
	}
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}
