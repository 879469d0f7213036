package backoff_test

import (
	"testing"
	"time"

	"tidings/shared/worker/backoff"
)

// TestBounds checks the schedule of the defaults, and one that would overflow.
func TestBounds(t *testing.T) {
	t.Parallel()
	b := backoff.Default()
	for n, want := range []time.Duration{1: time.Minute, 4 * time.Minute, 16 * time.Minute, 64 * time.Minute, 256 * time.Minute, 6 * time.Hour, 6 * time.Hour} {
		if got := b.Bound(n); n > 0 && got != want {
			t.Errorf("after %d attempts: %v, want %v", n, got, want)
		}
	}
	b = backoff.Bounds{Base: time.Second, Factor: 1e300, Max: 1<<63 - 1}
	if got := b.Bound(1000); got != b.Max {
		t.Errorf("%v", got)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	b := backoff.Default()
	for range 1000 {
		if d := b.Pause(2, 0); d < 0 || d > 4*time.Minute {
			t.Fatalf("%v", d)
		}
		if d := b.Pause(2, time.Hour); d < time.Hour || d > time.Hour+time.Minute {
			t.Fatalf("asked for an hour: %v", d)
		}
		if d := b.Pause(2, 1000*time.Hour); d > backoff.MaxAfter+time.Minute {
			t.Fatalf("asked for too long: %v", d)
		}
	}
}

// TestHold: the turn counts, and so does the age, up to a bound.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ turn, age, least time.Duration }{
		{0, 0, 50 * time.Millisecond},
		{time.Second, 0, time.Second},
		{time.Second, time.Minute, 15 * time.Second},
		{time.Second, 1000 * time.Hour, 15 * time.Minute},
		{time.Hour, time.Minute, time.Hour},
		{1000 * time.Hour, 0, backoff.MaxAfter},
		{-time.Hour, -time.Hour, 50 * time.Millisecond},
	} {
		for range 100 {
			if d := backoff.Hold(c.turn, c.age); d < c.least || d > c.least*5/4 {
				t.Fatalf("%+v: %v", c, d)
			}
		}
	}
}
