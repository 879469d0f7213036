package edge_test

import (
	"fmt"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestSocketHeartbeat: a heartbeat moves the cursor and asks for a sign of life.
func TestSocketHeartbeat(t *testing.T) {
	t.Parallel()
	const heartbeat = 300 * time.Millisecond
	everyWay(t, func(t *testing.T, w way) {
		began := time.Now()
		mute := w.dialAs(tokenOf(t, auth.Claims{User: w.name + "mute", TTL: time.Hour}), "topics=user")
		mute.mute = true
		s := w.dial("topics=user")
		s.until("tidings.live")
		first := s.at
		w.put(w.room(), 0, 3)
		for beats := 0; beats < 6 || s.at == first; beats++ {
			if o := s.next(); o.text != `{"cursor":"`+s.at+`"}` {
				t.Fatalf("got %s, want a heartbeat", o.text)
			}
		}
		for {
			if _, err := mute.read(); gone(err) {
				break
			} else if err != nil {
				t.Fatalf("the mute client is still there: %v", err)
			}
		}
		if d := time.Since(began); d < 3*heartbeat-100*time.Millisecond {
			t.Errorf("the mute client was cut after %v", d)
		}
		if a := s.do(`"do":"ping"`); !a.OK {
			t.Errorf("the other client got %s", a.text)
		}
	}, func(c *edge.Config) { c.Heartbeat = heartbeat })
}

// TestSameEventsEverywhere: whatever form the streams of a room have, they say the same.
func TestSameEventsEverywhere(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	r := subject.Room("same")
	var readers []func(int) []string
	for _, n := range []*node{a, b} {
		for _, encoding := range []string{"identity", "gzip"} {
			c := n.open("topics=room.same", "Accept-Encoding", encoding)
			c.gunzip()
			c.until("tidings.live")
			readers = append(readers, c.numbers)
		}
		for _, deflate := range []bool{false, true} {
			s := way{node: n, deflate: deflate}.dial("topics=room.same")
			s.until("tidings.live")
			readers = append(readers, s.numbers)
		}
	}
	const count = 300
	a.flood(r, count, 0)
	for i, numbers := range readers {
		same(t, fmt.Sprintf("reader %d", i), numbers(count), expected(r, 0, count))
	}
	testkit.Eventually(t, "every connection to be counted", func() bool {
		return a.count() == 4 && b.count() == 4
	})
}
