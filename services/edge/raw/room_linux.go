package raw

import (
	"context"
	"slices"
	"strings"

	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/shared/subject"
)

// hit is one frame for one connection.
type hit struct {
	frame *tail.Frame
	next  int32 // in shard.hits, -1 ends
}

// room is a shard's share of an interest: the shard joins it once for all its
// connections, so that joining and leaving touch nothing shared.
type room struct {
	s       *shard
	pattern subject.Pattern
	seat    *tail.Seat
	conns   []*conn // closed ones are swept out when they are many
	closed  int
	stale   bool // it is in shard.stale
}

// Wake implements tail.Reader.
func (m *room) Wake(f *tail.Frame) {
	if f == nil {
		m.s.post(task{kind: taskReset, room: m})
		return
	}
	m.s.post(task{kind: taskFrame, room: m, frame: f})
}

// Offer implements tail.Reader.
func (m *room) Offer(f *tail.Frame) { m.s.post(task{kind: taskOffer, room: m, frame: f}) }

// enter takes a connection into a room, which is made if it is the first.
func (s *shard) enter(c *conn, p subject.Pattern) *room {
	m := s.rooms[p]
	if m == nil {
		p = subject.Pattern(strings.Clone(string(p))) // it is a piece of the request
		m = &room{s: s, pattern: p}
		m.seat = s.tail.Sit(m, p)
		s.rooms[p] = m
	}
	m.conns = append(m.conns, c)
	m.recount()
	c.rooms = append(c.rooms, m)
	return m
}

// leave takes a connection out of a room. An empty room is closed by tidy: this turn
// may still have frames for it.
func (s *shard) leave(c *conn, p subject.Pattern) {
	i := slices.IndexFunc(c.rooms, func(m *room) bool { return m.pattern == p })
	m := c.rooms[i]
	c.rooms = slices.Delete(c.rooms, i, i+1)
	m.conns = slices.Delete(m.conns, slices.Index(m.conns, c), slices.Index(m.conns, c)+1)
	m.recount()
	if len(m.conns) == m.closed {
		s.spoil(m)
	}
}

// recount tells the tail how many connections the room stands for.
func (m *room) recount() { m.seat.StandFor(len(m.conns) - m.closed) }

// spoil marks a room for tidy.
func (s *shard) spoil(m *room) {
	if !m.stale {
		m.stale = true
		s.stale = append(s.stale, m)
	}
}

// sendRoom writes the only frame of this turn to everyone in a room who keeps up.
func (s *shard) sendRoom(m *room, f *tail.Frame) {
	for _, c := range m.conns {
		if !c.idle || c.Cursor.Seq >= f.Seq || c.ID.Is(f.Except) {
			continue
		}
		c.Cursor.Seq = f.Seq
		s.delivered++
		b := c.Bytes(s.tail, f)
		c.Count(s.tail, f)
		s.push(c, b)
	}
}

// noteRoom notes one of several frames of this turn for everyone in a room who
// keeps up; flush writes them.
func (s *shard) noteRoom(m *room, f *tail.Frame) {
	for _, c := range m.conns {
		if !c.idle || c.Cursor.Seq >= f.Seq || c.ID.Is(f.Except) {
			continue
		}
		at := int32(len(s.hits))
		switch {
		case !c.dirty:
			c.dirty, c.first = true, at
			s.dirty = append(s.dirty, c)
		case s.hits[c.last].frame == f: // overlapping patterns
			continue
		default:
			s.hits[c.last].next = at
		}
		c.last = at
		s.hits = append(s.hits, hit{frame: f, next: -1})
	}
}

// offerRoom writes an ephemeral frame to everyone in a room who keeps up, and
// drops it for the others.
func (s *shard) offerRoom(m *room, f *tail.Frame) {
	s.flush() // ephemeral events keep their place among the others
	for _, c := range m.conns {
		switch {
		case c.closed, c.ID.Is(f.Except):
		case !c.idle:
			s.r.h.Metrics.EphemeralDropped.Inc()
		case c.offered == f: // overlapping patterns
		default:
			c.offered = f
			s.delivered++
			b := c.Bytes(s.tail, f)
			c.Count(s.tail, f)
			s.push(c, b)
		}
	}
}

// resetRoom makes everyone in a room find out that the log is another one.
func (s *shard) resetRoom(ctx context.Context, m *room) {
	for _, c := range m.conns {
		if c.idle {
			s.pump(ctx, c)
		}
	}
}

// change applies a change to a connection that is not reading the stream.
func (s *shard) change(ctx context.Context, c *conn, ch *connection.Change) {
	if c.idle {
		s.pump(ctx, c) // its cursor is where it last got something; the new topics begin now
	}
	switch {
	case c.closed, c.parting():
		ch.Refuse()
	case c.read != nil:
		c.read.changes = &waiting{ch, c.read.changes}
	default:
		s.apply(ctx, c, ch)
	}
}

// apply applies a change at the connection's cursor.
func (s *shard) apply(ctx context.Context, c *conn, ch *connection.Change) {
	add, remove, ok := c.Plan(ch)
	if !ok {
		return
	}
	for _, p := range remove {
		s.leave(c, p)
	}
	for i, p := range add {
		add[i] = s.enter(c, p).pattern // shared by all in the room
	}
	c.Apply(ch, add, remove)
	s.appoint(c)
	s.pump(ctx, c)
}

// tidy compacts the rooms that need it.
func (s *shard) tidy() {
	for _, m := range s.stale {
		m.compact()
	}
	clear(s.stale)
	s.stale = s.stale[:0]
}

// compact sweeps closed connections out, and leaves the interest with the last.
func (m *room) compact() {
	live := m.conns[:0]
	for _, c := range m.conns {
		if !c.closed {
			live = append(live, c)
		}
	}
	clear(m.conns[len(live):])
	m.conns, m.closed, m.stale = live, 0, false
	if len(live) == 0 {
		m.seat.Leave()
		delete(m.s.rooms, m.pattern)
	}
}
