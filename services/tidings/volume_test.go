package main_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// The tests of this file are not parallel and run the program without the race
// detector: their figures are worth reading.

// TestReplay: 100,000 missed events come on one connection without a disconnect, each
// once and in order, of many rooms and of one, from memory and from the stream.
func TestReplay(t *testing.T) {
	const rooms, all = 200, 100_000
	nats := startNATS(t)
	keep := []string{"--events-per-topic", strconv.Itoa(all), "--events-bytes", "4GiB"}
	ample := upPlain(t, nats, append(keep, "edge", "--tail-bytes", "256MiB")...)
	short := upPlain(t, nats, append(keep, "edge", "--tail-bytes", "1MiB")...)
	nc := connect(t, nats.url())
	began := time.Now()
	first := replayStart(t, ample)
	flood(t, nc, all, func(i int) (string, []byte) {
		return "tidings.ev.room.many." + strconv.Itoa(i%rooms), strconv.AppendInt(nil, int64(i), 10)
	})
	second := replayStart(t, ample)
	flood(t, nc, all, func(i int) (string, []byte) {
		return "tidings.ev.room.one", strconv.AppendInt(nil, int64(i), 10)
	})
	t.Logf("published %d events in %v", 2*all, time.Since(began))
	for _, n := range []*node{ample, short} {
		n.untilFollowed(2 * all)
	}
	for _, c := range []struct {
		name, topics, cursor string
		node                 *node
	}{
		{"200 rooms, from memory", "room.many.>", first, ample},
		{"200 rooms, from the stream", "room.many.>", first, short},
		{"one room, from memory", "room.one", second, ample},
		{"one room, from the stream", "room.one", second, short},
	} {
		before := c.node.metric("tidings_edge_range_reads_total")
		began := time.Now()
		replayed(t, c.name, c.node, c.topics, c.cursor, all)
		t.Logf("%s: %d events in %.2f s with %.0f reads of the stream; the edge has %s",
			c.name, all, time.Since(began).Seconds(), c.node.metric("tidings_edge_range_reads_total")-before, c.node.memory())
	}
}

// replayStart returns the cursor of a reader that is up to date and leaves.
func replayStart(t *testing.T, n *node) string {
	t.Helper()
	s, err := open(t.Context(), n.url, token(t), "room.none", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	return awaiter(t, s)("tidings.live").id
}

// replayed reads one stream from a cursor to its tidings.live and checks that 0 …
// count-1 came.
func replayed(t *testing.T, name string, n *node, topics, cursor string, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	s, err := open(ctx, n.url, token(t), topics, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	inOrder(t, name, s, count)
	if b, err := s.next(); err != nil || b.kind != "tidings.live" {
		t.Errorf("%s: after the last event: %+v %v, want tidings.live", name, b, err)
	}
}

// inOrder reads ordinary events 0 … count-1 and nothing that tells of a loss.
func inOrder(t *testing.T, name string, s *stream, count int) {
	t.Helper()
	for want := 0; want < count; {
		b, err := s.next()
		switch {
		case err != nil:
			t.Fatalf("%s: the stream ended after %d events: %v", name, want, err)
		case b.kind == "", b.kind == "tidings.hello":
		case strings.HasPrefix(b.kind, "tidings."):
			t.Fatalf("%s: after %d events: %s %s", name, want, b.kind, b.data)
		default:
			if got := number(b.data); got != want {
				t.Fatalf("%s: event %d is number %d: lost, doubled or out of order", name, want, got)
			}
			want++
		}
	}
}

// TestStalledReaders: the sockets of some readers take nothing while 60,000 events of
// 1 KB go by, more than the tail holds. They lose nothing, and the edge's memory
// stays what the tail costs: 64 MiB of frames, and as much again before they are
// collected.
func TestStalledReaders(t *testing.T) {
	const readers, all, size, bound = 20, 60_000, 1 << 10, (64 + 200) << 20
	nats := startNATS(t)
	edge := upPlain(t, nats, "edge", "--events-per-topic", strconv.Itoa(all))
	ctx, cancel := context.WithTimeout(t.Context(), 4*testkit.Patience)
	defer cancel()
	stalled := make([]*stream, readers)
	for i := range stalled {
		s, err := open(ctx, edge.url, token(t), "room.big", "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		awaiter(t, s)("tidings.live")
		stalled[i] = s
	}
	// From here on nothing is read.
	before := edge.memory()
	pad := strings.Repeat("x", size-20)
	began := time.Now()
	flood(t, connect(t, nats.url()), all, func(i int) (string, []byte) {
		return "tidings.ev.room.big", fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, pad)
	})
	edge.untilFollowed(all)
	took := time.Since(began)
	sent := edge.metric("tidings_edge_delivered_events_total")
	if sent >= readers*all/2 {
		t.Errorf("%.0f events were sent: the readers were not stalled", sent)
	}
	after := edge.memory()
	t.Logf("%d events of %d bytes in %.1f s, %.0f sent into each of %d stalled sockets; the edge had %s before, has %s after",
		all, size, took.Seconds(), sent/readers, readers, before, after)
	if after.known && after.peak > bound {
		t.Errorf("the edge had %d bytes at its peak, want %d at most", after.peak, bound)
	}
	began = time.Now()
	for i, s := range stalled[:3] { // one after the other: the last was stalled longest
		inOrder(t, fmt.Sprintf("stalled reader %d", i), s, all)
	}
	after = edge.memory()
	t.Logf("then 3 readers had all in %.1f s with %.0f reads of the stream; the edge has %s",
		time.Since(began).Seconds(), edge.metric("tidings_edge_range_reads_total"), after)
	if after.known && after.peak > bound {
		t.Errorf("the edge had %d bytes at its peak, want %d at most", after.peak, bound)
	}
}

// untilFollowed waits until the edge has taken so many events from the log.
func (n *node) untilFollowed(count float64) {
	n.t.Helper()
	testkit.Eventually(n.t, "the edge to have followed the log", func() bool {
		return n.metric("tidings_edge_followed_events_total") >= count
	})
}

// memory is what a process has resident, in bytes.
type memory struct {
	now, peak int
	known     bool // only Linux tells
}

// memory asks the system.
func (n *node) memory() memory {
	n.t.Helper()
	if runtime.GOOS != "linux" {
		return memory{}
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(n.cmd.Process.Pid) + "/status")
	if err != nil {
		n.t.Fatal(err)
	}
	field := func(name string) int {
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == name+":" && f[2] == "kB" {
				kb, err := strconv.Atoi(f[1])
				if err != nil {
					n.t.Fatal(err)
				}
				return kb << 10
			}
		}
		n.t.Fatalf("no %s in the process's status", name)
		return 0
	}
	return memory{now: field("VmRSS"), peak: field("VmHWM"), known: true}
}

// String implements fmt.Stringer.
func (m memory) String() string {
	if !m.known {
		return "unknown memory"
	}
	return fmt.Sprintf("%d MiB of memory (peak %d)", m.now>>20, m.peak>>20)
}
