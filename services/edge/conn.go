package edge

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"time"

	"tidings/services/edge/tail"
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

// errStalled ends a connection whose socket took nothing for Config.Stall.
var errStalled = errors.New("the client did not read")

// sink takes the bytes of a connection.
type sink interface {
	// Write sends the buffers, in order and together, and returns when the transport
	// has taken them. The buffers are shared and must not be changed. Errors end the
	// connection; errStalled says that nothing was taken for the stall time.
	Write(buffers ...[]byte) error
}

// conn is one stream: who, which topics, how far. It is owned by the goroutine
// that calls run; Wake, Offer and leaveWithin are for others.
type conn struct {
	e        *Edge
	id       string
	ip       string
	grant    *auth.Grant
	patterns []subject.Pattern
	view     *tail.View
	sink     sink

	cursor   event.Cursor // everything up to here was sent
	resumed  bool
	starts   *starts // where each topic begins while a rewind is replayed, else nil
	caughtUp bool    // tidings.live was sent
	wasAway  bool    // tidings.away was sent and not yet taken back
	lastSent time.Time
	frames   []*tail.Frame // scratch of deliver, and
	blocks   [][]byte      // theirs
	buf      []byte        // scratch of control events

	wake      chan struct{} // 1 slot
	ephemeral chan *tail.Frame
	leave     chan time.Duration // 1 slot: leave at a random moment within
}

func newConn(e *Edge, g *auth.Grant, ip string, patterns []subject.Pattern) *conn {
	return &conn{
		e: e, id: newConnID(), ip: ip, grant: g, patterns: patterns,
		wake: make(chan struct{}, 1), ephemeral: make(chan *tail.Frame, ephemeralSlots), leave: make(chan time.Duration, 1),
	}
}

// newConnID returns an unguessable id: whoever knows it may address the connection.
func newConnID() string { return crand.Text()[:20] }

// Wake implements tail.Reader.
func (c *conn) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Offer implements tail.Reader.
func (c *conn) Offer(f *tail.Frame) {
	select {
	case c.ephemeral <- f:
	default:
		c.e.metrics.ephemeralDropped.Inc()
	}
}

// leaveWithin makes the connection leave at a random moment within d.
func (c *conn) leaveWithin(d time.Duration) {
	select {
	case c.leave <- rand.N(d + 1):
	default: // it is leaving already
	}
}

// run streams until the client leaves, the token ends or the node drains. It
// returns the cause for the metrics.
func (c *conn) run(ctx context.Context) string {
	bye, err := c.stream(ctx)
	switch {
	case err == nil:
		// The last word may not be heard; the connection ends anyway.
		_ = c.send(appendControl(c.buf[:0], event.Cursor{}, typeBye, bye.withRetry()))
		return bye.Code
	case ctx.Err() != nil:
		return causeGone
	case errors.Is(err, errStalled):
		return causeStalled
	case errors.Is(err, errLog):
		c.e.log.Warn("a connection ended for a failed read of the log; it can resume", "err", err)
		return causeFailed
	}
	return causeGone
}

// stream is the life of a connection after its hello.
func (c *conn) stream(ctx context.Context) (Bye, error) {
	t := newTimers(c)
	defer t.stop()
	for {
		more, err := c.advance(ctx)
		if err == nil && !more {
			err = c.tellState()
		}
		if err != nil {
			return Bye{}, err
		}
		// With more to send the next turn comes at once, yet the appointments are kept:
		// a long replay must not outlive its token.
		var again <-chan struct{}
		if more {
			again = alwaysReady
		}
		select {
		case <-again:
		case <-ctx.Done():
			return Bye{}, ctx.Err()
		case <-c.wake:
		case f := <-c.ephemeral:
			if err := c.sendEphemeral(f); err != nil {
				return Bye{}, err
			}
		case d := <-c.leave:
			t.leaveIn(d)
		case <-t.leaving.C:
			return byeDraining, nil
		case <-t.expiring.C:
			if err := c.control(typeExpiring, expiring{InMS: time.Until(c.grant.Expires).Milliseconds()}); err != nil {
				return Bye{}, err
			}
		case <-t.expired.C:
			return byeExpired, nil
		case <-t.heartbeat.C:
			if err := c.beat(); err != nil {
				return Bye{}, err
			}
			t.heartbeat.Reset(c.nextBeat())
		}
	}
}

// alwaysReady is a channel that never blocks.
var alwaysReady = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// forever is longer than any process runs.
const forever = 100 * 365 * 24 * time.Hour

// timers are the appointments of a connection.
type timers struct{ heartbeat, expiring, expired, leaving *time.Timer }

func newTimers(c *conn) timers {
	left := forever
	if !c.grant.Expires.IsZero() {
		left = time.Until(c.grant.Expires)
	}
	// Half of a short token's life is a better warning than none at all.
	warn := max(left-expiringBefore, left/2)
	t := timers{
		heartbeat: time.NewTimer(c.nextBeat()), expiring: time.NewTimer(warn),
		expired: time.NewTimer(left), leaving: time.NewTimer(forever),
	}
	t.leaving.Stop()
	return t
}

func (t timers) leaveIn(d time.Duration) { t.leaving.Reset(d) }

func (t timers) stop() {
	for _, timer := range []*time.Timer{t.heartbeat, t.expiring, t.expired, t.leaving} {
		timer.Stop()
	}
}

// nextBeat is when the connection will have been silent for a heartbeat.
func (c *conn) nextBeat() time.Duration {
	return max(c.e.cfg.Heartbeat-time.Since(c.lastSent), time.Millisecond)
}

// beat sends the id-only heartbeat, unless something was sent lately.
func (c *conn) beat() error {
	if time.Since(c.lastSent) < c.e.cfg.Heartbeat-time.Millisecond {
		return nil
	}
	return c.send(appendHeartbeat(c.buf[:0], c.cursor))
}

// tellState announces that the replay is over, or that the log is away or back.
func (c *conn) tellState() error {
	err := c.e.away()
	switch {
	case err != nil && !c.wasAway:
		c.wasAway = true
		return c.control(typeAway, away{Reason: byeAway.Reason})
	case err == nil && (!c.caughtUp || c.wasAway):
		c.caughtUp, c.wasAway = true, false
		return c.send(appendControl(c.buf[:0], c.cursor, typeLive, live{Cursor: c.cursor.String()}))
	}
	return nil
}

// control sends a control event that does not move the client's position.
func (c *conn) control(kind string, data any) error {
	return c.send(appendControl(c.buf[:0], event.Cursor{}, kind, data))
}

// sendEphemeral sends one ephemeral event.
func (c *conn) sendEphemeral(f *tail.Frame) error {
	if f.Except == c.id {
		return nil
	}
	c.e.metrics.delivered.Inc()
	return c.send(f.SSE)
}

// send writes the buffers as one.
func (c *conn) send(buffers ...[]byte) error {
	n := 0
	for _, b := range buffers {
		n += len(b)
	}
	c.lastSent = time.Now()
	c.e.metrics.bytes.Add(float64(n))
	return c.sink.Write(buffers...)
}
