package connection

import (
	"sync"

	"tidings/services/edge/slots"
	"tidings/services/edge/wire"
)

// Member is a live connection as its sink knows it.
type Member interface {
	// Named returns the connection's part of its name. It never changes.
	Named() ID
	// Post hands a change over, which the connection's owner then applies or refuses.
	// It does not block.
	Post(ch *Change)
	// Dismiss ends the connection with a reason. It does not block, and may be called
	// more than once.
	Dismiss(b wire.Bye)
}

// registry admits connections within the bounds and finds them.
type registry struct {
	members slots.Table[Member]

	mu    sync.Mutex
	total int
	moves uint64 // of connections, in and out
	users map[string]int
	ips   map[address]int
	idle  chan struct{} // closed while there are no connections
}

func (r *registry) init() {
	r.users, r.ips = map[string]int{}, map[address]int{}
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
	r.moves++
	r.users[c.user]++
	if cfg.PerIP > 0 {
		r.ips[c.ip]++
	}
	c.slot, c.generation = r.members.Put(nil)
	c.ID = newID(c.slot)
	return nil
}

// release counts an admitted connection out.
func (r *registry) release(c *Conn) {
	r.members.Drop(c.slot)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moves++
	decrement(r.users, c.user)
	if c.h.cfg.PerIP > 0 {
		decrement(r.ips, c.ip)
	}
	if r.total--; r.total == 0 {
		close(r.idle)
	}
}

func decrement[K comparable](m map[K]int, key K) {
	if m[key]--; m[key] <= 0 {
		delete(m, key)
	}
}

// find returns the live connection of an id, nil if there is none.
func (r *registry) find(id ID) Member {
	slot, ok := id.slot()
	if !ok {
		return nil
	}
	if m := r.members.Now(slot); m != nil && m.Named() == id {
		return m
	}
	return nil
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// moved returns how often a connection came or went.
func (r *registry) moved() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moves
}

// empty returns a channel that is closed once there are no connections.
func (r *registry) empty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle
}
