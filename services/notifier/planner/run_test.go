package planner_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/notifier/planner"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

// TestMissed plans while nobody runs: all is fired at the start, in order.
func TestMissed(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, err := planner.Open(t.Context(), conn, testkit.Space(t), planner.Config{Now: c.Now, Wake: c.wake, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	const count = 500
	var want []string
	for i := range count {
		key := fmt.Sprint(i * 7919 % count) // in any order
		plan(t, p, key, c.in(time.Duration(i*7919%count)*time.Second))
		want = append(want, fmt.Sprint(i))
	}
	plan(t, p, "later", c.in(time.Hour))
	c.pass(count * time.Second)
	var f fired
	stop := start(t, p, f.fire)
	testkit.Eventually(t, "all of them", func() bool { return stored(t, conn) == 1 })
	stop()
	if !slices.Equal(f.order, want) {
		t.Errorf("%d were fired, in another order", len(f.order))
	}
	c.pass(time.Hour)
	p, _ = open(t, conn, c)
	start(t, p, f.fire)
	testkit.Eventually(t, "the last one", func() bool { return f.count("later") == 1 })
}

// TestReal uses the clock on the wall.
func TestReal(t *testing.T) {
	t.Parallel()
	p, err := planner.Open(t.Context(), testkit.NATS(t), testkit.Space(t), planner.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var f fired
	start(t, p, f.fire)
	due := time.Now().Add(300 * time.Millisecond)
	plan(t, p, "soon", due)
	testkit.Eventually(t, "it to be fired", func() bool { return f.count("soon") == 1 })
	if time.Now().Before(due) {
		t.Error("it came too early")
	}
}

// TestTwo runs two planners: everything is fired, and hardly anything twice.
func TestTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		count   int
		backlog bool
	}{{"one after the other", 120, false}, {"a backlog", 2000, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := testkit.NATS(t)
			second, err := natsx.Open(t.Context(), natsx.Config{URL: conn.Embedded().ClientURL()}, testkit.Log(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(second.Close)
			a, b := newClock(), newClock()
			p1, _ := open(t, conn, a)
			p2, _ := open(t, second, b)
			var f fired
			if !c.backlog {
				start(t, p1, f.fire)
				start(t, p2, f.fire)
			}
			for i := range c.count {
				plan(t, p1, fmt.Sprint(i), a.in(time.Duration(i)*time.Second))
			}
			if c.backlog {
				a.pass(time.Hour)
				b.pass(time.Hour)
				start(t, p1, f.fire)
				start(t, p2, f.fire)
			}
			for i := 0; i < c.count && !c.backlog; i++ {
				testkit.Eventually(t, "the next one", func() bool { return f.count(fmt.Sprint(i)) > 0 })
				a.pass(time.Second)
				b.pass(time.Second)
			}
			testkit.Eventually(t, "all to be fired", func() bool { return stored(t, conn) == 0 })
			keys, total := f.keys()
			t.Logf("%d entries were fired %d times", keys, total)
			if keys != c.count || total > c.count+c.count/10+20 {
				t.Errorf("%d entries were fired %d times", keys, total)
			}
		})
	}
}

// TestReplan has firing plan the same key anew, as a recurring notification does.
func TestReplan(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, reg := open(t, conn, c)
	var f fired
	start(t, p, func(ctx context.Context, e planner.Entry) error {
		_ = f.fire(ctx, e)
		e.Due = e.Due.Add(time.Hour)
		return p.Plan(ctx, e)
	})
	plan(t, p, "hourly", c.in(time.Hour))
	for i := range 10 {
		c.pass(time.Hour)
		testkit.Eventually(t, "the next time", func() bool { return f.count("hourly") == i+1 })
	}
	if n := stored(t, conn); n != 1 || value(t, reg, "doubled_total") != 0 {
		t.Errorf("%d are planned, %v were doubled", n, value(t, reg, "doubled_total"))
	}
}

// TestRestart restarts NATS while entries are planned and fired.
func TestRestart(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	var f fired
	start(t, p, f.fire)
	const rounds, each = 3, 60
	n := 0
	for range rounds {
		for range each {
			plan(t, p, fmt.Sprint(n), c.in(time.Minute))
			n++
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.pass(time.Minute) })
		conn.Embedded().Stop()
		if err := conn.Embedded().Start(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		testkit.Eventually(t, "the connection", func() bool { return conn.Connected() && stored(t, conn) >= 0 })
	}
	testkit.Eventually(t, "all to be fired", func() bool { keys, _ := f.keys(); return keys == n && stored(t, conn) == 0 })
	if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(planner.Name)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a new stream", func() bool {
		return p.Plan(t.Context(), planner.Entry{Key: "new", Due: c.Now(), Kind: "test"}) == nil
	})
	testkit.Eventually(t, "one of a new stream", func() bool { return f.count("new") == 1 })
}

// TestCluster plans and fires with three replicas, loses a leader, and fires what was
// stored a moment ago.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := natsxtest.RunCluster(t, 3)
	conn, err := natsx.Open(t.Context(), natsx.Config{URL: cluster.URL()}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	var p *planner.Planner
	testkit.Eventually(t, "the stream", func() bool {
		p, err = planner.Open(t.Context(), conn, testkit.Space(t), planner.Config{Replicas: 3, Log: testkit.Log(t)})
		return err == nil
	})
	var f fired
	start(t, p, f.fire)
	const count = 100
	for i := range 2 * count {
		if i == count {
			s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(planner.Name))
			if err != nil {
				t.Fatal(err)
			}
			leader := s.CachedInfo().Cluster.Leader
			cluster.Stop(leader)
			defer cluster.Start(leader)
		}
		testkit.Eventually(t, "an entry to be planned", func() bool {
			return p.Plan(t.Context(), planner.Entry{Key: fmt.Sprint(i), Due: time.Now(), Kind: "test"}) == nil
		})
	}
	testkit.Eventually(t, "all to be fired", func() bool { keys, _ := f.keys(); return keys == 2*count && stored(t, conn) == 0 })
	if _, total := f.keys(); total > 2*count+20 {
		t.Errorf("%d entries were fired %d times", 2*count, total)
	}
}

// TestMany reads more than fits a pull, and lists and cancels among them.
func TestMany(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, reg := open(t, conn, c)
	const count = 5000
	fill(t, conn, c.in(time.Hour), count)
	var f fired
	start(t, p, f.fire)
	testkit.Eventually(t, "all to be known", func() bool { return value(t, reg, "pending") == count })
	if list, _, err := p.List(t.Context(), "n77"); err != nil || len(list) != 10 {
		t.Errorf("%d entries, %v", len(list), err)
	}
	if n, err := p.CancelAll(t.Context(), "n77"); err != nil || n != 10 {
		t.Errorf("canceled %d, %v", n, err)
	}
	c.pass(time.Hour)
	testkit.Eventually(t, "all to be fired", func() bool { return stored(t, conn) == 0 })
	if keys, total := f.keys(); keys != count-10 || total != keys {
		t.Errorf("%d entries were fired %d times", keys, total)
	}
}

// fill plans entries, ten per notification, faster than Plan does.
func fill(t testing.TB, conn *natsx.Conn, due time.Time, count int) {
	t.Helper()
	for i := range count {
		key := fmt.Sprint("k", i)
		m := &nats.Msg{
			Subject: testkit.Space(t).Plan(key, "user", fmt.Sprint("n", i/10)),
			Data:    fmt.Appendf(nil, `{"key":%q,"due":%q,"kind":"test"}`, key, due.Format(time.RFC3339Nano)),
			Header:  nats.Header{"Tidings-Due": {strconv.FormatInt(due.UnixMicro(), 10)}},
		}
		if err := conn.NC.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			testkit.Eventually(t, "them to be stored", func() bool { return stored(t, conn) == i+1 })
		}
	}
}

// BenchmarkStart reads a schedule of 100,000 entries, and tells how long that takes, and
// how long finding those of a notification does.
func BenchmarkStart(b *testing.B) {
	c, conn := newClock(), testkit.NATS(b)
	const count = 100_000
	open(b, conn, c) // makes the stream
	fill(b, conn, c.in(time.Hour), count)
	var listed, canceled time.Duration
	for b.Loop() {
		b.StopTimer()
		p, reg := open(b, conn, c)
		b.StartTimer()
		stop := start(b, p, new(fired).fire)
		testkit.Eventually(b, "all to be known", func() bool { return value(b, reg, "pending") == count })
		b.StopTimer()
		began := time.Now()
		if _, _, err := p.List(b.Context(), "n777"); err != nil {
			b.Fatal(err)
		}
		listed = time.Since(began)
		began = time.Now()
		if _, err := p.CancelAll(b.Context(), "none"); err != nil {
			b.Fatal(err)
		}
		canceled = time.Since(began)
		stop()
		b.StartTimer()
	}
	b.ReportMetric(listed.Seconds(), "s/list")
	b.ReportMetric(canceled.Seconds(), "s/cancel")
}
