package edge_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/event"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestChurn has clients with overlapping topics that stall, vanish and resume at
// random, over a tail that is far too small, on two edges, while several
// publishers write. Every client must end with every event of its topics, once and
// in order.
func TestChurn(t *testing.T) {
	t.Parallel()
	const rooms, each, clients = 6, 300, 40
	log, conn := testkit.EventLog(t, testkit.Limits())
	small := func(c *edge.Config) { c.TailBytes = 64 << 10 }
	nodes := []*node{
		startOn(t, log, conn, small),
		startOn(t, log, conn, small, func(c *edge.Config) { c.Node, c.Ordinary = "n2", true }),
	}
	x, err := log.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := event.Cursor{Epoch: x.Epoch, Seq: x.Last}.String()
	var wg sync.WaitGroup
	for r := range rooms {
		wg.Go(func() { nodes[0].put(subject.Room("r", strconv.Itoa(r)), 0, each) })
	}
	tok := token(t, time.Hour)
	for i := range clients {
		wg.Go(func() {
			topics := []string{"room.r.*", "room.r.0,room.>,room.r.1", "room.r." + strconv.Itoa(i%rooms), "room.r.1,room.r.2,room.r.*,user,all"}[i%4]
			w := wanderer{t: t, nodes: nodes, tok: tok, topics: topics, at: from, next: map[string]int{}}
			want := rooms * each
			if i%4 == 2 {
				want = each
			}
			w.run(rand.New(rand.NewPCG(uint64(i), 1)), want)
		})
	}
	wg.Wait()
}

// wanderer is a client that goes from edge to edge.
type wanderer struct {
	t                *testing.T
	nodes            []*node
	tok, topics, at  string
	next             map[string]int // topic → number expected next
	got, connections int
}

func (w *wanderer) run(r *rand.Rand, want int) {
	for w.got < want && !w.t.Failed() {
		w.connections++
		c := w.nodes[r.IntN(len(w.nodes))].openAs(w.tok, "topics="+w.topics+"&cursor="+w.at)
		for stay := 1 + r.IntN(want); stay > 0 && w.got < want; stay-- {
			b := c.next()
			if b.id != "" {
				w.at = b.id
			}
			if b.kind == "tidings.gap" || b.kind == "tidings.bye" {
				w.t.Errorf("%s: %+v", w.topics, b)
				return
			}
			if b.kind == "n" {
				w.take(b.event(w.t))
			}
		}
		c.close()
	}
}

func (w *wanderer) take(e envelope) {
	w.got++
	if want := w.next[e.Topic]; string(e.Data) != strconv.Itoa(want) {
		w.t.Errorf("%s on %s: got %s, want %d (connection %d)", e.Topic, w.topics, e.Data, want, w.connections)
	}
	w.next[e.Topic]++
}

// TestManyAtOnce has hundreds of connections on one room, of which some never read
// and some leave in the middle of a burst.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *edge.Config) { c.PerUser = 1000 })
	const conns, events = 300, 200
	var list []*client
	for range conns {
		list = append(list, n.open("topics=room.ops,user"))
	}
	for _, c := range list {
		c.until("tidings.live")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		body := strings.Repeat("x", 1000)
		for i := range events {
			if _, err := n.log.Append(t.Context(), event.Event{Topic: ops(), Type: "n", Data: fmt.Appendf(nil, `"%d %s"`, i, body)}, ""); err != nil {
				t.Errorf("append: %v", err)
			}
		}
	})
	for i, c := range list {
		wg.Go(func() {
			for k := range events {
				if i%10 == 0 && k == events/2 {
					c.close()
					return
				}
				if b := c.until("n"); !strings.HasPrefix(string(b.event(t).Data), fmt.Sprintf(`"%d `, k)) {
					t.Errorf("client %d: event %d is %.80s", i, k, b.data)
					return
				}
			}
		})
	}
	wg.Wait()
}
