package inbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/services/notifier/inbox"
	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// ann is a person whose id has to be escaped.
const ann = "ann@example.com"

// limits are those of the tests, with an inbox that is soon full.
func limits(perUser int) inbox.Limits {
	l := inbox.DefaultLimits()
	l.PerUser, l.Bytes, l.StateBytes = perUser, 1<<30, 1<<30
	return l
}

// open returns a store behind a connection.
func open(t testing.TB, conn *natsx.Conn, l inbox.Limits) *inbox.Store {
	t.Helper()
	s, err := inbox.Open(t.Context(), conn, testkit.Space(t), l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openLog returns the event log behind a connection.
func openLog(t testing.TB, conn *natsx.Conn) *stream.NATS {
	t.Helper()
	l, err := stream.OpenNATS(t.Context(), conn, testkit.Space(t), testkit.Limits(), testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// note is an item with a number in its id.
func note(n int) inbox.Item {
	return inbox.Item{ID: fmt.Sprintf("n%d", n), Category: "orders", Title: fmt.Sprintf("Title %d", n)}
}

// put stores an item, again and again if it must.
func put(t testing.TB, s *inbox.Store, user string, i inbox.Item) int64 {
	t.Helper()
	var n int64
	testkit.Eventually(t, "an item to be stored", func() (ok bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var err error
		n, _, err = s.Put(ctx, user, i, true)
		return err == nil
	})
	return n
}

// change carries an operation out, again and again if it must.
func change(t testing.TB, s *inbox.Store, user string, op inbox.Op) inbox.View {
	t.Helper()
	v, err := s.Change(t.Context(), user, op)
	if err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
	return v
}

func read(t testing.TB, s *inbox.Store, user string) inbox.Inbox {
	t.Helper()
	var in inbox.Inbox
	testkit.Eventually(t, "an inbox to be read", func() (ok bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var err error
		in, err = s.Read(ctx, user)
		return err == nil
	})
	return in
}

// lastSeq returns how many messages a stream has ever stored.
func lastSeq(t testing.TB, conn *natsx.Conn, name string) uint64 {
	t.Helper()
	return info(t, conn, name).State.LastSeq
}

func info(t testing.TB, conn *natsx.Conn, name string) (i *jetstream.StreamInfo) {
	t.Helper()
	testkit.Eventually(t, "a stream to answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		s, err := conn.JS.Stream(ctx, testkit.Space(t).Stream(name))
		if err == nil {
			i = s.CachedInfo()
		}
		return err == nil
	})
	return i
}

// tab is a browser's tab: it reads the inbox once and then has only the events.
type tab struct {
	keeps int

	mu     sync.Mutex
	items  []inbox.Item
	state  inbox.State
	seen   map[string]int // how often the items of each id were events
	states int            // how many events were states
}

// openTab begins to follow a person's topic.
func openTab(t *testing.T, l *stream.NATS, s *inbox.Store, user string, keeps int) *tab {
	t.Helper()
	end, err := l.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := read(t, s, user)
	b := &tab{keeps: keeps, items: in.Items, state: in.State, seen: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Follow(ctx, event.Cursor{Epoch: end.Epoch, Seq: end.Last}, stream.Handler{ // ends with ctx
			Epoch: func(event.Cursor) {}, Health: func(uint64, error) {},
			Entry: func(e stream.Entry) { b.entry(t, e, user) },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// entry takes one event.
func (b *tab) entry(t *testing.T, e stream.Entry, user string) {
	if e.Event.Topic != subject.User(user) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Event.Type {
	case inbox.TypeItem:
		i, err := inbox.ParseItem(e.Event.Data)
		if err != nil || e.Event.ID != i.ID || e.Event.ContentType != "application/json" {
			t.Errorf("the event %+v: %v", e.Event, err)
		}
		b.seen[i.ID]++
		b.add(i)
	case inbox.TypeState:
		s, err := inbox.ParseState(e.Event.Data)
		if err != nil {
			t.Errorf("the event %+v: %v", e.Event, err)
		}
		b.states++
		if s.Rev > b.state.Rev {
			b.state = s
		}
	default:
		t.Errorf("the event %+v", e.Event)
	}
}

// add keeps an item and forgets the oldest if there are too many.
func (b *tab) add(i inbox.Item) {
	if slices.ContainsFunc(b.items, func(j inbox.Item) bool { return j.N == i.N }) {
		return
	}
	b.items = append(b.items, i)
	slices.SortFunc(b.items, func(a, c inbox.Item) int { return int(a.N - c.N) })
	if len(b.items) > b.keeps {
		b.items = b.items[len(b.items)-b.keeps:]
	}
}

// times returns how often an item was an event.
func (b *tab) times(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[id]
}

// has reports whether the tab knows as much as the store.
func (b *tab) has(in inbox.Inbox) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Rev == in.State.Rev && len(b.items) == len(in.Items) &&
		(len(in.Items) == 0 || b.items[len(b.items)-1].N == in.Items[len(in.Items)-1].N)
}

func (b *tab) view(now time.Time) inbox.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	return inbox.Fold(b.items, b.state, now)
}
