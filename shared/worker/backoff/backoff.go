// Package backoff says how long a job waits: for its next attempt, and for its turn. It is
// pure, but for the randomness that keeps jobs apart.
package backoff

import (
	"math/rand/v2"
	"time"
)

const (
	// MaxAfter bounds the pause that a provider may ask for: a wrong header must not park a
	// job for ever.
	MaxAfter = 24 * time.Hour
	// leastHold and lastHold bound the share of its age that a job is held for.
	leastHold, lastHold = 50 * time.Millisecond, 15 * time.Minute
)

// Bounds are the pauses between the attempts of a job: a random time up to a bound that
// grows with each attempt ("full jitter"), so that jobs that failed together do not come
// back together.
type Bounds struct {
	// Base is the bound after the first attempt, Factor what it grows by with each more,
	// and Max where it ends.
	Base   time.Duration
	Factor float64
	Max    time.Duration
}

// Default returns bounds of a minute, four, sixteen, and so on up to six hours: short for
// a hiccup, and long enough for a provider's bad night.
func Default() Bounds { return Bounds{Base: time.Minute, Factor: 4, Max: 6 * time.Hour} }

// Bound returns the longest pause after so many attempts.
func (b Bounds) Bound(attempts int) time.Duration {
	d := float64(b.Base)
	for n := 1; n < attempts && d < float64(b.Max); n++ {
		d *= b.Factor
	}
	if d >= float64(b.Max) { // which may be more than a Duration holds
		return b.Max
	}
	return time.Duration(d)
}

// Pause returns the pause after so many attempts. What a provider asked for is a lower
// bound, and is jittered upwards by as much as the first pause.
func (b Bounds) Pause(attempts int, asked time.Duration) time.Duration {
	if asked > 0 {
		return min(asked, MaxAfter) + rand.N(max(b.Base, 1))
	}
	return rand.N(max(b.Bound(attempts), 1))
}

// Hold returns how long a job of an age is held: until its turn may come, and longer the
// longer it has waited, so that each job of a long queue comes back a few times and not
// each time.
func Hold(turn, age time.Duration) time.Duration {
	d := max(min(turn, MaxAfter), min(age/4, lastHold), leastHold)
	return d + rand.N(d/4)
}
