package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// PerTopic is the limit of events per topic the homes must be made with.
const PerTopic = 50

// Home is a fresh, empty log with the means to trouble it.
type Home struct {
	Log stream.Log
	// Stop makes the store go away, Start brings it back with what it held.
	Stop, Start func()
	// Recreate replaces the log by an empty one of another epoch.
	Recreate func()
}

// Run runs the suite. open returns a new Home each time.
func Run(t *testing.T, open func(t *testing.T) Home) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Home)
	}{
		{"append acknowledges positions in order", appendOrder},
		{"a key stores once", appendKey},
		{"a key stores once under contention", appendKeyContention},
		{"attributes survive", roundTrip},
		{"follow sees past and present in order", followAll},
		{"follow goes on after a position", followAfter},
		{"follow keeps the order of many writers", followWriters},
		{"follow heals and misses nothing", followHeals},
		{"follow tells of a new epoch", followEpoch},
		{"away means unavailable, not lost", away},
		{"range pages", rangePages},
		{"range selects by pattern", rangePattern},
		{"range finds the last ones", rangeLast},
		{"range tells what is gone", rangeGone},
		{"range knows another epoch", rangeEpoch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func ops() subject.Topic { return subject.Room("ops") }

func put(t *testing.T, l stream.Log, topic subject.Topic, n int) stream.Ack {
	t.Helper()
	ack, err := l.Append(t.Context(), event.Event{Topic: topic, Type: "n", Data: strconv.AppendInt(nil, int64(n), 10)}, "")
	if err != nil {
		t.Fatalf("append %d: %v", n, err)
	}
	return ack
}

func appendOrder(t *testing.T, h Home) {
	for n := range 3 {
		x, err := h.Log.Epoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ack := put(t, h.Log, ops(), n)
		if want := (event.Cursor{Epoch: x.Epoch, Seq: x.Last + 1}); ack.Cursor != want || ack.Duplicate {
			t.Fatalf("ack = %+v, want %v", ack, want)
		}
	}
}

func appendKey(t *testing.T, h Home) {
	ev := event.Event{Topic: ops(), Type: "n", Data: []byte("1")}
	first, err := h.Log.Append(t.Context(), ev, "k")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Log.Append(t.Context(), ev, "k")
	if err != nil || !again.Duplicate || again.Cursor != first.Cursor {
		t.Fatalf("second append = %+v, %v; want a duplicate of %v", again, err, first.Cursor)
	}
	if x, _ := h.Log.Epoch(t.Context()); x.Messages != 1 {
		t.Fatalf("%d messages stored, want 1", x.Messages)
	}
}

func appendKeyContention(t *testing.T, h Home) {
	var wg sync.WaitGroup
	acks := make([]stream.Ack, 16)
	for i := range acks {
		wg.Go(func() {
			ack, err := h.Log.Append(t.Context(), event.Event{Topic: ops(), Type: "n", Data: []byte("1")}, "k")
			if err != nil {
				t.Errorf("append: %v", err)
			}
			acks[i] = ack
		})
	}
	wg.Wait()
	firsts := 0
	for _, a := range acks {
		if !a.Duplicate {
			firsts++
		}
		if a.Cursor != acks[0].Cursor {
			t.Errorf("positions differ: %v and %v", a.Cursor, acks[0].Cursor)
		}
	}
	if firsts != 1 {
		t.Errorf("%d appends stored, want 1", firsts)
	}
}

func roundTrip(t *testing.T, h Home) {
	want := event.Event{
		Topic: subject.User("ann@example.com"), Type: "order.paid", ID: "o-1", Source: "shop/ö",
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC), ContentType: "text/plain", Data: []byte("paid\n"),
	}
	if _, err := h.Log.Append(t.Context(), want, ""); err != nil {
		t.Fatal(err)
	}
	p, err := h.Log.Range(t.Context(), stream.Query{Pattern: subject.Pattern(want.Topic)})
	if err != nil || len(p.Entries) != 1 {
		t.Fatalf("range = %d entries, %v", len(p.Entries), err)
	}
	got := p.Entries[0].Event
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func followAll(t *testing.T, h Home) {
	put(t, h.Log, ops(), 0)
	put(t, h.Log, ops(), 1)
	f := follow(t, h.Log, event.Cursor{})
	f.want(t, 0, 1)
	put(t, h.Log, ops(), 2)
	f.want(t, 0, 1, 2)
	if got := len(f.epochs()); got != 1 {
		t.Errorf("the epoch was told %d times, want once", got)
	}
}

func followAfter(t *testing.T, h Home) {
	put(t, h.Log, ops(), 0)
	at := put(t, h.Log, ops(), 1).Cursor
	put(t, h.Log, ops(), 2)
	f := follow(t, h.Log, at)
	f.want(t, 2)
	if got := f.epochs()[0]; got != at {
		t.Errorf("following began after %v, want %v", got, at)
	}
}

func followWriters(t *testing.T, h Home) {
	f := follow(t, h.Log, event.Cursor{})
	const writers, each = 8, PerTopic
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				put(t, h.Log, subject.Room("w", strconv.Itoa(w)), n)
			}
		})
	}
	wg.Wait()
	f.until(t, writers*each)
	next := map[subject.Topic]int{}
	for _, e := range f.entries() {
		if n, _ := strconv.Atoi(string(e.Event.Data)); n != next[e.Event.Topic] {
			t.Fatalf("%s: got %d, want %d", e.Event.Topic, n, next[e.Event.Topic])
		}
		next[e.Event.Topic]++
	}
	if !slices.IsSortedFunc(f.entries(), func(a, b stream.Entry) int { return int(a.Seq) - int(b.Seq) }) {
		t.Error("entries are out of stream order")
	}
}

func followHeals(t *testing.T, h Home) {
	f := follow(t, h.Log, event.Cursor{})
	put(t, h.Log, ops(), 0)
	f.want(t, 0)
	h.Stop()
	f.wantHealth(t, false)
	h.Start()
	put(t, h.Log, ops(), 1)
	f.want(t, 0, 1)
	f.wantHealth(t, true)
	if got := f.epochs(); len(got) != 1 {
		t.Errorf("a restart changed the epoch: %v", got)
	}
}

func followEpoch(t *testing.T, h Home) {
	f := follow(t, h.Log, event.Cursor{})
	put(t, h.Log, ops(), 0)
	f.want(t, 0)
	h.Recreate()
	put(t, h.Log, ops(), 1)
	f.want(t, 0, 1)
	got := f.epochs()
	if len(got) != 2 || got[0].Epoch == got[1].Epoch || got[1].Seq != 0 {
		t.Errorf("epochs = %v, want two different ones, the second from its start", got)
	}
}

func away(t *testing.T, h Home) {
	put(t, h.Log, ops(), 0)
	h.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := h.Log.Append(ctx, event.Event{Topic: ops(), Type: "n", Data: []byte("1")}, ""); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append: %v, want ErrUnavailable", err)
	}
	if _, err := h.Log.Range(ctx, stream.Query{Pattern: subject.Pattern(ops())}); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("range: %v, want ErrUnavailable", err)
	}
	if _, err := h.Log.Epoch(ctx); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("epoch: %v, want ErrUnavailable", err)
	}
	h.Start()
	wantRange(t, h.Log, stream.Query{Pattern: subject.Pattern(ops())}, 0)
}
