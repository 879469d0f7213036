package streamtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings/shared/event"
	"tidings/shared/stream"
)

// follower records what Follow hands over.
type follower struct {
	mu      sync.Mutex
	seen    []stream.Entry
	starts  []event.Cursor
	healthy bool
	changed chan struct{} // closed and replaced on every call of the handler
}

// follow starts following and stops at the end of the test.
func follow(t *testing.T, l stream.Log, after event.Cursor) *follower {
	t.Helper()
	f := &follower{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Follow(ctx, after, f.handler()) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("follow ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("follow did not end with its context")
		}
	})
	f.wait(t, "following to begin", func() bool { return len(f.starts) > 0 && f.healthy })
	return f
}

func (f *follower) handler() stream.Handler {
	record := func(fn func()) {
		f.mu.Lock()
		defer f.mu.Unlock()
		fn()
		close(f.changed)
		f.changed = make(chan struct{})
	}
	return stream.Handler{
		Epoch:  func(c event.Cursor) { record(func() { f.starts = append(f.starts, c) }) },
		Entry:  func(e stream.Entry) { record(func() { f.seen = append(f.seen, e) }) },
		Health: func(_ uint64, err error) { record(func() { f.healthy = err == nil }) },
	}
}

// wait blocks until ok, called with f locked, returns true.
func (f *follower) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		f.mu.Lock()
		good, changed := ok(), f.changed
		seen := numbers(f.seen)
		f.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("timed out waiting for %s; seen %v", what, seen)
		}
	}
}

// want waits for as many events as listed and compares them.
func (f *follower) want(t *testing.T, list ...int) {
	t.Helper()
	f.until(t, len(list))
	if got := numbers(f.entries()); !slices.Equal(got, list) {
		t.Fatalf("followed %v, want %v", got, list)
	}
}

func (f *follower) until(t *testing.T, n int) {
	t.Helper()
	f.wait(t, "events", func() bool { return len(f.seen) >= n })
}

func (f *follower) wantHealth(t *testing.T, healthy bool) {
	t.Helper()
	f.wait(t, "a change of health", func() bool { return f.healthy == healthy })
}

func (f *follower) entries() []stream.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *follower) epochs() []event.Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts)
}
