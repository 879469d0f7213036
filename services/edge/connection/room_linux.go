package connection

import (
	"context"

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
	conns   []*rawConn // closed ones are swept out when they are many
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

// sendRoom writes the only frame of this turn to everyone in a room who keeps up.
func (s *shard) sendRoom(m *room, f *tail.Frame) {
	sent := 0
	for _, c := range m.conns {
		if !c.idle || c.cursor.Seq >= f.Seq || c.id.is(f.Except) {
			continue
		}
		c.cursor.Seq = f.Seq
		sent++
		b := c.bytesOf(f)
		c.count(f)
		s.push(c, b)
	}
	s.r.h.metrics.delivered.Add(float64(sent))
}

// noteRoom notes one of several frames of this turn for everyone in a room who
// keeps up; flush writes them.
func (s *shard) noteRoom(m *room, f *tail.Frame) {
	for _, c := range m.conns {
		if !c.idle || c.cursor.Seq >= f.Seq || c.id.is(f.Except) {
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
		case c.closed, c.id.is(f.Except):
		case !c.idle:
			s.r.h.metrics.ephemeralDropped.Inc()
		case c.offered == f: // overlapping patterns
		default:
			c.offered = f
			s.r.h.metrics.delivered.Inc()
			b := c.bytesOf(f)
			c.count(f)
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
