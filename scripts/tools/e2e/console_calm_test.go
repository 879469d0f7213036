package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

const (
	// watched is how long a live view is looked at, in milliseconds: several polls.
	watched = 4_000
	// perSecond events are published in parcels, for flooded milliseconds.
	perSecond, parcel = 1_000, 50
	flooded           = 8_000
	// longTask is what browsers call long, in milliseconds: a person notices.
	longTask = 50
)

// watch makes the page note layout shifts that no input caused, and tasks that kept
// it busy.
const watch = `(() => {
	window.shifts = [];
	window.tasks = [];
	new PerformanceObserver((list) => {
		for (const e of list.getEntries()) if (!e.hadRecentInput) shifts.push([e.value, ...e.sources.map((s) => (s.node?.className || s.node?.nodeName) + " " + JSON.stringify([s.previousRect, s.currentRect]))].join(" "));
	}).observe({ type: "layout-shift" });
	new PerformanceObserver((list) => {
		for (const e of list.getEntries()) tasks.push(Math.round(e.duration));
	}).observe({ type: "longtask" });
	window.since = performance.now();
	return true;
})()`

// TestConsoleCalm looks at each view while events come, topics appear and connections
// come and go: nothing may move by itself, not by a pixel, wide and on a phone.
func TestConsoleCalm(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	tidings.crowd()
	for _, width := range []int64{1280, 390} {
		for _, view := range []string{"", "connections", "topics", "events", "streams", "try"} {
			p := newPage(t)
			p.size(width, 800, 1)
			p.view(tidings, view)
			p.until("something to see", `document.querySelector(".members tbody tr, .grid tbody tr, .line, .step") && !document.querySelector(".bone")`)
			p.until("all of that painted", `(window.painted ??= (requestAnimationFrame(() => requestAnimationFrame(() => (window.painted = 2))), 1)) === 2`)
			eval[bool](p, watch)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- tidings.stir(ctx) }()
			for i := range 3 {
				tidings.listen(fmt.Sprintf("passer-by-%d", i), "user,room.stirred.*").leave()
			}
			p.until("a while", fmt.Sprintf(`performance.now() - since > %d`, watched))
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if shifts := eval[[]string](p, "shifts"); len(shifts) > 0 {
				t.Errorf("%d pixels, %q: the layout shifted:\n\t%s", width, view, strings.Join(shifts, "\n\t"))
			}
		}
	}
}

// stir publishes to topics that are there and to new ones until it is told to stop.
func (p *process) stir(ctx context.Context) error {
	tick := time.NewTicker(5 * look)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := p.publish(ctx, counted(n, "room.shop.orders", "room.support", fmt.Sprintf("room.stirred.%d", n/20), fmt.Sprintf("room.new-%d", n/20)))
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// TestConsoleFlood shows a tail at a thousand events a second: no task may need the
// page's thread for as long as a person would notice, and all events must be counted.
// What counts is the processor's time, of which the browser keeps a trace: on a busy
// machine a page waits for its turn too, which is printed beside it.
func TestConsoleFlood(t *testing.T) {
	tidings := begin(t)
	p := newPage(t)
	p.live(tidings, "topics=room.flood")
	eval[bool](p, watch)
	stop := p.trace()
	tidings.flood()
	p.until("all of them", fmt.Sprintf(`document.querySelector(".panel-foot .seen b").textContent.replace(",", "") >= %d`, perSecond*flooded/1000))
	seconds := eval[float64](p, "(performance.now() - since) / 1000")
	tasks := stop()
	slices.SortFunc(tasks, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	if len(tasks) < flooded/100 {
		t.Fatalf("the trace has %d tasks", len(tasks))
	}
	t.Logf("%d events in %.1f s; %d tasks, the longest %v of the processor; by the clock, longer than %d ms: %v",
		perSecond*flooded/1000, seconds, len(tasks), tasks[:5], longTask, eval[[]int](p, "tasks"))
	if tasks[0] >= longTask*time.Millisecond {
		t.Errorf("a task took %v", tasks[0])
	}
}

// trace begins to note the tasks of the browser's pages. What it returns ends that and
// returns the processor time of each.
func (p *page) trace() func() []time.Duration {
	p.t.Helper()
	var mu sync.Mutex
	var tasks []time.Duration
	done := make(chan struct{})
	hear := func(ev any) {
		switch ev := ev.(type) {
		case *tracing.EventDataCollected:
			mu.Lock()
			defer mu.Unlock()
			for _, v := range ev.Value {
				var e struct {
					Name string
					TDur int64 // in microseconds
				}
				if json.Unmarshal(v, &e) == nil && e.Name == "RunTask" {
					tasks = append(tasks, time.Duration(e.TDur)*time.Microsecond)
				}
			}
		case *tracing.EventTracingComplete:
			close(done)
		}
	}
	if err := chromedp.Listen(p.ctx, hear); err != nil {
		p.t.Fatal(err)
	}
	p.do("begin a trace", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		config := &tracing.TraceConfig{IncludedCategories: []string{"disabled-by-default-devtools.timeline"}, ExcludedCategories: []string{"*"}}
		_, err := chromedp.Call(ctx, tracing.Start, tracing.StartParams{TraceConfig: config})
		return err
	}))
	return func() []time.Duration {
		p.t.Helper()
		p.do("end the trace", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, tracing.End, cdp.Empty{})
			return err
		}))
		select {
		case <-done:
		case <-time.After(patience):
			p.t.Fatal("the browser keeps its trace")
		}
		mu.Lock()
		defer mu.Unlock()
		return tasks
	}
}

// flood publishes events as fast as the constants say.
func (p *process) flood() {
	p.t.Helper()
	tick := time.NewTicker(parcel * time.Second / perSecond)
	defer tick.Stop()
	for n := 0; n < perSecond*flooded/1000; n += parcel {
		var events []string
		for i := range parcel {
			events = append(events, fmt.Sprintf(`{"topic":"room.flood","type":"count","data":{"n":%d}}`, n+i))
		}
		p.mustPublish("[" + strings.Join(events, ",") + "]")
		<-tick.C
	}
}
