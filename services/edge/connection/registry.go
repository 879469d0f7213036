package connection

import (
	"sync"

	"tidings/services/edge/wire"
)

// Member is a live connection as its sink knows it.
type Member interface {
	// Post hands a change over, which the connection's owner then applies or refuses.
	// It does not block.
	Post(ch *Change)
}

// registry admits connections within the bounds and finds them.
type registry struct {
	mu      sync.Mutex
	total   int
	users   map[string]int
	ips     map[string]int
	members map[ID]Member
	idle    chan struct{} // closed while there are no connections
}

func (r *registry) init() {
	r.users, r.ips, r.members = map[string]int{}, map[string]int{}, map[ID]Member{}
	r.idle = make(chan struct{})
	close(r.idle)
}

// admit counts a connection in, or says which bound it would break.
func (r *registry) admit(c *Conn, cfg *Config) *wire.Bye {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.total >= cfg.Total:
		return &wire.Full
	case r.users[c.user] >= cfg.PerUser:
		return &wire.User
	case cfg.PerIP > 0 && r.ips[c.ip] >= cfg.PerIP:
		return &wire.IP
	}
	if r.total == 0 {
		r.idle = make(chan struct{})
	}
	r.total++
	r.users[c.user]++
	if c.ip != "" {
		r.ips[c.ip]++
	}
	return nil
}

// release counts an admitted connection out.
func (r *registry) release(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, c.ID)
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

// join makes a connection findable, until it is released.
func (r *registry) join(id ID, m Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[id] = m
}

// find returns a live connection, nil if there is none.
func (r *registry) find(id ID) Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members[id]
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
