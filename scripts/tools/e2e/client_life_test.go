package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// TestClientRestart publishes without a pause while the edge is killed, started,
// stopped and started again on its port and its data. By each way to the server the
// page must end with every event, once and in order.
func TestClientRestart(t *testing.T) {
	t.Parallel()
	for _, via := range []string{"sse", "ws", "poll"} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			const killed, all = 150, 520
			topics := []string{"room.a", "room.b"}
			f := newFront(t, time.Hour)
			p := newPage(t)
			p.expectRestart()
			p.expect(`WebSocket connection to|status of 503`) // the latter for a poll, which has no goodbye
			f.visit(p, fmt.Sprintf(`{"transports":[%q],"share":false}`, via), topics...)
			p.alive(via)

			o := f.pour(1, all, topics...)
			o.until(killed)
			f.tidings.kill()
			p.until("the end of the stream", `rt.status.get().state !== "live"`)
			f.tidings.start()
			p.alive(via)
			o.until(int(o.reached.Load()) + 50)
			stopped := o.reached.Load()
			f.tidings.terminate()
			f.tidings.gone()
			p.until("the end of the next stream", `rt.status.get().state !== "live"`)
			f.tidings.start()
			p.alive(via)
			o.until(all)
			p.exactly(all, topics...)
			p.noGaps()
			t.Logf("%d events; killed after %d, stopped after %d; the states were %s", all, killed, stopped, eval[string](p, `states.map((s) => s.state).join(" ")`))
		})
	}
}

// TestClientHeldBack puts proxies between that a stream does not get through. The
// client must find its way in time, hear events by it, and take it at once when the
// page is loaded again.
func TestClientHeldBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		sse, ws manner
		via     string
		within  time.Duration
	}{
		{"a body that is held back", holds, passes, "ws", 8 * time.Second},
		{"an answer that is held back", mutes, passes, "ws", 8 * time.Second},
		{"and WebSockets refused", holds, refuses, "poll", 12 * time.Second},
		{"and WebSockets without an answer", mutes, mutes, "poll", 16 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, time.Hour)
			f.sse.Store(int32(tt.sse))
			f.ws.Store(int32(tt.ws))
			p := newPage(t)
			f.visit(p, `{}`, "room.a")
			p.alive(tt.via)
			took := `Math.round(states.find((s) => s.state === "live").at - states.find((s) => s.state === "connecting").at)`
			first := time.Duration(eval[int](p, took)) * time.Millisecond
			if first > tt.within {
				t.Errorf("it took %v, want at most %v", first, tt.within)
			}
			f.tidings.mustPublish(counted(1, "room.a"))
			p.exactly(1, "room.a")

			streams, sockets := f.requests("/v1/events"), f.requests("/v1/ws")
			p.reload()
			p.alive(tt.via)
			again := time.Duration(eval[int](p, took)) * time.Millisecond
			if n := f.requests("/v1/events") - streams; n != 0 {
				t.Errorf("the page tried %d streams again", n)
			}
			if n := f.requests("/v1/ws") - sockets; n != 0 && tt.via == "poll" {
				t.Errorf("the page tried %d WebSockets again", n)
			}
			f.tidings.mustPublish(counted(2, "room.a"))
			p.exactly(2, "room.a")
			p.noGaps()
			t.Logf("%s after %v, and %v when loaded again", tt.via, first, again)
		})
	}
}

// TestClientRenewal gives tokens that live for seconds. A stream goes on past the end
// of its token, without a word to the page and without another connection.
func TestClientRenewal(t *testing.T) {
	t.Parallel()
	for _, via := range []string{"sse", "ws"} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			const lifetime, all = 6 * time.Second, 620
			f := newFront(t, lifetime)
			p := newPage(t)
			f.visit(p, fmt.Sprintf(`{"transports":[%q]}`, via), "room.a")
			p.alive(via)
			begun := time.Now()
			f.pour(1, all, "room.a").until(all)
			p.exactly(all, "room.a")
			p.noGaps()
			lived := time.Since(begun)
			if lived < 2*lifetime {
				t.Errorf("the stream was watched for %v, which is not two lives of a token", lived)
			}
			if n := eval[int](p, `states.filter((s) => s.state === "live").length`); n != 1 {
				t.Errorf("the page was told %d times that it is live, want once", n)
			}
			if n := f.tidings.metric(`tidings_edge_connects_total{result="fresh"}`); n != 1 {
				t.Errorf("the page connected %v times, want once", n)
			}
			t.Logf("one stream for %v with %d tokens of %v", lived.Round(time.Millisecond), f.tokens.Load(), lifetime)
		})
	}
}

// TestClientBackForward leaves the page and comes back. Whether the browser kept it
// or loads it again, it ends with every event, once and in order, and while it is
// away it has no connection.
func TestClientBackForward(t *testing.T) {
	t.Parallel()
	for _, share := range []string{`"auto"`, `"locks"`, `false`} {
		t.Run(share, func(t *testing.T) {
			t.Parallel()
			const left, all = 50, 200
			f := newFront(t, time.Hour)
			p := newPage(t)
			f.visit(p, `{"share":`+share+`}`, "room.a")
			p.alive("")
			o := f.pour(1, all, "room.a")
			o.until(left)
			p.visit(f.URL + "/away.html")
			f.tidings.connected(0)
			o.until(int(o.reached.Load()) + left)
			eval[bool](p, `(history.back(), true)`)
			p.until("the page", `window.rt`)
			p.alive("")
			p.exactly(all, "room.a")
			p.noGaps()
			f.tidings.connected(1)
			t.Logf("share %s: kept by the browser: %v (why not: %s); loaded again with %d events", share, eval[bool](p, "shown.includes(true)"),
				eval[string](p, `JSON.stringify(performance.getEntriesByType("navigation")[0].notRestoredReasons?.reasons ?? [])`), eval[int](p, "resumed"))
		})
	}
}
