package tail

import (
	"strings"

	"tidings/shared/subject"
)

// breath is after how many topics Standings lets the follower go on, which waits for
// some 10 µs at most.
const breath = 512

// Standing is what the tail knows about a topic or pattern.
type Standing struct {
	// Pattern is its name.
	Pattern subject.Pattern
	// Subscribers are the connections that named it, Held the frames in the tail.
	Subscribers, Held int
	// Events counts the frames since the tail knows it: while it is followed or has a
	// frame in the tail. Who sees it fall knows that it was forgotten in between.
	Events uint64
	// Last is the sequence of the newest frame, 0 if there was none yet.
	Last uint64
}

// Standings calls fn for every topic and pattern that begins with a prefix, in no
// order. What comes or goes meanwhile is shown or not. fn must not use the tail.
func (t *Tail) Standings(prefix string, fn func(Standing)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for p, i := range t.interests {
		if n++; n%breath == 0 {
			// Going on over a map that was changed in between is defined: the language says
			// that what was removed does not come and what was added may.
			t.mu.RUnlock()
			t.mu.RLock()
		}
		if strings.HasPrefix(string(p), prefix) {
			fn(Standing{p, int(i.subscribers.Load()), i.frames.len(), i.count, i.newest})
		}
	}
}
