package connection

import (
	"sync"

	"tidings/services/edge/wire"
)

// registry admits connections within the bounds and knows those of the ordinary
// sink; the raw sink knows its own.
type registry struct {
	mu      sync.Mutex
	total   int
	users   map[string]int
	ips     map[string]int
	members map[*ordinary]struct{}
	idle    chan struct{} // closed while there are no connections
}

func (r *registry) init() {
	r.users, r.ips, r.members = map[string]int{}, map[string]int{}, map[*ordinary]struct{}{}
	r.idle = make(chan struct{})
	close(r.idle)
}

// admit counts a connection in, or says which bound it would break.
func (r *registry) admit(c *conn, cfg *Config) (wire.Bye, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.total >= cfg.Total:
		return wire.Full, false
	case r.users[c.user] >= cfg.PerUser:
		return wire.User, false
	case cfg.PerIP > 0 && r.ips[c.ip] >= cfg.PerIP:
		return wire.IP, false
	}
	if r.total == 0 {
		r.idle = make(chan struct{})
	}
	r.total++
	r.users[c.user]++
	if c.ip != "" {
		r.ips[c.ip]++
	}
	return wire.Bye{}, true
}

// release counts an admitted connection out.
func (r *registry) release(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	decrement(r.users, c.user)
	if c.ip != "" {
		decrement(r.ips, c.ip)
	}
	if r.total--; r.total == 0 {
		close(r.idle)
	}
}

func decrement(m map[string]int, key string) {
	if m[key]--; m[key] <= 0 {
		delete(m, key)
	}
}

// join and leave make an ordinary stream known to each.
func (r *registry) join(o *ordinary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[o] = struct{}{}
}

func (r *registry) leave(o *ordinary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, o)
}

// each calls fn for every ordinary stream; fn must not block.
func (r *registry) each(fn func(*ordinary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for o := range r.members {
		fn(o)
	}
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// empty returns a channel that is closed once there are no connections.
func (r *registry) empty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle
}
