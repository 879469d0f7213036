package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// TestTheThread is the production shape as processes: an external NATS, two edges
// and a producer. What one process publishes reaches readers on both edges; readers
// change edges all the time and lose nothing; one edge is killed, one is told to go.
func TestTheThread(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	a := up(t, nats, "edge", "--node", "a")
	b := up(t, nats, "edge", "--node", "b")
	producer := up(t, nats, "producer", "--nats-monitor", "http://"+address(nats.monitor))
	events := newFeed(t, producer.url, "room.a", "room.b")

	onA := read(t, "room.a,room.b", a.url).untilLive()
	onB := read(t, "room.a,room.b", b.url).untilLive()
	wanderer := read(t, "room.a,room.b", a.url, b.url).untilLive()
	published := time.Now()
	events.publish(1)
	acked := time.Since(published)
	for name, r := range map[string]*reader{"a": onA, "b": onB} {
		r.untilCount(1)
		t.Logf("edge %s: an event was acknowledged after %v and arrived %v after it was posted", name, acked, r.times[0].Sub(published))
	}

	// 2,000 events while the wanderer changes edges after every hundred it sees.
	const all, leg = 2000, 100
	wait := events.start(all)
	for n := leg; n < all; n += leg {
		wanderer.untilCount(n)
		wanderer.cut()
		if n == all/2 { // what it was just asked to store is asked again, with the same ids
			producer.kill()
			producer.start()
		}
	}
	wait()
	for name, r := range map[string]*reader{"a": onA, "b": onB, "the wanderer": wanderer} {
		r.untilCount(all)
		r.wantAll(name, all)
	}
	wanderer.mu.Lock()
	if wanderer.hellos < all/leg {
		t.Errorf("the wanderer opened %d streams, want %d at least", wanderer.hellos, all/leg)
	}
	wanderer.mu.Unlock()

	// The edge dies; its readers go to the other one with the same cursor. Then it
	// comes back, and who only knows it goes on there.
	moved := readFrom(t, onA.cursor(), "room.a,room.b", a.url, b.url).untilLive()
	a.kill()
	events.publish(all + 100)
	moved.untilCount(100)
	wanderer.untilCount(all + 100)
	wanderer.wantAll("the wanderer, after the kill", all+100)
	a.start()
	onA.untilCount(all + 100)
	onA.wantAll("a, after its restart", all+100)

	// Told to go, the edge tells its readers first.
	began := time.Now()
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the edge took %v to stop with a drain time of 1 s", took)
	}
	onB.until("a bye", func() bool { return len(onB.byes) > 0 })
	onB.mu.Lock()
	defer onB.mu.Unlock()
	if first := onB.byes[0]; first.Code != "draining" || !first.Return {
		t.Errorf("bye: %+v", first)
	}
}

// TestStartTogether: processes that start at the same moment on an empty NATS agree
// on one log.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	nodes := make([]*node, 4)
	for i := range nodes {
		nodes[i] = newNode(t, nats, "edge", "producer")
		nodes[i].launch()
	}
	epochs := map[string]bool{}
	readers := make([]*reader, len(nodes))
	for i, n := range nodes {
		n.serving()
		readers[i] = read(t, "room.a", n.url).untilLive()
		epochs[position(t, readers[i].cursor()).Epoch] = true
	}
	if len(epochs) != 1 {
		t.Errorf("epochs: %v, want one", epochs)
	}
	newFeed(t, nodes[0].url, "room.a").publish(20)
	for i, r := range readers {
		r.untilCount(20)
		r.wantAll(fmt.Sprintf("node %d", i), 20)
	}
}

// TestFigures: the producer publishes what the machine and the external NATS do.
func TestFigures(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	edge := up(t, nats, "edge", "producer", "console", "--nats-monitor", "http://"+address(nats.monitor))
	for topics, kind := range map[string]string{"room.host.*": "host.metrics", "room.nats": "nats.metrics"} {
		s, err := open(t.Context(), edge.url, token(t), topics, "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		timer := time.AfterFunc(testkit.Patience, s.cancel)
		defer timer.Stop()
		var e struct{ Data map[string]any }
		for e.Data["in_msgs_per_s"] == nil && e.Data["mem_total"] == nil {
			block, err := s.next()
			if err != nil {
				t.Fatalf("%s: %v; last %v", topics, err, e.Data)
			}
			if block.kind == kind {
				if err := json.Unmarshal([]byte(block.data), &e); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("%s: %v", topics, e.Data)
	}
	if code, body := get(t, edge.url+"/"); code != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("console: %d", code)
	}
}
