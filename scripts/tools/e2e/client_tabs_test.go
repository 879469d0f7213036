package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// tabCount is more tabs than HTTP/1.1 has connections to a server, which is six.
const tabCount = 7

// TestClientTabs opens seven tabs over HTTP/1.1. They have one connection together and
// topics of their own; the first of them, which leads where there is no worker, is
// closed while events come, and the others miss nothing and hear nothing twice.
func TestClientTabs(t *testing.T) {
	t.Parallel()
	for _, share := range []string{"worker", "locks"} {
		t.Run(share, func(t *testing.T) {
			t.Parallel()
			const closed, all = 120, 400
			f := newFront(t, time.Hour)
			around := newPage(t) // outlives the first tab
			topics := []string{"room.all"}
			var tabs []*page
			for i := range tabCount {
				own := fmt.Sprintf("room.tab-%d", i)
				p := around.beside(false)
				f.visit(p, fmt.Sprintf(`{"share":%q}`, share), topics[0], own)
				p.alive("sse")
				topics, tabs = append(topics, own), append(tabs, p)
			}
			f.tidings.connected(1)
			o := f.pour(1, all, topics...)
			o.until(closed)
			tabs[0].close()
			begun := time.Now()
			o.until(closed + len(topics))
			f.tidings.connected(1)
			settled := time.Since(begun)
			o.until(all)
			for i, p := range tabs[1:] {
				p.only(all, topics, topics[0], topics[i+2])
				p.noGaps()
			}
			f.tidings.connected(1)
			connects := f.requests("/v1/events")
			if share == "worker" && connects != 1 || connects > 2 {
				t.Errorf("there were %d connections, want one for each leader and one for a worker", connects)
			}
			t.Logf("%d tabs, %d events, %d connections made; one again within %v of the first tab's end", tabCount, all, connects, settled.Round(time.Millisecond))
		})
	}
}

// TestClientWithoutWorker opens tabs whose worker can't be had: a bundler left it
// behind, or the page takes scripts of named policies alone. They share all the same.
func TestClientWithoutWorker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, options, policy, says string }{
		{"left behind", `{"worker":"/assets/worker.js"}`, frontPolicy, `404|Failed to fetch a worker script`},
		{"not trusted", `{}`, strings.ReplaceAll(frontPolicy, "trusted-types tidings", "trusted-types 'none'"), `TrustedTypePolicy|TrustedScriptURL|[Tt]rusted`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, time.Hour)
			f.policy = tt.policy
			around := newPage(t)
			for range 3 {
				p := around.beside(false)
				p.expect(tt.says)
				f.visit(p, tt.options, "room.a")
				p.alive("sse")
			}
			f.tidings.connected(1)
		})
	}
}

// close closes the tab as a person does.
func (p *page) close() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	id := chromedp.FromContext(p.ctx).Target.TargetID
	if _, err := chromedp.CallBrowser(ctx, target.CloseTarget, target.CloseTargetParams{TargetID: id}); err != nil {
		p.t.Fatalf("close a tab: %v", err)
	}
}

// only fails unless the page got, of the numbers from 1 to last on topics in turn,
// those on its own topics, each once and in order, and nothing else.
func (p *page) only(last int, topics []string, own ...string) {
	p.t.Helper()
	var want []int
	for n := 1; n <= last; n++ {
		if slices.Contains(own, topics[n%len(topics)]) {
			want = append(want, n)
		}
	}
	p.until(fmt.Sprintf("event %d", want[len(want)-1]), fmt.Sprintf("got.some((e) => e[1] === %d)", want[len(want)-1]))
	var all []got
	if err := json.Unmarshal([]byte(eval[string](p, "JSON.stringify(got)")), &all); err != nil {
		p.t.Fatal(err)
	}
	var have []int
	for _, g := range all {
		have = append(have, g.n)
		if g.topic != topics[g.n%len(topics)] {
			p.t.Errorf("event %d came on %s", g.n, g.topic)
		}
	}
	if !slices.Equal(have, want) {
		p.t.Errorf("a tab with %v got %v, want %v", own, have, want)
	}
}
