package planner_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/notifier/planner"
	"tidings/shared/natsx"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// clock is a clock that stands until it is told to go on.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	wake chan struct{}
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), wake: make(chan struct{}, 16)}
}

// Now returns the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pass lets time pass.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	for range cap(c.wake) {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// in returns the time after some time.
func (c *clock) in(d time.Duration) time.Time { return c.Now().Add(d) }

// open returns a planner with a clock of the test.
func open(t testing.TB, conn *natsx.Conn, c *clock) (*planner.Planner, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	p, err := planner.Open(t.Context(), conn, testkit.Space(t), planner.Config{
		Now: c.Now, Wake: c.wake, Log: testkit.Log(t), Registerer: reg, Concurrency: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, reg
}

// fired is what was fired.
type fired struct {
	mu    sync.Mutex
	order []string
	times map[string]int
	last  planner.Entry
	fail  func(planner.Entry, int) error // what firing returns, by how often it was
}

func (f *fired) fire(_ context.Context, e planner.Entry) error {
	f.mu.Lock()
	if f.times == nil {
		f.times = map[string]int{}
	}
	f.order, f.last = append(f.order, e.Key), e
	f.times[e.Key]++
	n, fail := f.times[e.Key], f.fail
	f.mu.Unlock()
	if fail != nil {
		return fail(e, n)
	}
	return nil
}

// keys returns how many different entries were fired, and total how often in all.
func (f *fired) keys() (keys, total int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.times), len(f.order)
}

func (f *fired) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.times[key]
}

// start runs a planner and returns how to stop it.
func start(t testing.TB, p *planner.Planner, fire planner.Fire) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, fire) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	testkit.Eventually(t, "the planner to be healthy", func() bool { return p.Check(t.Context()) == nil })
	return stop
}

// plan plans an entry of a kind of the test.
func plan(t *testing.T, p *planner.Planner, key string, due time.Time) {
	t.Helper()
	if err := p.Plan(t.Context(), planner.Entry{Key: key, Due: due, Kind: "test", Body: json.RawMessage(`{"k":"` + key + `"}`)}); err != nil {
		t.Fatal(err)
	}
}

// stored returns how many messages the schedule has, -1 if nobody knows.
func stored(t testing.TB, conn *natsx.Conn) int {
	t.Helper()
	s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(planner.Name))
	if err != nil {
		return -1
	}
	return int(s.CachedInfo().State.Msgs)
}

// value returns the sum of a metric.
func value(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "tidings_planner_"+name {
			continue
		}
		m := f.GetMetric()[0]
		switch {
		case m.GetCounter() != nil:
			return m.GetCounter().GetValue()
		case m.GetGauge() != nil:
			return m.GetGauge().GetValue()
		}
		return float64(m.GetHistogram().GetSampleCount())
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
