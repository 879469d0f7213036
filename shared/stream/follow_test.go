package stream_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// followed records what Follow hands over.
type followed struct {
	t *testing.T

	mu      sync.Mutex
	entries []stream.Entry
	starts  []event.Cursor
	health  error
	told    int // calls of Health
}

// follow follows until the test ends.
func follow(t *testing.T, l stream.Log, after event.Cursor) *followed {
	t.Helper()
	f := &followed{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	record := func(change func()) {
		f.mu.Lock()
		defer f.mu.Unlock()
		change()
	}
	go func() {
		done <- l.Follow(ctx, after, stream.Handler{
			Epoch:  func(c event.Cursor) { record(func() { f.starts = append(f.starts, c) }) },
			Entry:  func(e stream.Entry) { record(func() { f.entries = append(f.entries, e) }) },
			Health: func(_ uint64, err error) { record(func() { f.health = err; f.told++ }) },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("follow ended with %v", err)
		}
	})
	f.wait("following to begin", func() bool { return f.told > 0 && f.health == nil })
	return f
}

// wait waits for a condition, which may look at f.
func (f *followed) wait(what string, ok func() bool) {
	f.t.Helper()
	testkit.Eventually(f.t, what, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return ok()
	})
}

// numbers returns what put has put, -1 for anything else.
func numbers(entries []stream.Entry) []int {
	var list []int
	for _, e := range entries {
		n, err := strconv.Atoi(string(e.Event.Data))
		if err != nil {
			n = -1
		}
		list = append(list, n)
	}
	return list
}

func (f *followed) want(list ...int) {
	f.t.Helper()
	f.wait("the events", func() bool { return len(f.entries) >= len(list) })
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := numbers(f.entries); !slices.Equal(got, list) {
		f.t.Fatalf("followed %v, want %v", got, list)
	}
}

func put(t *testing.T, l stream.Log, topic subject.Topic, n int) stream.Ack {
	t.Helper()
	ack, err := l.Append(t.Context(), numbered(topic, n), "")
	if err != nil {
		t.Fatalf("append %d: %v", n, err)
	}
	return ack
}

func numbered(topic subject.Topic, n int) event.Event {
	return event.Event{Topic: topic, Type: "n", Data: strconv.AppendInt(nil, int64(n), 10)}
}

// pages reads all pages of a query.
func pages(t *testing.T, l stream.Log, q stream.Query) []stream.Entry {
	t.Helper()
	var all []stream.Entry
	for {
		p, err := l.Range(t.Context(), q)
		if err != nil {
			t.Fatalf("range %+v: %v", q, err)
		}
		all = append(all, p.Entries...)
		if q.After = p.Next; !p.More {
			return all
		}
	}
}
