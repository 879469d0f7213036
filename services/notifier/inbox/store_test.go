package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/services/notifier/inbox"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/testkit"
)

// TestBound puts more items than an inbox keeps.
func TestBound(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s := open(t, conn, limits(200))
	var last int64
	for n := range 250 {
		at, fresh, err := s.Put(t.Context(), ann, note(n), false)
		if err != nil || !fresh || at <= last {
			t.Fatalf("item %d: number %d after %d, fresh %v, %v", n, at, last, fresh, err)
		}
		last = at
	}
	change(t, s, ann, inbox.Op{Unread: []string{"n249", "n60"}, Archived: []string{"n50", "n51"}})
	in := read(t, s, ann)
	if len(in.Items) != 200 || in.Items[0].ID != "n50" || in.Items[199].ID != "n249" {
		t.Errorf("%d items, from %s to %s", len(in.Items), in.Items[0].ID, in.Items[len(in.Items)-1].ID)
	}
	v, err := s.View(t.Context(), ann)
	if err != nil || v.Unread != 198 || v.Unseen != 198 {
		t.Errorf("%d unread, %d unseen, %v", v.Unread, v.Unseen, err)
	}
	put(t, s, ann, note(250)) // pushes n50 out
	if v = change(t, s, ann, inbox.Op{SeenAll: true}); len(v.State.Archived) != 1 || v.Unseen != 0 || v.Unread != 199 {
		t.Errorf("after one more: %+v", v.State)
	}
	// What fell out is passed over next to what did not, and an error alone.
	v = change(t, s, ann, inbox.Op{Read: []string{"n1", "n100"}})
	if !slices.Equal(v.Missing, []string{"n1"}) || v.Unread != 198 {
		t.Errorf("missing %v, %d unread", v.Missing, v.Unread)
	}
	_, err = s.Change(t.Context(), ann, inbox.Op{Read: []string{"n1", "n2"}})
	if u := (*inbox.UnknownError)(nil); !errors.Is(err, inbox.ErrUnknown) || !errors.As(err, &u) || len(u.IDs) != 2 {
		t.Errorf("unknown ids: %v", err)
	}
}

// TestPut stores the same item again.
func TestPut(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s := open(t, conn, limits(200))
	n1, n2 := put(t, s, ann, note(1)), put(t, s, ann, note(2))
	for _, c := range []struct {
		name      string
		item      inbox.Item
		again     bool
		want      int64
		fresh     bool
		wantError error
	}{
		{"the last", note(2), false, n2, false, nil},
		{"an older one", note(1), true, n1, false, nil},
		{"expired", inbox.Item{ID: "late", Expires: time.Now().Add(-time.Second)}, false, 0, false, nil},
		{"without an id", inbox.Item{}, false, 0, false, inbox.ErrItem},
		{"too large", inbox.Item{ID: "large", Body: strings.Repeat("x", inbox.MaxItem)}, false, 0, false, inbox.ErrItem},
		{"broken data", inbox.Item{ID: "broken", Data: json.RawMessage("{")}, false, 0, false, inbox.ErrItem},
	} {
		n, fresh, err := s.Put(t.Context(), ann, c.item, c.again)
		if n != c.want || fresh != c.fresh || !errors.Is(err, c.wantError) {
			t.Errorf("%s: %d %v %v", c.name, n, fresh, err)
		}
	}
	if _, _, err := s.Put(t.Context(), "", note(1), false); !errors.Is(err, inbox.ErrUser) {
		t.Errorf("nobody: %v", err)
	}
	if in := read(t, s, ann); len(in.Items) != 2 {
		t.Errorf("%d items", len(in.Items))
	}
	if in := read(t, s, "bob"); len(in.Items) != 0 || in.State.Rev != 0 || in.State.Read == nil {
		t.Errorf("nobody's inbox is %+v", in)
	}
}

// TestMarkAll is one message, whatever the inbox holds, and none if it changes nothing.
func TestMarkAll(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s, l := open(t, conn, limits(200)), openLog(t, conn)
	b := openTab(t, l, s, ann, 200)
	for n := range 100 {
		put(t, s, ann, note(n))
	}
	items := lastSeq(t, conn, stream.NameInbox)
	v := change(t, s, ann, inbox.Op{ReadAll: true, SeenAll: true})
	if v.Unread != 0 || v.Unseen != 0 || len(v.State.Read)+len(v.State.Unread) != 0 {
		t.Errorf("after mark-all: %+v", v.State)
	}
	change(t, s, ann, inbox.Op{ReadAll: true, SeenAll: true})
	change(t, s, ann, inbox.Op{Read: []string{"n7"}, Seen: 1})
	if got := lastSeq(t, conn, stream.NameInboxState); got != 1 {
		t.Errorf("%d states were stored", got)
	}
	if got := lastSeq(t, conn, stream.NameInbox); got != items {
		t.Errorf("%d items were stored by marking", got-items)
	}
	put(t, s, ann, note(100))
	in := read(t, s, ann)
	testkit.Eventually(t, "the tab to catch up", func() bool { return b.has(in) })
	if v := b.view(time.Now()); v.Unread != 1 || v.Unseen != 1 || b.states != 1 {
		t.Errorf("the tab sees %d unread, %d unseen after %d states", v.Unread, v.Unseen, b.states)
	}
}

// TestStorm has many change and fill one inbox at once. Nothing is lost.
func TestStorm(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	const many, each = 16, 6
	var stores []*inbox.Store
	for range 4 {
		stores = append(stores, open(t, testkit.Connect(t, conn.Embedded().ClientURL()), limits(200)))
	}
	for n := range many * each {
		put(t, stores[0], ann, note(n))
	}
	var wg sync.WaitGroup
	var fresh atomic.Int64
	for k := range many {
		wg.Go(func() {
			s := stores[k%len(stores)]
			for j := range each {
				if _, err := s.Change(t.Context(), ann, inbox.Op{Read: []string{note(k*each + j).ID}}); err != nil {
					t.Errorf("change: %v", err)
				}
				// Every item is put by four at once.
				_, isFresh, err := s.Put(t.Context(), ann, note(1000+k/4*each+j), true)
				if err != nil {
					t.Errorf("put: %v", err)
				}
				if isFresh {
					fresh.Add(1)
				}
			}
		})
	}
	wg.Wait()
	in := read(t, stores[0], ann)
	v := inbox.Fold(in.Items, in.State, time.Now())
	if want := many / 4 * each; len(in.Items) != many*each+want || v.Unread != want || fresh.Load() != int64(want) {
		t.Errorf("%d items, %d unread, %d were fresh; want %d more than %d", len(in.Items), v.Unread, fresh.Load(), want, many*each)
	}
	if !slices.IsSortedFunc(in.Items, func(a, b inbox.Item) int { return int(a.N - b.N) }) {
		t.Error("the numbers are out of order")
	}
}

// TestSnooze puts an item to sleep with a clock of its own.
func TestSnooze(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	var clock atomic.Int64
	clock.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	lim := limits(200)
	lim.Now = func() time.Time { return time.UnixMicro(clock.Load()) }
	s := open(t, conn, lim)
	n := put(t, s, ann, note(1))
	put(t, s, ann, note(2))
	change(t, s, ann, inbox.Op{Read: []string{"n1"}, Archived: []string{"n1"}})
	until := lim.Now().Add(time.Hour)
	v := change(t, s, ann, inbox.Op{Snoozed: []inbox.Sleep{{ID: "n1", Until: until}}})
	if len(v.Snoozed) != 1 || v.Snoozed[0].N != n || !v.Snoozed[0].Until.Equal(until) || v.Unread != 1 {
		t.Errorf("asleep: %+v", v)
	}
	v = change(t, s, ann, inbox.Op{ReadAll: true})
	if got := v.Page(inbox.Query{Filter: inbox.FilterSnoozed}).Entries; len(got) != 1 || got[0].Read || got[0].Archived || !got[0].SnoozedUntil.Equal(until) {
		t.Errorf("mark-all reads what sleeps: %+v", got)
	}
	states := lastSeq(t, conn, stream.NameInboxState)
	if err := s.Wake(t.Context(), ann, n); err != nil || lastSeq(t, conn, stream.NameInboxState) != states {
		t.Errorf("woken too early: %v", err)
	}
	clock.Add(time.Hour.Microseconds())
	if v, err := s.View(t.Context(), ann); err != nil || v.Unread != 1 {
		t.Errorf("awake without being woken: %d unread, %v", v.Unread, err)
	}
	for range 2 {
		if err := s.Wake(t.Context(), ann, n); err != nil {
			t.Error(err)
		}
	}
	if got := lastSeq(t, conn, stream.NameInboxState); got != states+1 {
		t.Errorf("waking stored %d states", got-states)
	}
	if in := read(t, s, ann); len(in.State.Snoozed) != 0 {
		t.Errorf("after waking: %+v", in.State)
	}
	for ahead, field := range map[time.Duration]string{inbox.MaxSleep: "", inbox.MaxSleep + time.Second: "snoozed", 50 * inbox.MaxSleep: "snoozed"} {
		_, err := s.Change(t.Context(), ann, inbox.Op{ReadAll: true, Snoozed: []inbox.Sleep{{ID: "n2", Until: lim.Now().Add(ahead)}}})
		e := (*inbox.OpError)(nil)
		if errors.As(err, &e) != (field != "") || e != nil && e.Field != field {
			t.Errorf("asleep for %v: %v", ahead, err)
		}
	}
	change(t, s, ann, inbox.Op{Read: []string{"n2"}})
	var sleeps []inbox.Sleep
	for k := range inbox.MaxSnoozed + 1 {
		put(t, s, ann, note(10+k))
		sleeps = append(sleeps, inbox.Sleep{ID: note(10 + k).ID, Until: lim.Now().Add(time.Hour)})
	}
	if _, err := s.Change(t.Context(), ann, inbox.Op{Snoozed: sleeps}); !errors.Is(err, inbox.ErrSnoozed) {
		t.Errorf("too many sleepers: %v", err)
	}
	if v := change(t, s, ann, inbox.Op{Snoozed: sleeps[1:]}); len(v.Snoozed) != inbox.MaxSnoozed {
		t.Errorf("%d sleep", len(v.Snoozed))
	}
}

// TestExpiry lets an item expire, and one that replaces others.
func TestExpiry(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	// The clock stands still, so that it doesn't matter how long it takes to put them.
	var clock atomic.Int64
	clock.Store(time.Now().UnixMicro())
	lim := limits(200)
	lim.Now = func() time.Time { return time.UnixMicro(clock.Load()) }
	s, l := open(t, conn, lim), openLog(t, conn)
	soon, later := lim.Now().Add(1500*time.Millisecond), lim.Now().Add(time.Hour)
	for user, expires := range map[string]time.Time{ann: soon, "bob": later} {
		put(t, s, user, inbox.Item{ID: "a", Collapse: "c"})
		put(t, s, user, inbox.Item{ID: "b", Collapse: "c", Expires: expires})
		put(t, s, user, inbox.Item{ID: "c", Expires: expires})
		put(t, s, user, inbox.Item{ID: "d"})
		put(t, s, user, inbox.Item{ID: "e", Expires: expires})
	}
	in := read(t, s, "bob")
	for at, want := range map[time.Time]int{later.Add(-time.Microsecond): 4, later: 1} {
		if v := inbox.Fold(in.Items, in.State, at); v.Unread != want {
			t.Errorf("at %v: %d unread, want %d", at, v.Unread, want)
		}
	}
	testkit.Eventually(t, "two items to go away", func() bool { return len(read(t, s, ann).Items) == 3 })
	testkit.Eventually(t, "them to go out of the log", func() bool {
		p, err := l.Range(t.Context(), stream.Query{Pattern: "user.>"})
		return err == nil && len(p.Entries) == 3+5
	})
	clock.Store(soon.UnixMicro())
	if v, err := s.View(t.Context(), ann); err != nil || v.Unread != 1 || v.Entries[0].ID != "d" {
		t.Errorf("%+v, %v", v, err)
	}
	n, fresh, err := s.Put(t.Context(), ann, note(1), false) // the last one is gone
	if in = read(t, s, ann); err != nil || !fresh || n <= in.Items[2].N || len(in.Items) != 4 {
		t.Errorf("put after an expired one: %d %v %v", n, fresh, err)
	}
}

// TestErase removes one inbox and leaves the others.
func TestErase(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s := open(t, conn, limits(200))
	for _, user := range []string{ann, "bob"} {
		put(t, s, user, note(1))
		change(t, s, user, inbox.Op{ReadAll: true})
	}
	before := read(t, s, ann)
	if err := s.Erase(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	if in := read(t, s, ann); len(in.Items) != 0 || in.State.Rev != 0 {
		t.Errorf("erased: %+v", in)
	}
	if in := read(t, s, "bob"); len(in.Items) != 1 || in.State.Rev == 0 {
		t.Errorf("another's: %+v", in)
	}
	put(t, s, ann, note(1))
	change(t, s, ann, inbox.Op{ReadAll: true})
	if in := read(t, s, ann); in.Items[0].N <= before.Items[0].N || in.State.Rev <= before.State.Rev {
		t.Errorf("numbers go on at %+v after %+v", in, before)
	}
}

// TestForeign has somebody else store things where inboxes are.
func TestForeign(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s := open(t, conn, limits(200))
	put(t, s, "bob", note(1))
	for _, data := range []string{"", "x", `{"n":-1,"id":"a"}`, `{"n":1e300,"id":"a"}`, `{"n":5}`, `{"rev":-1}`, `{"read":[2,1]}`, `null`} {
		for _, subj := range []string{testkit.Space(t).InboxItems("bob"), testkit.Space(t).InboxState("bob")} {
			if _, err := conn.JS.Publish(t.Context(), subj, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		if in := read(t, s, "bob"); len(in.Items) != 1 {
			t.Errorf("%q: %+v", data, in)
		}
	}
	put(t, s, "bob", note(2))
	if v := change(t, s, "bob", inbox.Op{ReadAll: true}); v.Unread != 0 || len(v.Entries) != 2 {
		t.Errorf("%+v", v)
	}
	if in := read(t, s, "bob"); len(in.Items) != 2 || in.State.Rev == 0 {
		t.Errorf("%+v", in)
	}
}

// TestGone deletes the streams, again and again, and stops NATS.
func TestGone(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s := open(t, conn, limits(200))
	for range 20 {
		put(t, s, ann, note(1))
		for _, name := range []string{stream.NameInbox, stream.NameInboxState} {
			if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(name)); err != nil {
				t.Fatal(err)
			}
		}
		if in, err := s.Read(t.Context(), ann); err != nil || len(in.Items) != 0 {
			t.Errorf("read: %+v %v", in, err)
		}
	}
	put(t, s, ann, note(1))
	change(t, s, ann, inbox.Op{ReadAll: true})
	conn.Embedded().Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := s.Put(ctx, ann, note(2), false)
	_, err2 := s.Change(ctx, ann, inbox.Op{SeenAll: true})
	if !errors.Is(err, natsx.ErrAway) || !errors.Is(err2, natsx.ErrAway) {
		t.Errorf("NATS is away: %v, %v", err, err2)
	}
	if _, err := inbox.Open(t.Context(), conn, testkit.Space(t), limits(inbox.MaxPerUser+1)); err == nil {
		t.Error("a large inbox was opened")
	}
}

// TestRun stores ticks that are no events.
func TestRun(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	lim := limits(200)
	lim.EventsAge = 4 * time.Second // a tick each second
	lim.Log = testkit.Log(t)
	s, l := open(t, conn, lim), openLog(t, conn)
	b := openTab(t, l, s, ann, 200)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	testkit.Eventually(t, "two ticks of each", func() bool { return lastSeq(t, conn, stream.Name) >= 4 })
	put(t, s, ann, note(1))
	testkit.Eventually(t, "an event after them", func() bool { return b.times("n1") == 1 })
	if p, err := l.Range(t.Context(), stream.Query{Pattern: ">"}); err != nil || len(p.Entries) != 1 {
		t.Errorf("%d events, %v", len(p.Entries), err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, testkit.NATS(b), limits(200))
	for n := 0; b.Loop(); n++ {
		if _, _, err := s.Put(b.Context(), ann, note(n), false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads full inboxes.
func BenchmarkRead(b *testing.B) {
	s := open(b, testkit.NATS(b), limits(200))
	for n := range 200 {
		put(b, s, ann, note(n))
	}
	change(b, s, ann, inbox.Op{Read: []string{"n7"}})
	for b.Loop() {
		if in, err := s.Read(b.Context(), ann); err != nil || len(in.Items) != 200 {
			b.Fatal(err)
		}
	}
}

// BenchmarkChange marks one of 200 items.
func BenchmarkChange(b *testing.B) {
	s := open(b, testkit.NATS(b), limits(200))
	for n := range 200 {
		put(b, s, ann, note(n))
	}
	for n := 0; b.Loop(); n++ {
		op := inbox.Op{Read: []string{"n7"}}
		if n%2 == 1 {
			op = inbox.Op{Unread: op.Read}
		}
		change(b, s, ann, op)
	}
}

// BenchmarkFold folds a full inbox with many exceptions.
func BenchmarkFold(b *testing.B) {
	var items []inbox.Item
	var state inbox.State
	for n := range 200 {
		items = append(items, inbox.Item{N: int64(n + 1), ID: fmt.Sprint(n)})
		if n%2 == 0 {
			state.Read = append(state.Read, int64(n+1))
		}
	}
	now := time.Now()
	for b.Loop() {
		inbox.Fold(items, state, now)
	}
}
