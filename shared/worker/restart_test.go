package worker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// TestCrash has a worker die between the provider's yes and the storing of it: another
// sends the job again, with the same key and in doubt, or not at all if it must not be
// sent twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	server := natsxtest.Run(t, "jetstream: enabled")
	doomed, conn := connect(t, server.URL()), connect(t, server.URL())
	q, err := worker.Open(t.Context(), conn, testkit.Space(t), worker.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	var box outbox
	begun, release := make(chan struct{}, 2), make(chan struct{})
	cfg := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		box.add(a.Job.Key)
		begun <- struct{}{}
		<-release
		return worker.Outcome{}, nil
	})
	cfg.Concurrency, cfg.AckWait = 2, ackWait
	q1, err := worker.Open(t.Context(), doomed, testkit.Space(t), worker.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	run(t, q1, cfg)
	t.Cleanup(func() { close(release) })
	jobs := numbered(2)
	jobs[1].Once = true
	enqueue(t, q, jobs...)
	<-begun
	<-begun
	doomed.NC.Close() // as if the process had died: it can say nothing any more

	second := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		box.add(a.Job.Key)
		if !a.Unsure || a.Number != 2 {
			t.Errorf("attempt %d, unsure %v", a.Number, a.Unsure)
		}
		return worker.Outcome{}, nil
	})
	second.AckWait, second.Metrics = ackWait, worker.NewMetrics(reg)
	run(t, q, second)
	wantStates(t, q, "n.0", "queued sending 1 sending 2 sent 2")
	wantStates(t, q, "n.1", "queued sending 1 dead 1")
	if keys, most := box.counts(); keys != 2 || most != 2 {
		t.Errorf("%d keys, sent up to %d times", keys, most)
	}
	if n := value(t, reg, "unsure_total", ""); n != 2 {
		t.Errorf("%v attempts in doubt were counted", n)
	}
}

func connect(t *testing.T, url string) *natsx.Conn {
	t.Helper()
	conn, err := natsx.Open(t.Context(), natsx.Config{URL: url}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// TestRestart restarts NATS while jobs are being sent. Nothing is lost: what the attempts
// came to is stored when NATS is back. What is sent twice after all is counted.
func TestRestart(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	var box outbox
	var away atomic.Bool
	cfg := quick(func(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
		box.add(a.Job.Key)
		for away.Load() && ctx.Err() == nil { // a provider that answers while NATS is away
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
		return worker.Outcome{}, nil
	})
	reg := prometheus.NewRegistry()
	cfg.AckWait, cfg.Metrics = ackWait, worker.NewMetrics(reg)
	run(t, q, cfg)
	const count = 300
	enqueue(t, q, numbered(count)...)
	for i := range 3 {
		testkit.Eventually(t, "some to be sent", func() bool { n, _ := box.counts(); return n > 50*i })
		away.Store(true)
		conn.Embedded().Stop()
		away.Store(false)
		if err := conn.Embedded().Start(); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "the queue to be empty", func() bool { return conn.Connected() && waiting(t, conn) == 0 })
	keys, most := box.counts()
	if keys != count {
		t.Errorf("%d jobs were sent", keys)
	}
	if doubt := value(t, reg, "unsure_total", "") + value(t, reg, "overlaps_total", ""); most > 1 && doubt == 0 {
		t.Errorf("a job was sent %d times and nobody counted", most)
	}
}

// TestCluster loses the leaders of the streams, with two workers at it.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := natsxtest.RunCluster(t, 3)
	conn := connect(t, c.URL())
	limits := worker.DefaultLimits()
	limits.Replicas = 3
	var q *worker.Queue
	testkit.Eventually(t, "the streams", func() (ok bool) {
		var err error
		q, err = worker.Open(t.Context(), conn, testkit.Space(t), limits)
		return err == nil
	})
	var box outbox
	reg := prometheus.NewRegistry()
	cfg := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		box.add(a.Job.Key)
		return worker.Outcome{}, nil
	})
	cfg.AckWait, cfg.Metrics = ackWait, worker.NewMetrics(reg)
	run(t, q, cfg)
	run(t, q, cfg)
	jobs := numbered(200)
	for i, stream := range []string{worker.NameJobs, worker.NameReceipts} {
		part := jobs[100*i : 100*i+100]
		testkit.Eventually(t, "jobs to be stored", func() bool { _, err := q.Enqueue(t.Context(), part...); return err == nil })
		var leader string
		testkit.Eventually(t, "a leader", func() bool {
			s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(stream))
			if err == nil {
				leader = s.CachedInfo().Cluster.Leader
			}
			return err == nil && leader != ""
		})
		c.Stop(leader)
		testkit.Eventually(t, "most of them to be sent", func() bool { n, _ := box.counts(); return n >= 100*i+90 })
		c.Start(leader)
	}
	testkit.Eventually(t, "the queue to be empty", func() bool { return waiting(t, conn) == 0 })
	keys, most := box.counts()
	if keys != len(jobs) {
		t.Errorf("%d jobs were sent", keys)
	}
	if doubt := value(t, reg, "unsure_total", "") + value(t, reg, "overlaps_total", ""); most > 1 && doubt == 0 {
		t.Errorf("a job was sent %d times and nobody counted", most)
	}
}

// TestModel lets attempts fail at random and compares what became of each job with what
// its attempts said.
func TestModel(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	var mu sync.Mutex
	history := map[string][]string{}
	cfg := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		word := []string{"sent", "again", "again", "never", "unsure", "panic"}[rand.N(6)]
		mu.Lock()
		h := history[a.Job.Notification]
		if a.Number != len(h)+1 {
			t.Errorf("%s: attempt %d comes after %v", a.Job.Notification, a.Number, h)
		}
		history[a.Job.Notification] = append(h, word)
		mu.Unlock()
		switch word {
		case "sent":
			return worker.Outcome{}, nil
		case "never":
			return worker.Never(), errors.New(word)
		case "unsure":
			return worker.Unsure(), errors.New(word)
		case "panic":
			panic(word)
		}
		return worker.Again(), errors.New(word)
	})
	for range 3 {
		run(t, q, cfg)
	}
	jobs := numbered(300)
	for i := range jobs {
		jobs[i].Once = i%3 == 0
	}
	enqueue(t, q, jobs...)
	testkit.Eventually(t, "the queue to be empty", func() bool { return waiting(t, conn) == 0 })
	letters := map[string]worker.Letter{}
	for _, l := range list(t, q, worker.Filter{}) {
		letters[l.Job.Notification] = l
	}
	mu.Lock()
	defer mu.Unlock()
	dead := 0
	for _, j := range jobs {
		h := history[j.Notification]
		want, reason := model(h, j.Once, 3)
		if got := states(t, q, j.Notification); got != want {
			t.Errorf("%s after %v: %s, want %s", j.Notification, h, got, want)
		}
		if l := letters[j.Notification]; l.Reason != reason {
			t.Errorf("%s after %v: letter %q, want %q", j.Notification, h, l.Reason, reason)
		}
		if reason != "" {
			dead++
		}
	}
	if dead != len(letters) {
		t.Errorf("%d letters, want %d", len(letters), dead)
	}
}

// model returns the steps of a job whose attempts ended as h says.
func model(h []string, once bool, most int) (steps string, reason worker.Reason) {
	words := []string{"queued"}
	for i, word := range h {
		n := string(rune('1' + i))
		words = append(words, "sending", n)
		doubt := once && (word == "unsure" || word == "panic")
		switch {
		case word == "sent":
			return strings.Join(append(words, "sent", n), " "), ""
		case word == "never":
			return strings.Join(append(words, "dead", n), " "), worker.ReasonPermanent
		case doubt:
			return strings.Join(append(words, "dead", n), " "), worker.ReasonUnsure
		case i+1 == most:
			return strings.Join(append(words, "dead", n), " "), worker.ReasonAttempts
		}
		words = append(words, "retry", n)
	}
	return strings.Join(words, " "), ""
}
