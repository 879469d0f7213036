package smtp

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys is how many recipients, or domains, are remembered. Beyond it those not heard
// of for longest are forgotten, which grants them their burst again.
const maxKeys = 20_000

// Limit is how fast something may go. The zero Limit is none.
type Limit struct {
	// Every is the time between two, on average.
	Every time.Duration
	// Burst is how many may go at once; at least 1.
	Burst int
}

// limits are limiters by key.
type limits struct {
	limit Limit

	mu    sync.Mutex
	byKey map[string]*list.Element // of *limiter
	order *list.List               // the one used last in front
}

// limiter is one key's.
type limiter struct {
	key string
	*rate.Limiter
}

func newLimits(l Limit) *limits {
	return &limits{limit: l, byKey: map[string]*list.Element{}, order: list.New()}
}

// reserve takes a place for a key. If its turn comes within most, wait says when, and the
// place is taken until it is given back; else it is not, and wait says when to come again.
func (l *limits) reserve(key string, most time.Duration) (giveBack func(), wait time.Duration, ok bool) {
	if l.limit.Every <= 0 {
		return func() {}, 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(l.of(key), most)
}

// of returns a key's limiter. The caller holds mu.
func (l *limits) of(key string) *rate.Limiter {
	if e, ok := l.byKey[key]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*limiter).Limiter
	}
	if len(l.byKey) >= maxKeys {
		last := l.order.Back()
		delete(l.byKey, last.Value.(*limiter).key)
		l.order.Remove(last)
	}
	n := &limiter{key, rate.NewLimiter(rate.Every(l.limit.Every), max(1, l.limit.Burst))}
	l.byKey[key] = l.order.PushFront(n)
	return n.Limiter
}

// reserve takes a place if its turn comes within most.
func reserve(l *rate.Limiter, most time.Duration) (giveBack func(), wait time.Duration, ok bool) {
	r := l.Reserve()
	if wait = r.Delay(); wait > most {
		r.Cancel()
		return nil, wait, false
	}
	return r.Cancel, wait, true
}
