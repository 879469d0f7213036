package edge_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/services/edge"
)

// TestChangeWhileBehind adds a topic to a stream that is still reading thousands of
// events from far behind the tail: of the new topic come the events after the cursor
// that the answer names, among the others and in order.
func TestChangeWhileBehind(t *testing.T) {
	t.Parallel()
	const count = 3000
	a, b := pair(t, func(c *edge.Config) { c.TailBytes = 64 << 10 })
	from := a.position()
	a.flood("room.much", count, 200)
	a.flood("room.late", 5, 0)
	tok := token(t, time.Hour)
	everyLive(t, a, b, func(t *testing.T, _ way, open func(tok, query string) live) {
		l := open(tok, "topics=room.much&cursor="+from)
		for i := range count {
			if _, e := l.nextEvent(); !strings.HasPrefix(string(e.Data), fmt.Sprintf(`"%d x`, i)) {
				t.Fatalf("event %d is %.100s", i, e.Data)
			}
			if i == 10 {
				if status, p := l.change(tok, `{"add":["room.late"]}`); status != http.StatusOK {
					t.Fatalf("change: %d %v", status, p)
				}
				a.as(t).put("room.late", 5, 6)
			}
		}
		// The streams run at once: others add events, too, and ours was the last of its
		// number.
		for number := "0"; number != "5"; {
			kind, e := l.nextEvent()
			if number = string(e.Data); e.Topic != "room.late" {
				t.Fatalf("got %s %s:%s", kind, e.Topic, e.Data)
			}
		}
	})
}

// nextEvent returns the next ordinary event.
func (l *live) nextEvent() (string, envelope) {
	for {
		if kind, e := l.next(); !strings.HasPrefix(kind, "tidings.") {
			return kind, e
		}
	}
}

// TestChangeWhileStalled adds a topic to a stream whose client does not read. Where
// nobody waits for the socket it is done at once; else the caller is told to try again,
// and either way nothing is lost that was promised.
func TestChangeWhileStalled(t *testing.T) {
	t.Parallel()
	for _, sink := range []string{"raw", ordinarySink} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			const count = 500
			n := start(t)
			s := way{node: n}.dialOver(n.narrow, "topics=room.much")
			s.until("tidings.live")
			other := way{node: n}.dial("topics=room.much")
			n.flood("room.much", count, 12_000)
			other.numbers(count) // so all of it is on its way to the stalled one, too
			tok := token(t, time.Hour)
			status, p := n.call("POST", "/v1/connections/"+s.hello.Conn+"/topics", tok, `{"add":["room.late"]}`)
			if status != http.StatusOK && (sink == "raw" || status != http.StatusGatewayTimeout || p["code"] != "timeout") {
				t.Errorf("change: %d %v", status, p)
			}
			n.put("room.late", 0, 1)
			if status != http.StatusOK {
				return
			}
			for i := range count {
				if o := s.until("message"); !strings.HasPrefix(string(o.Data), fmt.Sprintf(`"%d x`, i)) {
					t.Fatalf("event %d is %.100s", i, o.text)
				}
			}
			if got := s.numbers(1); got[0] != "room.late:0" {
				t.Errorf("got %v", got)
			}
		})
	}
}
