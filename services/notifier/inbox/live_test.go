package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/services/notifier/inbox"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/stream"
	"tidings/shared/testkit"
)

// TestTabs has two devices with three tabs each do a thousand things to one inbox at
// once while items arrive and NATS restarts. Each tab folds what the events say, and all
// come to what the store says.
func TestTabs(t *testing.T) {
	t.Parallel()
	const keeps, operations, devices, tabs = 60, 1000, 2, 3
	conn := testkit.NATS(t)
	var all []*tab
	var stores []*inbox.Store
	for range devices {
		device := testkit.Connect(t, conn.Embedded().ClientURL())
		s := open(t, device, limits(keeps))
		stores = append(stores, s)
		l := openLog(t, device)
		for range tabs {
			all = append(all, openTab(t, l, s, ann, keeps))
		}
	}
	var made, done atomic.Int64
	var wg sync.WaitGroup
	for k := range all {
		r := rand.New(rand.NewPCG(7, uint64(k)))
		wg.Go(func() {
			for done.Add(1) <= operations {
				s := stores[k%devices]
				if r.IntN(4) == 0 {
					i := note(int(made.Add(1)))
					if r.IntN(4) == 0 {
						i.Collapse = fmt.Sprintf("c%d", r.IntN(3))
					}
					put(t, s, ann, i)
					continue
				}
				act(t, s, randomOp(r, int(made.Load())))
			}
		})
	}
	for k := range 2 {
		testkit.Eventually(t, "some operations", func() bool { return done.Load() > int64(operations*(k+1)/3) })
		conn.Embedded().Stop()
		if err := conn.Embedded().Start(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	in := read(t, stores[0], ann)
	if len(in.Items) != keeps {
		t.Errorf("%d items are kept of %d", len(in.Items), made.Load())
	}
	now := time.Now()
	want := inbox.Fold(in.Items, in.State, now)
	for k, b := range all {
		testkit.Eventually(t, "a tab to catch up", func() bool { return b.has(in) })
		if got := b.view(now); !reflect.DeepEqual(got, want) {
			t.Errorf("tab %d sees %d unread and %d unseen, want %d and %d", k, got.Unread, got.Unseen, want.Unread, want.Unseen)
		}
		for n := range made.Load() {
			if id := note(int(n + 1)).ID; b.times(id) != 1 {
				t.Errorf("tab %d: %s was an event %d times", k, id, b.times(id))
			}
		}
	}
	t.Logf("%d items, %d unread, %d unseen, rev %d", made.Load(), want.Unread, want.Unseen, in.State.Rev)
}

// act carries an operation out and repeats it while NATS is away.
func act(t *testing.T, s *inbox.Store, op inbox.Op) {
	t.Helper()
	testkit.Eventually(t, "an operation", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := s.Change(ctx, ann, op)
		return err == nil || errors.Is(err, inbox.ErrUnknown) || errors.Is(err, inbox.ErrSnoozed)
	})
}

// randomOp does one thing to some of the last items.
func randomOp(r *rand.Rand, made int) inbox.Op {
	ids := make([]string, 1+r.IntN(5))
	for k := range ids {
		ids[k] = note(max(1, made-r.IntN(80))).ID
	}
	switch r.IntN(12) {
	case 0:
		return inbox.Op{ReadAll: true}
	case 1:
		return inbox.Op{SeenAll: true}
	case 2:
		return inbox.Op{Seen: time.Now().Add(-time.Duration(r.IntN(500)) * time.Millisecond).UnixMicro()}
	case 3, 4, 5:
		return inbox.Op{Read: ids}
	case 6, 7:
		return inbox.Op{Unread: ids}
	case 8:
		return inbox.Op{Archived: ids}
	case 9:
		return inbox.Op{Unarchived: ids}
	case 10:
		return inbox.Op{Snoozed: []inbox.Sleep{{ID: ids[0], Until: time.Now().Add(time.Duration(r.IntN(7200)-1000) * time.Second)}}}
	default:
		return inbox.Op{Read: ids, Archived: ids[:1], SeenAll: true}
	}
}

// TestRestarts stores items while NATS restarts and while the event log is deleted. Each
// is an event in the end.
func TestRestarts(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	s, l := open(t, conn, limits(200)), openLog(t, conn)
	b := openTab(t, l, s, ann, 200)
	made := 0
	some := func() {
		for range 10 {
			made++
			put(t, s, ann, note(made))
		}
	}
	all := func(from int) {
		t.Helper()
		for n := from; n <= made; n++ {
			testkit.Eventually(t, "an item to be an event", func() bool { return b.times(note(n).ID) > 0 })
		}
	}
	some()
	for range 3 {
		conn.Embedded().Stop()
		if err := conn.Embedded().Start(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		some()
		all(1)
		t.Logf("%v after the restart all is there", time.Since(begun))
	}
	for n := 1; n <= made; n++ {
		if k := b.times(note(n).ID); k != 1 {
			t.Errorf("item %d was an event %d times", n, k)
		}
	}
	if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(stream.Name)); err != nil {
		t.Fatal(err)
	}
	begun, before := time.Now(), made
	some()
	all(before + 1)
	t.Logf("%v after the log was deleted all is there", time.Since(begun))
	testkit.Eventually(t, "the older ones to be events of the new log", func() bool { return b.times(note(1).ID) == 2 })
}

// TestCluster loses the servers that lead the streams.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := natsxtest.RunCluster(t, 3)
	conn := testkit.Connect(t, c.URL())
	lim := limits(200)
	lim.Replicas = 3
	var s *inbox.Store
	testkit.Eventually(t, "the streams", func() bool {
		var err error
		s, err = inbox.Open(t.Context(), conn, testkit.Space(t), lim)
		return err == nil
	})
	logLimits := testkit.Limits()
	logLimits.Replicas = 3
	var l *stream.NATS
	testkit.Eventually(t, "the log", func() bool {
		var err error
		l, err = stream.OpenNATS(t.Context(), conn, testkit.Space(t), logLimits, testkit.Log(t))
		return err == nil
	})
	b := openTab(t, l, s, ann, 200)
	made := 0
	for _, name := range []string{stream.Name, stream.NameInbox} {
		var leader string
		testkit.Eventually(t, "a leader", func() bool {
			leader = info(t, conn, name).Cluster.Leader
			return leader != ""
		})
		c.Stop(leader)
		begun := time.Now()
		for range 5 {
			made++
			put(t, s, ann, note(made))
			act(t, s, inbox.Op{Read: []string{note(made).ID}})
			// What was just stored is read, whatever replica answers.
			if in := read(t, s, ann); len(in.Items) != made || inbox.Fold(in.Items, in.State, time.Now()).Unread != 0 {
				t.Errorf("%d items and the state %+v after %d were put and read", len(in.Items), in.State, made)
			}
		}
		stored := time.Since(begun)
		c.Start(leader)
		// NATS asks a source again that lost its leader after 10 seconds, and if the
		// question is lost too then after 30 more.
		for deadline := time.After(4 * testkit.Patience); !b.has(read(t, s, ann)); {
			select {
			case <-deadline:
				t.Fatalf("without the leader of %s the tab did not catch up", name)
			case <-time.After(10 * time.Millisecond):
			}
		}
		t.Logf("without the leader of %s: stored after %v, events after %v", name, stored, time.Since(begun))
	}
	for n := 1; n <= made; n++ {
		if b.times(note(n).ID) == 0 {
			t.Errorf("item %d was no event", n)
		}
	}
}
