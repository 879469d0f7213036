package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// TestRedrive takes jobs through all attempts into letters, and back.
func TestRedrive(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	var well atomic.Bool
	run(t, q, quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		switch {
		case well.Load():
			return worker.Outcome{}, nil
		case a.Job.Notification == "n.1":
			return worker.Never(), errors.New("550 no such user")
		case a.Job.Notification == "n.2":
			return worker.Unsure(), errors.New("connection lost")
		}
		return worker.Again(), errors.New("421 busy")
	}))
	jobs := numbered(4)
	jobs[2].Once = true
	enqueue(t, q, jobs...)
	const attempts = "queued sending 1 retry 1 sending 2 retry 2 sending 3 dead 3"
	wantStates(t, q, "n.0", attempts)
	wantStates(t, q, "n.1", "queued sending 1 dead 1")
	wantStates(t, q, "n.2", "queued sending 1 dead 1")
	wantStates(t, q, "n.3", attempts)
	letters := list(t, q, worker.Filter{Channel: "mail"})
	if len(letters) != 4 || len(list(t, q, worker.Filter{Channel: "sms"})) != 0 {
		t.Fatalf("%+v", letters)
	}
	one := list(t, q, worker.Filter{Notification: "n.1", Reason: worker.ReasonPermanent})
	if len(one) != 1 || one[0].Error != "550 no such user" || one[0].Attempts != 1 || one[0].Job.Recipient != "ann@example.com" {
		t.Fatalf("%+v", one)
	}
	if two := list(t, q, worker.Filter{Reason: worker.ReasonUnsure}); len(two) != 1 || !two[0].Unsure {
		t.Fatalf("%+v", two)
	}

	well.Store(true)
	if err := q.Redrive(t.Context(), one[0].Seq); err != nil {
		t.Fatal(err)
	}
	wantStates(t, q, "n.1", "queued sending 1 dead 1 queued sending 1 sent 1")
	if err := q.Redrive(t.Context(), one[0].Seq); !errors.Is(err, worker.ErrNoLetter) {
		t.Errorf("again: %v", err)
	}
	zero := list(t, q, worker.Filter{Notification: "n.0"})
	if err := q.Drop(t.Context(), zero[0].Seq); err != nil {
		t.Error(err)
	}
	if err := q.Drop(t.Context(), zero[0].Seq); !errors.Is(err, worker.ErrNoLetter) {
		t.Errorf("again: %v", err)
	}
	if n, skipped, err := q.RedriveAll(t.Context(), worker.Filter{}); n != 2 || skipped != 0 || err != nil {
		t.Errorf("%d redriven, %d skipped, %v", n, skipped, err)
	}
	wantStates(t, q, "n.2", "queued sending 1 dead 1 queued sending 1 sent 1")
	wantStates(t, q, "n.3", attempts+" queued sending 1 sent 1")
	testkit.Eventually(t, "the queue to be empty", func() bool { return waiting(t, conn) == 0 })
	if left := list(t, q, worker.Filter{}); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

// TestRedriveAtOnce has two operators redrive while no worker runs: each job is queued
// once, and letters go only when it is.
func TestRedriveAtOnce(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	stop := run(t, q, quick(func(context.Context, worker.Attempt) (worker.Outcome, error) {
		return worker.Never(), errors.New("no")
	}))
	enqueue(t, q, numbered(250)...)
	testkit.Eventually(t, "all to be dead", func() bool { return waiting(t, conn) == 0 && len(list(t, q, worker.Filter{})) == 250 })
	stop()
	type result struct {
		n   int
		err error
	}
	results := make(chan result)
	for range 2 {
		go func() {
			n, _, err := q.RedriveAll(t.Context(), worker.Filter{})
			results <- result{n, err}
		}()
	}
	a, b := <-results, <-results
	if a.err != nil || b.err != nil || a.n+b.n < 250 {
		t.Errorf("%d redriven, %v; %d, %v", a.n, a.err, b.n, b.err)
	}
	if n, left := waiting(t, conn), list(t, q, worker.Filter{}); n != 250 || len(left) != 0 {
		t.Errorf("%d jobs wait, %d letters are left", n, len(left))
	}
}

// TestGivenUpTwice has another worker give the same job up at the same time: the letter
// they both wrote stays. If the other one goes on with the job, it does not.
func TestGivenUpTwice(t *testing.T) {
	t.Parallel()
	for other, want := range map[worker.State]int{worker.Dead: 1, worker.Sending: 0} {
		t.Run(string(other), func(t *testing.T) {
			t.Parallel()
			q, conn := open(t)
			cfg := quick(func(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
				r := fmt.Sprintf(`{"state":%q,"attempt":1,"at":%q}`, other, time.Now().Format(time.RFC3339Nano))
				letter := fmt.Sprintf(`{"key":%q,"channel":"mail","reason":"attempts"}`, a.Job.Key)
				space := testkit.Space(t)
				_, err1 := conn.JS.Publish(ctx, space.Dead("mail", a.Job.Key), []byte(letter), jetstream.WithMsgID(a.Job.Key+".1.1"))
				_, err2 := conn.JS.Publish(ctx, space.Receipt("n=2E0", "mail", a.Job.Key), []byte(r))
				if err := errors.Join(err1, err2); err != nil {
					t.Error(err)
				}
				return worker.Never(), errors.New("no")
			})
			reg := prometheus.NewRegistry()
			cfg.Metrics = worker.NewMetrics(reg)
			stop := run(t, q, cfg)
			enqueue(t, q, numbered(1)...)
			testkit.Eventually(t, "the overlap to be counted", func() bool { return value(t, reg, "overlaps_total", "") == 1 })
			stop()
			wantStates(t, q, "n.0", "queued sending 1 "+string(other)+" 1")
			if n := len(list(t, q, worker.Filter{})); n != want {
				t.Errorf("%d letters, want %d", n, want)
			}
		})
	}
}

// list returns all letters that a filter selects.
func list(t *testing.T, q *worker.Queue, f worker.Filter) (all []worker.Letter) {
	t.Helper()
	for after := uint64(0); ; {
		p, err := q.List(t.Context(), f, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		all, after = append(all, p.Letters...), p.Next
		if !p.More {
			return all
		}
	}
}
