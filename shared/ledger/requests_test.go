package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/testkit"
)

// taken is what requests were taken.
type taken struct {
	mu     sync.Mutex
	bodies map[string]int
}

func (k *taken) add(body []byte) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bodies == nil {
		k.bodies = map[string]int{}
	}
	k.bodies[string(body)]++
	return k.bodies[string(body)]
}

func (k *taken) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.bodies)
}

func (k *taken) times(body string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bodies[body]
}

// read runs Requests and returns how to stop it.
func read(t *testing.T, l *ledger.Ledger, take ledger.Take, lost ledger.Lost) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Requests(ctx, "notifier", take, lost) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Requests: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func none(t *testing.T) ledger.Lost {
	t.Helper()
	return func(_ context.Context, _ uint64, _ map[string][]string, body []byte, last error) error {
		t.Errorf("%s was given up: %v", body, last)
		return nil
	}
}

// publish publishes until it is stored.
func publish(t *testing.T, conn *natsx.Conn, body string) {
	t.Helper()
	testkit.Eventually(t, "a publish to be stored", func() bool {
		m := &nats.Msg{Subject: testkit.Space(t).Notify(), Data: []byte(body), Header: nats.Header{"X": {"y"}}}
		_, err := conn.JS.PublishMsg(t.Context(), m)
		return err == nil
	})
}

// pending returns how many requests are not done.
func pending(t *testing.T, conn *natsx.Conn) int {
	t.Helper()
	c, err := conn.JS.Consumer(t.Context(), testkit.Space(t).Stream(ledger.Name), "notifier")
	if err != nil {
		return -1
	}
	i := c.CachedInfo()
	return int(i.NumPending) + i.NumAckPending
}

func TestRequests(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	l.Hasten()
	var k, lost taken
	const count = 50
	for i := range count {
		publish(t, conn, fmt.Sprint(i)) // before anybody reads
	}
	publish(t, conn, "poison")
	publish(t, conn, "panic")
	take := func(_ context.Context, seq uint64, header map[string][]string, body []byte) error {
		n := k.add(body)
		if seq == 0 || header["X"][0] != "y" {
			t.Errorf("sequence %d, header %v", seq, header)
		}
		switch {
		case string(body) == "poison":
			return errors.New("poison")
		case string(body) == "panic":
			panic("at the disco")
		case n < 3 && len(body) == 1:
			return errors.New("not now")
		}
		return nil
	}
	giveUp := func(_ context.Context, _ uint64, _ map[string][]string, body []byte, last error) error {
		if lost.add(body) == 1 {
			return fmt.Errorf("not now: %w", last)
		}
		return nil
	}
	stop := read(t, l, take, giveUp)
	testkit.Eventually(t, "all to be done", func() bool { return k.count() == count+2 && pending(t, conn) == 0 })
	if a, b := k.times("3"), k.times("33"); a != 3 || b != 1 {
		t.Errorf("taken %d and %d times", a, b)
	}
	for _, body := range []string{"poison", "panic"} {
		if a, b := k.times(body), lost.times(body); a != ledger.MaxDeliveries+1 || b != 2 {
			t.Errorf("%s was taken %d times and given up %d times", body, a, b)
		}
	}
	if lost.count() != 2 {
		t.Errorf("%d were given up", lost.count())
	}
	stop()
	publish(t, conn, "while away")
	read(t, l, take, giveUp)
	testkit.Eventually(t, "what came meanwhile", func() bool { return k.times("while away") == 1 })
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAway has NATS fail for longer than a request has tries: it is not given up.
func TestAway(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	l.Hasten()
	var k taken
	read(t, l, func(_ context.Context, _ uint64, _ map[string][]string, body []byte) error {
		if k.add(body) < 2*ledger.MaxDeliveries {
			return fmt.Errorf("store it: %w", natsx.ErrAway)
		}
		return nil
	}, none(t))
	publish(t, conn, "patient")
	testkit.Eventually(t, "it to be done", func() bool {
		return k.times("patient") == 2*ledger.MaxDeliveries && pending(t, conn) == 0
	})
}

// TestHeal restarts NATS, and deletes the stream, while requests are read.
func TestHeal(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	var k taken
	read(t, l, func(_ context.Context, _ uint64, _ map[string][]string, body []byte) error {
		k.add(body)
		return nil
	}, none(t))
	for i := range 3 {
		publish(t, conn, fmt.Sprint("before ", i))
		conn.Embedded().Stop()
		if err := conn.Embedded().Start(); err != nil {
			t.Fatal(err)
		}
		publish(t, conn, fmt.Sprint("after ", i))
		testkit.Eventually(t, "both", func() bool { return k.count() == 2*i+2 })
	}
	if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(ledger.Name)); err != nil {
		t.Fatal(err)
	}
	publish(t, conn, "on a new stream")
	testkit.Eventually(t, "one on a new stream", func() bool { return k.times("on a new stream") == 1 })
	testkit.Eventually(t, "health", func() bool { return l.Check(t.Context()) == nil })
}
