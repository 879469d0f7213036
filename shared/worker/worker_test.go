package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/natsx"
	"tidings/shared/testkit"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open returns a queue in a fresh server.
func open(t *testing.T) (*worker.Queue, *natsx.Conn) {
	t.Helper()
	conn := testkit.NATS(t)
	q, err := worker.Open(t.Context(), conn, testkit.Space(t), worker.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return q, conn
}

// quick is a configuration for a test's patience.
func quick(s worker.SenderFunc) worker.Config {
	return worker.Config{
		Channel: "mail", Sender: s, Concurrency: 4, MaxAttempts: 3,
		Backoff: backoff.Bounds{Base: 20 * time.Millisecond, Factor: 2, Max: 50 * time.Millisecond},
		AckWait: 30 * time.Second, Grace: 10 * time.Second,
	}
}

// run starts a worker and returns how to stop it and wait for it.
func run(t *testing.T, q *worker.Queue, cfg worker.Config) (stop func()) {
	t.Helper()
	w, err := worker.New(q, cfg, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	testkit.Eventually(t, "the worker to be healthy", func() bool { return w.Check(t.Context()) == nil })
	return stop
}

// ackWait is for tests in which one has to pass.
const ackWait = 600 * time.Millisecond

// numbered returns jobs of one notification each.
func numbered(n int) []worker.Job {
	list := make([]worker.Job, n)
	for i := range list {
		list[i] = worker.Job{
			Notification: "n." + strconv.Itoa(i), Channel: "mail", Recipient: "ann@example.com",
			Payload: json.RawMessage(strconv.Itoa(i)),
		}
	}
	return list
}

func enqueue(t *testing.T, q *worker.Queue, jobs ...worker.Job) {
	t.Helper()
	if known, err := q.Enqueue(t.Context(), jobs...); err != nil || known != 0 {
		t.Fatalf("enqueue: %d known, %v", known, err)
	}
}

// states returns the steps of a notification with one job, as "queued sending 1 sent 1".
func states(t *testing.T, q *worker.Queue, notification string) string {
	t.Helper()
	list, _, err := q.Timeline(t.Context(), notification)
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, r := range list {
		words = append(words, string(r.State))
		if r.Attempt > 0 {
			words = append(words, strconv.Itoa(r.Attempt))
		}
	}
	return strings.Join(words, " ")
}

func wantStates(t *testing.T, q *worker.Queue, notification, want string) {
	t.Helper()
	testkit.Eventually(t, notification+" to be "+want, func() bool { return states(t, q, notification) == want })
}

// waiting returns how many jobs the queue holds.
func waiting(t *testing.T, conn *natsx.Conn) uint64 {
	t.Helper()
	s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(worker.NameJobs))
	if err != nil {
		return 1 << 62
	}
	return s.CachedInfo().State.Msgs
}

// value sums a counter of a registry up over its labels that hold word.
func value(t *testing.T, reg *prometheus.Registry, name, word string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tidings_worker_"+name && (word == "" || strings.Contains(m.String(), word)) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// outbox counts what was sent, by key.
type outbox struct {
	mu   sync.Mutex
	sent map[string]int
}

func (o *outbox) add(key string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sent == nil {
		o.sent = map[string]int{}
	}
	o.sent[key]++
	return o.sent[key]
}

func (o *outbox) counts() (keys, most int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.sent {
		most = max(most, n)
	}
	return len(o.sent), most
}

// TestMany sends ten thousand jobs through four workers, each once.
func TestMany(t *testing.T) {
	t.Parallel()
	const count = 10_000
	q, conn := open(t)
	var box outbox
	reg := prometheus.NewRegistry()
	cfg := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		box.add(a.Job.Key)
		return worker.Outcome{Detail: "250 ok"}, nil
	})
	cfg.Metrics = worker.NewMetrics(reg)
	for range 4 {
		run(t, q, cfg)
	}
	jobs := numbered(count)
	enqueue(t, q, jobs...)
	for part := range 10 { // each part has the whole patience: machines differ
		testkit.Eventually(t, "the next thousand", func() bool { n, _ := box.counts(); return n >= count/10*(part+1) })
	}
	testkit.Eventually(t, "the queue to be empty", func() bool { return waiting(t, conn) == 0 })
	if keys, most := box.counts(); keys != count || most != 1 {
		t.Errorf("%d jobs were sent, one of them %d times", keys, most)
	}
	wantStates(t, q, "n.77", "queued sending 1 sent 1")
	if n := value(t, reg, "attempts_total", "sent"); n != count {
		t.Errorf("%v attempts were counted", n)
	}
	testkit.Eventually(t, "all to be counted", func() bool {
		return value(t, reg, "jobs_total", "sent") == count && value(t, reg, "in_flight", "") == 0
	})
	if n := value(t, reg, "overlaps_total", "") + value(t, reg, "unsure_total", ""); n != 0 {
		t.Errorf("%v attempts are in doubt", n)
	}
	if known, err := q.Enqueue(t.Context(), jobs[:100]...); err != nil || known != 100 {
		t.Errorf("again: %d known, %v", known, err)
	}
	if n := waiting(t, conn); n != 0 {
		t.Errorf("%d jobs wait", n)
	}
}

// TestEnqueue checks what is refused, what is filled in and what is known again.
func TestEnqueue(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	good := numbered(1)[0]
	for title, spoil := range map[string]func(*worker.Job){
		"key":          func(j *worker.Job) { j.Key = "a.b" },
		"channel":      func(j *worker.Job) { j.Channel = "" },
		"wildcard":     func(j *worker.Job) { j.Channel = "*" },
		"notification": func(j *worker.Job) { j.Notification = strings.Repeat("x", worker.MaxNotification+1) },
		"recipient":    func(j *worker.Job) { j.Recipient = "" },
		"payload":      func(j *worker.Job) { j.Payload = json.RawMessage("{") },
		"size":         func(j *worker.Job) { j.Payload = json.RawMessage(strings.Repeat(" ", worker.MaxPayload) + "1") },
	} {
		bad := good
		spoil(&bad)
		if _, err := q.Enqueue(t.Context(), good, bad); !errors.Is(err, worker.ErrJob) || !strings.Contains(err.Error(), "2 of 2") {
			t.Errorf("%s: %v", title, err)
		}
	}
	if n := waiting(t, conn); n != 0 {
		t.Fatalf("%d jobs are stored", n)
	}
	if known, err := q.Enqueue(t.Context(), good, good, good); err != nil || known != 2 {
		t.Errorf("three times: %d known, %v", known, err)
	}
	if n := waiting(t, conn); n != 1 {
		t.Errorf("%d jobs wait", n)
	}
	wantStates(t, q, "n.0", "queued")
	conn.Embedded().Stop()
	if _, err := q.Enqueue(t.Context(), numbered(2)[1]); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("without NATS: %v", err)
	}
}

// TestRetry fails twice and succeeds, with the same key and time.
func TestRetry(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	var mu sync.Mutex
	var seen []worker.Attempt
	run(t, q, quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, a)
		switch a.Number {
		case 1:
			panic("a fault")
		case 2:
			return worker.AgainAfter(100 * time.Millisecond), errors.New("451 later\nplease")
		}
		return worker.Outcome{Detail: "250 ok"}, nil
	}))
	enqueue(t, q, numbered(1)...)
	wantStates(t, q, "n.0", "queued sending 1 retry 1 sending 2 retry 2 sending 3 sent 3")
	testkit.Eventually(t, "the job to be gone", func() bool { return waiting(t, conn) == 0 })
	list, _, _ := q.Timeline(t.Context(), "n.0")
	if list[2].Error != "the sender panicked" || list[4].Error != "451 later please" || list[6].Detail != "250 ok" {
		t.Errorf("%+v", list)
	}
	if d := list[5].At.Sub(list[4].At); d < 100*time.Millisecond {
		t.Errorf("it came back after %v", d)
	}
	if !list[6].Unsure {
		t.Error("a panic leaves no doubt")
	}
	mu.Lock()
	defer mu.Unlock()
	same := func(a, b worker.Attempt) bool {
		return a.Job.Key == b.Job.Key && a.Job.Queued.Equal(b.Job.Queued)
	}
	if len(seen) != 3 || !same(seen[0], seen[2]) || seen[0].Unsure || !seen[1].Unsure {
		t.Errorf("%+v", seen)
	}
}

// TestHold holds a job more often than it may be tried: that is no attempt, and what it
// waits for need not be worth waiting for.
func TestHold(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	jobs := numbered(2)
	jobs[1].Expires = time.Now().Add(time.Minute)
	enqueue(t, q, jobs...)
	var held atomic.Int64
	cfg := quick(func(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
		switch {
		case a.Job.Notification == "n.1":
			return worker.Hold(time.Hour), errors.New("not your turn")
		case a.Number != 1:
			t.Errorf("attempt %d", a.Number)
		case held.Add(1) <= 4:
			return worker.Hold(time.Millisecond), errors.New("not your turn")
		}
		return worker.Outcome{}, nil
	})
	cfg.MaxAttempts = 2
	run(t, q, cfg)
	wantStates(t, q, "n.0", "queued"+strings.Repeat(" sending 1 retry", 4)+" sending 1 sent 1")
	wantStates(t, q, "n.1", "queued sending 1 expired")
	testkit.Eventually(t, "the jobs to be gone", func() bool { return waiting(t, conn) == 0 })
}

// TestExpiry checks that nothing is sent too late, and that the context of an attempt
// ends when its job does.
func TestExpiry(t *testing.T) {
	t.Parallel()
	q, _ := open(t)
	jobs := numbered(3)
	jobs[0].Expires = time.Now().Add(-time.Second)
	jobs[1].Expires = time.Now().Add(time.Minute)
	jobs[2].Expires = time.Now().Add(300 * time.Millisecond)
	enqueue(t, q, jobs...)
	run(t, q, quick(func(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
		switch a.Job.Notification {
		case "n.1":
			return worker.AgainAfter(time.Hour), errors.New("greylisted")
		case "n.2":
			<-ctx.Done()
			return worker.Again(), ctx.Err()
		}
		t.Errorf("%s was tried", a.Job.Notification)
		return worker.Again(), errors.New("too late")
	}))
	wantStates(t, q, "n.0", "queued expired")
	wantStates(t, q, "n.1", "queued sending 1 expired 1")
	testkit.Eventually(t, "the third to expire", func() bool {
		return strings.HasSuffix(states(t, q, "n.2"), "expired") || strings.HasSuffix(states(t, q, "n.2"), "expired 1")
	})
}

// TestLong sends for longer than the ack wait: nobody else is given the job.
func TestLong(t *testing.T) {
	t.Parallel()
	q, _ := open(t)
	var box outbox
	cfg := quick(func(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
		if box.add(a.Job.Key) > 1 {
			t.Error("it was sent twice")
		}
		select {
		case <-ctx.Done():
		case <-time.After(3 * ackWait):
		}
		return worker.Outcome{}, nil
	})
	cfg.AckWait = ackWait
	run(t, q, cfg)
	run(t, q, cfg)
	enqueue(t, q, numbered(1)...)
	wantStates(t, q, "n.0", "queued sending 1 sent 1")
}

// TestDrain stops a worker: what ends within the grace counts, the rest is given to
// others and has lost no attempt.
func TestDrain(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	begun, release := make(chan struct{}, 2), make(chan struct{})
	cfg := quick(func(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
		begun <- struct{}{}
		if a.Job.Notification == "n.0" {
			<-release
			return worker.Outcome{}, nil
		}
		<-ctx.Done()
		return worker.Again(), ctx.Err()
	})
	cfg.Grace = 300 * time.Millisecond
	stop := run(t, q, cfg)
	enqueue(t, q, numbered(2)...)
	<-begun
	<-begun
	go close(release)
	stop()
	wantStates(t, q, "n.0", "queued sending 1 sent 1")
	wantStates(t, q, "n.1", "queued sending 1 retry")
	if n := waiting(t, conn); n != 1 {
		t.Errorf("%d jobs wait", n)
	}
	run(t, q, quick(func(context.Context, worker.Attempt) (worker.Outcome, error) { return worker.Outcome{}, nil }))
	wantStates(t, q, "n.1", "queued sending 1 retry sending 1 sent 1")
}

// TestMalformed sets aside what is no job, and goes on.
func TestMalformed(t *testing.T) {
	t.Parallel()
	q, conn := open(t)
	run(t, q, quick(func(context.Context, worker.Attempt) (worker.Outcome, error) { return worker.Outcome{}, nil }))
	for subj, data := range map[string]string{
		"tidings.jobs.mail.one":    "not JSON",
		"tidings.jobs.mail.tw=2Eo": `{"key":"else"}`,
	} {
		if _, err := conn.JS.PublishMsg(t.Context(), &nats.Msg{Subject: subj, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(t, q, numbered(1)...)
	wantStates(t, q, "n.0", "queued sending 1 sent 1")
	var list []worker.Letter
	testkit.Eventually(t, "two letters", func() bool {
		p, err := q.List(t.Context(), worker.Filter{Reason: worker.ReasonMalformed}, 0, 0)
		list = p.Letters
		return err == nil && len(list) == 2 && waiting(t, conn) == 0
	})
	i := slices.IndexFunc(list, func(l worker.Letter) bool { return string(l.Raw) == "not JSON" })
	if i < 0 || list[i].Key != "one" {
		t.Fatalf("%+v", list)
	}
	if err := q.Redrive(t.Context(), list[i].Seq); !errors.Is(err, worker.ErrNotJob) {
		t.Errorf("redrive: %v", err)
	}
	if n, err := q.DropAll(t.Context(), worker.Filter{}); n != 2 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
}

// TestConfig refuses what can't work.
func TestConfig(t *testing.T) {
	t.Parallel()
	for title, spoil := range map[string]func(*worker.Config){
		"channel":     func(c *worker.Config) { c.Channel = "a.b" },
		"sender":      func(c *worker.Config) { c.Sender = nil },
		"concurrency": func(c *worker.Config) { c.Concurrency = worker.MaxConcurrency + 1 },
		"attempts":    func(c *worker.Config) { c.MaxAttempts = -1 },
		"back-off":    func(c *worker.Config) { c.Backoff.Factor = 0.5 },
		"timeout":     func(c *worker.Config) { c.SendTimeout = -1 },
	} {
		cfg := quick(func(context.Context, worker.Attempt) (worker.Outcome, error) { return worker.Outcome{}, nil })
		spoil(&cfg)
		if _, err := worker.New(nil, cfg, testkit.Log(t)); err == nil {
			t.Errorf("%s: no error", title)
		}
	}
}
