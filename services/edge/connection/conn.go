package connection

import (
	crand "crypto/rand"
	"time"

	"tidings/services/edge/blocks"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// Causes of an end that the client is not told, because it cannot be.
const (
	causeGone    = "gone"    // the client left
	causeStalled = "stalled" // a write made no progress
	causeFailed  = "failed"  // an error of ours; the client may resume
)

// conn is one stream: who, which topics, how far. It knows what to send next and
// not how: a sink owns it, takes blocks from it and writes them. Only one
// goroutine uses it at a time.
//
// Its size is what an idle connection costs, so it keeps no more of the request
// than it needs.
type conn struct {
	h        *Host
	id       connID
	user     string
	ip       string // "" unless addresses are counted
	expires  time.Time
	patterns []subject.Pattern

	cursor   event.Cursor // everything up to here was handed to the sink
	starts   *starts      // where each topic begins while a rewind is replayed, else nil
	chunked  bool         // the sink frames chunks itself
	gzip     bool         // the stream is compressed, and
	sum      blocks.Sum   // its checksum so far
	resumed  bool
	caughtUp bool // tidings.live was sent
	wasAway  bool // tidings.away was sent and not yet taken back
}

func newConn(h *Host, g *auth.Grant, ip string, patterns []subject.Pattern) *conn {
	c := &conn{h: h, user: g.User, expires: g.Expires, patterns: patterns}
	if h.cfg.PerIP > 0 {
		c.ip = ip
	}
	copy(c.id[:], crand.Text())
	return c
}

// connID is unguessable: whoever knows it may address the connection.
type connID [20]byte

// String returns the id as clients see it.
func (id *connID) String() string { return string(id[:]) }

// is reports whether an event's Except names this connection.
func (id *connID) is(except string) bool { return except != "" && except == string(id[:]) }

// choose keeps of the frames read after the cursor those that the client gets, in
// place, and as many as deliverBytes allow. It reports whether all were considered;
// if not, the rest is to be read again after the last one chosen.
func (c *conn) choose(frames []*tail.Frame) (chosen []*tail.Frame, all bool) {
	bytes, n := 0, 0
	for i, f := range frames {
		if c.id.is(f.Except) || !c.starts.wants(f.Topic, f.Seq) {
			continue
		}
		frames[n] = f
		n++
		if bytes += len(f.SSE); bytes >= deliverBytes && i < len(frames)-1 {
			return frames[:n], false
		}
	}
	return frames[:n], true
}

// bytesOf returns the bytes of a frame for this connection. Once they are handed
// over, count must be told.
func (c *conn) bytesOf(f *tail.Frame) []byte {
	switch {
	case c.gzip && c.chunked:
		return c.h.cfg.Tail.Packed(f).Chunk
	case c.gzip:
		return c.h.cfg.Tail.Packed(f).Bytes
	case c.chunked:
		return f.Chunk
	}
	return f.SSE
}

// count notes that a frame was handed over.
func (c *conn) count(f *tail.Frame) {
	if c.gzip {
		c.sum.Add(c.h.cfg.Tail.Packed(f))
	}
}

// pack turns bytes of the stream into what is written, which must then be.
func (c *conn) pack(b []byte) []byte { return c.frame(c.squeeze(b)) }

// squeeze compresses, if the stream is.
func (c *conn) squeeze(b []byte) []byte {
	if !c.gzip || len(b) == 0 {
		return b
	}
	k := blocks.New(b)
	c.sum.Add(k)
	return k.Bytes
}

// frame makes a chunk, if the sink needs it.
func (c *conn) frame(b []byte) []byte {
	if !c.chunked {
		return b
	}
	chunk, _ := blocks.Chunk(b)
	return chunk
}

// farewell turns the stream's last words into what is written.
func (c *conn) farewell(b []byte) []byte {
	b = c.squeeze(b)
	if c.gzip {
		b = c.sum.AppendTrailer(b)
	}
	b = c.frame(b)
	if c.chunked {
		b = append(b, blocks.LastChunk...)
	}
	return b
}

// moveTo moves the cursor, and forgets a rewind that has been replayed.
func (c *conn) moveTo(at event.Cursor) {
	c.cursor = at
	c.starts = c.starts.past(at.Seq)
}

// appendState appends the announcement that the replay is over, or that the log
// is away or back; nothing if the client knows.
func (c *conn) appendState(buf []byte) []byte {
	err := c.h.cfg.Away()
	switch {
	case err != nil && !c.wasAway:
		c.wasAway = true
		return wire.AppendControl(buf, event.Cursor{}, wire.TypeAway, wire.AwayData{Reason: wire.Away.Reason})
	case err == nil && (!c.caughtUp || c.wasAway):
		c.caughtUp, c.wasAway = true, false
		return wire.AppendControl(buf, c.cursor, wire.TypeLive, wire.Live{Cursor: c.cursor.String()})
	}
	return buf
}

// appendGaps appends for every topic that what came after the cursor is gone, and
// moves the cursor.
func (c *conn) appendGaps(buf []byte, now event.Cursor, reason string) []byte {
	for _, p := range c.patterns {
		buf = wire.AppendControl(buf, now, wire.TypeGap, wire.Gap{Topic: p, After: c.cursor.String(), Before: now.String(), Reason: reason})
	}
	c.h.metrics.gaps.Add(float64(len(c.patterns)))
	c.cursor, c.starts = now, nil
	return buf
}

// appendNewEpoch tells the client that the log is another one now, and goes on
// from where the edge began to follow that.
func (c *conn) appendNewEpoch(buf []byte) []byte {
	x := c.h.cfg.Tail.Extent()
	return c.appendGaps(buf, event.Cursor{Epoch: x.Epoch, Seq: x.Start}, wire.GapEpoch)
}

// appendExpiring appends the warning that the token ends soon.
func (c *conn) appendExpiring(buf []byte) []byte {
	return wire.AppendControl(buf, event.Cursor{}, wire.TypeExpiring, wire.Expiring{InMS: time.Until(c.expires).Milliseconds()})
}

// appendBye appends the last word.
func appendBye(buf []byte, b wire.Bye) []byte {
	return wire.AppendControl(buf, event.Cursor{}, wire.TypeBye, b.WithRetry())
}

// expiry returns when the client is warned of its token's end, and when that is.
// Both are zero for a token without end.
func (c *conn) expiry(now time.Time) (warn, end time.Time) {
	end = c.expires
	if end.IsZero() {
		return end, end
	}
	// Half of a short token's life is a better warning than none at all.
	left := end.Sub(now)
	return now.Add(max(left-expiringBefore, left/2)), end
}
