package connection

import (
	"sync"
	"time"
)

const (
	// barPeriod is how long a revocation is remembered for connections that were on
	// their way when it came: longer than any takes to be admitted.
	barPeriod = time.Minute
	// maxBars bounds what is remembered; the oldest go first.
	maxBars = 10000
)

// bars are who was sent away lately. The zero bars hold nobody.
type bars struct {
	mu     sync.Mutex
	users  map[string]int64 // when they were sent away: who was admitted later may stay
	tokens map[uint64]int64 // when they were: who holds one may not stay at all
	order  []barred         // oldest first
}

// barred is an entry of bars.
type barred struct {
	user  string
	token uint64
	at    int64
}

// Bar remembers for a moment that the connections a user has now, or those with a
// token, are to be sent away: whoever is on the way to a sink is missed when the
// sinks are asked. token is a TokenHash, or 0.
func (h *Host) Bar(user string, token uint64) {
	b := &h.bars
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == nil {
		b.users, b.tokens = map[string]int64{}, map[uint64]int64{}
	}
	now := time.Now()
	b.forget(now.Add(-barPeriod).UnixNano())
	e := barred{user, token, now.UnixNano()}
	if user != "" {
		b.users[user] = e.at
	}
	if token != 0 {
		b.tokens[token] = e.at
	}
	b.order = append(b.order, e)
}

// forget drops what is older than that, and what is too much.
func (b *bars) forget(before int64) {
	n := max(len(b.order)-maxBars+1, 0)
	for n < len(b.order) && b.order[n].at < before {
		n++
	}
	for _, e := range b.order[:n] {
		if b.users[e.user] == e.at {
			delete(b.users, e.user)
		}
		if b.tokens[e.token] == e.at {
			delete(b.tokens, e.token)
		}
	}
	b.order = append(b.order[:0], b.order[n:]...)
}

// token reports whether the holder of a token was sent away lately.
func (b *bars) token(hash uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.tokens[hash]
	return ok && hash != 0
}

// Barred reports whether a connection that comes to its sink was sent away while it
// was on the way.
func (h *Host) Barred(c *Conn) bool {
	b := &h.bars
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.order) == 0 {
		return false
	}
	at, ok := b.users[c.user]
	if ok && c.since <= at {
		return true
	}
	_, ok = b.tokens[c.token]
	return ok && c.token != 0
}
