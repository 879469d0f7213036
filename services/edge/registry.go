package edge

import (
	"sync"
	"time"
)

// member is what a sink lets others do to a connection. Its methods do not block.
type member interface {
	// poke makes the connection look for something to do.
	poke()
	// leaveWithin makes it say goodbye at a random moment within d.
	leaveWithin(d time.Duration)
}

// registry knows every live connection and counts them per user and address.
type registry struct {
	mu    sync.Mutex
	conns map[*conn]member // nil until the connection has a sink
	users map[string]int
	ips   map[string]int
	idle  chan struct{} // closed while there are no connections
}

func (r *registry) init() {
	r.conns, r.users, r.ips = map[*conn]member{}, map[string]int{}, map[string]int{}
	r.idle = make(chan struct{})
	close(r.idle)
}

// add admits a connection within the bounds, or says which one it would break.
func (r *registry) add(c *conn, cfg *Config) (Bye, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.conns) >= cfg.Connections:
		return byeFull, false
	case r.users[c.grant.User] >= cfg.PerUser:
		return byeUser, false
	case cfg.PerIP > 0 && r.ips[c.ip] >= cfg.PerIP:
		return byeIP, false
	}
	if len(r.conns) == 0 {
		r.idle = make(chan struct{})
	}
	r.conns[c] = nil
	r.users[c.grant.User]++
	if cfg.PerIP > 0 {
		r.ips[c.ip]++
	}
	return Bye{}, true
}

// join makes an admitted connection reachable.
func (r *registry) join(c *conn, m member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = m
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	decrement(r.users, c.grant.User)
	decrement(r.ips, c.ip)
	if len(r.conns) == 0 {
		close(r.idle)
	}
}

func decrement(m map[string]int, key string) {
	if m[key]--; m[key] <= 0 {
		delete(m, key)
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// each calls fn for every connection that has a sink; fn must not block.
func (r *registry) each(fn func(member)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.conns {
		if m != nil {
			fn(m)
		}
	}
}

// empty returns a channel that is closed once there are no connections.
func (r *registry) empty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle
}
