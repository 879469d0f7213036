package raw

import (
	"slices"
	"time"

	"tidings/services/edge/connection"
	"tidings/services/edge/wire"
	"tidings/shared/event"
)

// appoint notes when the token's end is near and when it has come.
func (s *shard) appoint(c *conn) {
	c.warnAt, c.endAt = 0, 0
	now := time.Now()
	if warn, end := c.Expiry(now); !end.IsZero() {
		c.warnAt, c.endAt = s.now+warn.Sub(now), s.now+end.Sub(now)
	}
}

// sweep keeps the appointments. seen is a position that every connection which
// keeps up has reached.
func (s *shard) sweep(seen event.Cursor) {
	defer s.report()
	defer s.tidy()
	h := s.r.h
	away := h.Config().Away() != nil
	for _, c := range slices.Backward(s.conns) { // closing moves the last one here
		switch {
		case c.parting():
			if s.now >= c.sock.talk.until {
				s.close(c, c.sock.talk.cause)
			}
			continue
		case c.silent(s.now, h.Config().Silence()):
			s.close(c, connection.CauseSilent)
			continue
		case c.endAt != 0 && s.now >= c.endAt:
			s.dismiss(c, wire.Expired)
			continue
		case c.leaveAt != 0 && s.now >= c.leaveAt:
			s.dismiss(c, wire.Draining)
			continue
		case c.pending != nil && s.now-c.progress >= h.Config().Stall:
			s.close(c, connection.CauseStalled)
			continue
		case !c.idle:
			continue
		}
		if c.Cursor.Epoch == seen.Epoch {
			c.Cursor.Seq = max(c.Cursor.Seq, seen.Seq)
		}
		if c.warnAt != 0 && s.now >= c.warnAt {
			c.warnAt = 0
			s.write(c, c.AppendExpiring(nil))
		} else if away != c.WasAway {
			s.write(c, c.AppendState(nil))
		} else if s.now-c.lastSent >= h.Config().Heartbeat {
			s.beat(c)
		}
	}
}

// silent reports whether the client of a WebSocket has owed a sign of life for so
// long. While its socket is not read it may have given one.
func (c *conn) silent(now, limit time.Duration) bool {
	k := c.sock
	return k != nil && k.awaiting != 0 && now-k.awaiting >= limit && c.pending == nil && !k.more
}

// beat breaks the silence of a stream.
func (s *shard) beat(c *conn) {
	if c.sock != nil && c.sock.awaiting == 0 {
		c.sock.awaiting = s.now
	}
	s.write(c, c.AppendHeartbeat(nil, c.Cursor))
}
