package connection

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"tidings/services/edge/codec"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// Causes of an end that the client is not told, because it cannot be.
const (
	CauseGone    = "gone"    // the client left
	CauseStalled = "stalled" // a write made no progress
	CauseSilent  = "silent"  // a WebSocket's client gave no sign of life
	CauseFailed  = "failed"  // an error of ours; the client may resume
	CauseBroken  = "broken"  // a WebSocket's client broke its rules
)

// Conn is one stream: who, which topics, how far. It knows what to send next and
// not how: a sink owns it, takes frames and bytes from it and writes them. Only one
// goroutine uses it at a time.
//
// Its size is what an idle connection costs, so it keeps no more of the request
// than it needs.
type Conn struct {
	codec.Codec
	// ID names the connection for as long as it lives.
	ID ID
	// Patterns are its topics, each once. Who changes them joins and leaves them.
	Patterns []subject.Pattern
	// Cursor says that everything up to here was handed to the sink.
	Cursor event.Cursor
	// Grant judges what the client of a WebSocket asks for; nil for the others.
	Grant *auth.Grant
	// WasAway says that tidings.away was sent and not yet taken back.
	WasAway bool

	resumed          bool
	caughtUp         bool // tidings.live was sent
	h                *Host
	slot, generation uint32 // of the registry
	user             string
	ip               address
	token            uint64  // TokenHash of the token's id; 0 if it has none
	since            int64   // when it was admitted; times are in nanoseconds since 1970
	end              int64   // when the token ends; 0 is never
	starts           *starts // where each topic begins while a rewind is replayed, else nil
}

// address is a client's, in IPv6's form: half of what a netip.Addr takes, and nothing
// elsewhere. The zero address is that of a client that has none.
type address [16]byte

// addressOf reads an address as a request has it.
func addressOf(s string) address {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return address{}
	}
	return a.As16()
}

func newConn(h *Host, r *Request) *Conn {
	c := &Conn{h: h, Codec: r.Codec, user: r.Grant.User, end: nanoseconds(r.Grant.Expires), Patterns: r.Patterns}
	c.since, c.ip, c.token = time.Now().UnixNano(), addressOf(r.IP), TokenHash(r.Grant.TokenID)
	if c.Socket() {
		c.Grant = r.Grant
	}
	return c
}

// User returns whose connection it is. It never changes.
func (c *Conn) User() string { return c.user }

// Since returns when the connection was admitted.
func (c *Conn) Since() time.Time { return time.Unix(0, c.since) }

// IP returns the client's address, which is not valid if it has none. It never changes.
func (c *Conn) IP() netip.Addr {
	if c.ip == (address{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16(c.ip).Unmap()
}

// Token returns the TokenHash of the token's id, which a newer token changes.
func (c *Conn) Token() uint64 { return c.token }

// TokenHash stands for a token's id in 8 bytes; 0 is no id. Who issues tokens might
// find two ids with one hash, and would gain nothing.
func TokenHash(id string) uint64 {
	if id == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(id))
	return max(binary.LittleEndian.Uint64(sum[:]), 1)
}

// nanoseconds is a time as Conn keeps it, in a third of the memory.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// expires returns when the connection's token ends; zero is never.
func (c *Conn) expires() time.Time {
	if c.end == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.end)
}

// Slot returns the numbers under which Host.At finds the connection.
func (c *Conn) Slot() (index, generation uint32) { return c.slot, c.generation }

// Choose keeps of the frames read after the cursor those that the client gets, in
// place, and about as many as limit bytes allow. It reports whether all were
// considered; if not, the rest is to be read again after the last one chosen.
func (c *Conn) Choose(frames []*tail.Frame, limit int) (chosen []*tail.Frame, all bool) {
	bytes, n := 0, 0
	for i, f := range frames {
		if c.ID.Is(f.Except) || !c.starts.wants(f.Topic, f.Seq) {
			continue
		}
		frames[n] = f
		n++
		if bytes += len(f.SSE); bytes >= limit && i < len(frames)-1 {
			return frames[:n], false
		}
	}
	return frames[:n], true
}

// MoveTo moves the cursor, and forgets a rewind that has been replayed.
func (c *Conn) MoveTo(at event.Cursor) {
	c.Cursor = at
	c.starts = c.starts.past(at.Seq)
}

// AppendState appends the announcement that the replay is over, or that the log
// is away or back; nothing if the client knows.
func (c *Conn) AppendState(buf []byte) []byte {
	err := c.h.cfg.Away()
	switch {
	case err != nil && !c.WasAway:
		c.WasAway = true
		return c.AppendControl(buf, event.Cursor{}, wire.TypeAway, wire.AwayData{Reason: wire.Away.Reason})
	case err == nil && (!c.caughtUp || c.WasAway):
		c.caughtUp, c.WasAway = true, false
		return c.AppendControl(buf, c.Cursor, wire.TypeLive, wire.Live{Cursor: c.Cursor.String()})
	}
	return buf
}

// appendGaps appends for every topic that what came after the cursor is gone, and
// moves the cursor.
func (c *Conn) appendGaps(buf []byte, now event.Cursor, reason string) []byte {
	for _, p := range c.Patterns {
		buf = c.AppendControl(buf, now, wire.TypeGap, wire.Gap{Topic: p, After: c.Cursor.String(), Before: now.String(), Reason: reason})
	}
	c.h.Metrics.gaps.Add(float64(len(c.Patterns)))
	c.Cursor, c.starts = now, nil
	return buf
}

// AppendNewEpoch tells the client that the log is another one now, and goes on
// from where the edge began to follow that.
func (c *Conn) AppendNewEpoch(buf []byte) []byte {
	x := c.h.cfg.Tail.Extent()
	return c.appendGaps(buf, event.Cursor{Epoch: x.Epoch, Seq: x.Start}, wire.GapEpoch)
}

// AppendExpiring appends the warning that the token ends soon.
func (c *Conn) AppendExpiring(buf []byte) []byte {
	return c.AppendControl(buf, event.Cursor{}, wire.TypeExpiring, wire.Expiring{InMS: time.Until(c.expires()).Milliseconds()})
}

// Expiry returns when the client is warned of its token's end, and when that is.
// Both are zero for a token without end.
func (c *Conn) Expiry(now time.Time) (warn, end time.Time) {
	end = c.expires()
	if end.IsZero() {
		return end, end
	}
	// Half of a short token's life is a better warning than none at all.
	left := end.Sub(now)
	return now.Add(max(left-expiringBefore, left/2)), end
}
