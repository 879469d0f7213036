package smtp

import (
	"context"
	"sync"
	"time"
)

// pool keeps the connections to one provider.
type pool struct {
	p     Provider
	cfg   Config
	slots chan struct{} // one for each connection in use

	mu     sync.Mutex
	free   []*conn // the last one used last
	closed bool
}

func newPool(p Provider, cfg Config) *pool {
	return &pool{p: p, cfg: cfg, slots: make(chan struct{}, p.Conns)}
}

// take returns a connection, a used one if there is any and fresh doesn't forbid it.
// Errors are those of dial; its cause is ctx's if that ended the waiting.
func (l *pool) take(ctx context.Context, fresh bool) (n *conn, used bool, e *Error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, newError(l.p.Name, Connect, context.Cause(ctx), hidden{})
	}
	if fresh {
		// If one was closed by the server, the others were too.
		for _, n := range l.stale(0) {
			n.discard()
		}
	}
	if n := l.pop(); n != nil {
		return n, true, nil
	}
	if n, e = dial(ctx, l.p, l.cfg); e != nil {
		<-l.slots
	}
	return n, false, e
}

// pop takes the connection that was used last: it is the least likely to be gone.
func (l *pool) pop() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == 0 {
		return nil
	}
	n := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	return n
}

// put gives a connection back that is good for another mail.
func (l *pool) put(n *conn) {
	defer func() { <-l.slots }()
	l.mu.Lock()
	keep := !l.closed && n.sent < l.p.Messages
	if keep {
		n.idle = time.Now()
		l.free = append(l.free, n)
	}
	l.mu.Unlock()
	if !keep {
		n.quit()
	}
}

// drop gives a connection back that is good for nothing.
func (l *pool) drop(n *conn) {
	n.discard()
	<-l.slots
}

// stale takes out the connections that have not been used for so long.
func (l *pool) stale(age time.Duration) (out []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := 0
	for i < len(l.free) && time.Since(l.free[i].idle) >= age {
		i++
	}
	out = append(out, l.free[:i]...)
	l.free = append(l.free[:0], l.free[i:]...)
	return out
}

// sweep closes the connections that have idled too long.
func (l *pool) sweep() {
	for _, n := range l.stale(l.cfg.IdleTimeout) {
		n.quit()
	}
}

// close closes those that are free now, and the others when they are given back.
func (l *pool) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for _, n := range l.stale(0) {
		n.quit()
	}
}

// counts returns how many connections are in use, and how many are free.
func (l *pool) counts() (busy, free int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.slots), len(l.free)
}
