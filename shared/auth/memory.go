package auth

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// maxMemoryTickets is the most tickets a MemoryTickets holds. A ticket carries a
// grant that fit into a token, so this is some 64 MiB if all are hostile.
const maxMemoryTickets = 8192

// ErrTicketsFull says that a MemoryTickets has no room until tickets end. Old ones
// are not pushed out: their owners were promised that they work.
var ErrTicketsFull = errors.New("too many tickets at once")

// MemoryTickets is a TicketStore in this process. It is for tests and for running
// everything in one process; elsewhere a ticket issued by one node would be unknown
// to the others. Make it with NewMemoryTickets.
type MemoryTickets struct {
	ttl time.Duration

	mu    sync.Mutex
	items map[string]*list.Element // Of memoryTicket, by key.
	order *list.List               // The same, oldest first.
}

type memoryTicket struct {
	key   string
	value []byte
	until time.Time
}

// NewMemoryTickets returns an empty store that forgets tickets after ttl, or
// TicketTTL if it is 0 or less. It needs no closing: old tickets are dropped when
// new ones come.
func NewMemoryTickets(ttl time.Duration) *MemoryTickets {
	if ttl <= 0 {
		ttl = TicketTTL
	}
	return &MemoryTickets{ttl: ttl, items: make(map[string]*list.Element), order: list.New()}
}

// Put implements TicketStore. It returns ErrTicketsFull when there is no room.
func (m *MemoryTickets) Put(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		if now.Before(e.Value.(memoryTicket).until) {
			break
		}
		m.remove(e)
	}
	if e := m.items[key]; e != nil {
		m.remove(e)
	}
	if len(m.items) >= maxMemoryTickets {
		return ErrTicketsFull
	}
	m.items[key] = m.order.PushBack(memoryTicket{key: key, value: bytes.Clone(value), until: now.Add(m.ttl)})
	return nil
}

// Take implements TicketStore.
func (m *MemoryTickets) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.items[key]
	if e == nil {
		return nil, ErrNoTicket
	}
	t := m.remove(e)
	if !time.Now().Before(t.until) {
		return nil, ErrNoTicket
	}
	return t.value, nil
}

// remove drops e and returns what it held. The caller holds mu.
func (m *MemoryTickets) remove(e *list.Element) memoryTicket {
	t := m.order.Remove(e).(memoryTicket)
	delete(m.items, t.key)
	return t
}
