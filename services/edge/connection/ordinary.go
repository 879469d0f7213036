package connection

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/httpx"
)

// ordinary is the sink that works on every transport net/http serves: the
// handler's goroutine waits, reads and writes. It owns its conn; Wake, Offer and
// leaveWithin are for others.
type ordinary struct {
	*conn
	out  *httpx.StreamWriter
	view *tail.View

	lastSent time.Time
	frames   []*tail.Frame // scratch
	blocks   [][]byte      // scratch

	wake      chan struct{} // 1 slot
	ephemeral chan *tail.Frame
	leave     chan time.Duration // 1 slot: leave after
}

func newOrdinary(c *conn) *ordinary {
	return &ordinary{
		conn: c, frames: make([]*tail.Frame, readBatch),
		wake: make(chan struct{}, 1), ephemeral: make(chan *tail.Frame, ephemeralSlots), leave: make(chan time.Duration, 1),
	}
}

// Wake implements tail.Reader.
func (o *ordinary) Wake(*tail.Frame) { o.poke() }

// poke makes the stream look for something to do.
func (o *ordinary) poke() {
	select {
	case o.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Offer implements tail.Reader.
func (o *ordinary) Offer(f *tail.Frame) {
	select {
	case o.ephemeral <- f:
	default:
		o.h.metrics.ephemeralDropped.Inc()
	}
}

// leaveWithin makes the stream leave at a random moment within d.
func (o *ordinary) leaveWithin(d time.Duration) {
	select {
	case o.leave <- rand.N(d + 1):
	default: // it is leaving already
	}
}

// serveOrdinary keeps the handler's goroutine until the stream ends.
func (h *Host) serveOrdinary(c echo.Context, s *conn, void string) {
	defer h.conns.release(s)
	o := newOrdinary(s)
	h.conns.join(o)
	defer h.conns.leave(o)
	if h.draining.Load() { // it began while we were joining
		o.leaveWithin(0)
	}
	o.view = h.cfg.Tail.Join(o, s.patterns)
	defer o.view.Leave()
	o.out = openStream(c, h.cfg.Stall, s.gzip)
	retry, words := s.opening(void)
	cause := causeGone
	if o.send(retry) == nil && o.send(words) == nil {
		cause = o.run(c.Request().Context())
	}
	h.metrics.ends.WithLabelValues(cause).Inc()
}

// run streams until the client leaves, the token ends or the node drains. It
// returns the cause for the metrics.
func (o *ordinary) run(ctx context.Context) string {
	bye, err := o.stream(ctx)
	switch {
	case err == nil:
		_ = o.send(o.farewell(appendBye(nil, bye))) // the last word may not be heard; the stream ends anyway
		return bye.Code
	case ctx.Err() != nil:
		return causeGone
	case errors.Is(err, httpx.ErrStalled):
		return causeStalled
	case errors.Is(err, errLog):
		o.h.cfg.Logger.Warn("a connection ended for a failed read of the log; it can resume", "err", err)
		return causeFailed
	}
	return causeGone
}

// stream is the life of a connection after its hello.
func (o *ordinary) stream(ctx context.Context) (wire.Bye, error) {
	t := o.newTimers()
	defer t.stop()
	ready := make(chan struct{})
	close(ready)
	for {
		more, err := o.advance(ctx)
		if err == nil && !more {
			err = o.send(o.pack(o.appendState(nil)))
		}
		if err != nil {
			return wire.Bye{}, err
		}
		// With more to send the next turn comes at once, yet the appointments are kept:
		// a long replay must not outlive its token.
		var again <-chan struct{}
		if more {
			again = ready
		}
		select {
		case <-again:
		case <-ctx.Done():
			return wire.Bye{}, ctx.Err()
		case <-o.wake:
		case f := <-o.ephemeral:
			err = o.sendEphemeral(f)
		case d := <-o.leave:
			t.leaving.Reset(d)
		case <-t.leaving.C:
			return wire.Draining, nil
		case <-t.expiring.C:
			err = o.send(o.pack(o.appendExpiring(nil)))
		case <-t.expired.C:
			return wire.Expired, nil
		case <-t.heartbeat.C:
			if time.Since(o.lastSent) >= o.h.cfg.Heartbeat-time.Millisecond {
				err = o.send(o.pack(wire.AppendHeartbeat(nil, o.cursor)))
			}
			t.heartbeat.Reset(o.nextBeat())
		}
		if err != nil {
			return wire.Bye{}, err
		}
	}
}

// advance sends a bounded part of what there is, from wherever the cursor stands.
// It returns false when the head of the log was reached.
func (o *ordinary) advance(ctx context.Context) (bool, error) {
	n, at, err := o.view.Read(o.cursor, o.frames)
	switch {
	case errors.Is(err, tail.ErrEpoch):
		return true, o.send(o.pack(o.appendNewEpoch(nil)))
	case errors.Is(err, tail.ErrBehind):
		buf, err := o.catchUp(ctx)
		if err != nil {
			return false, err
		}
		return true, o.send(buf)
	case err != nil:
		return false, err
	}
	chosen, all := o.choose(o.frames[:n])
	if !all {
		at.Seq = chosen[len(chosen)-1].Seq
	}
	o.moveTo(at)
	blocks := o.blocks[:0]
	for _, f := range chosen {
		blocks = append(blocks, o.bytesOf(f))
		o.count(f)
	}
	o.h.metrics.delivered.Add(float64(len(blocks)))
	err = o.send(blocks...)
	clear(o.frames[:n]) // keep no dropped frame alive while waiting
	clear(blocks)
	o.blocks = blocks
	return !all || n == len(o.frames), err
}

// sendEphemeral sends one ephemeral event.
func (o *ordinary) sendEphemeral(f *tail.Frame) error {
	if o.id.is(f.Except) {
		return nil
	}
	o.h.metrics.delivered.Inc()
	b := o.bytesOf(f)
	o.count(f)
	return o.send(b)
}

// send writes the buffers as one; nothing for none.
func (o *ordinary) send(buffers ...[]byte) error {
	n := 0
	for _, b := range buffers {
		n += len(b)
	}
	if n == 0 {
		return nil
	}
	o.lastSent = time.Now()
	o.h.metrics.bytes.Add(float64(n))
	return o.out.Write(buffers...)
}

// nextBeat is when the stream will have been silent for a heartbeat.
func (o *ordinary) nextBeat() time.Duration {
	return max(o.h.cfg.Heartbeat-time.Since(o.lastSent), time.Millisecond)
}

// timers are the appointments of a stream.
type timers struct{ heartbeat, expiring, expired, leaving *time.Timer }

func (o *ordinary) newTimers() timers {
	t := timers{heartbeat: time.NewTimer(o.nextBeat()), expiring: never(), expired: never(), leaving: never()}
	if warn, end := o.expiry(time.Now()); !end.IsZero() {
		t.expiring.Reset(time.Until(warn))
		t.expired.Reset(time.Until(end))
	}
	return t
}

// never returns a timer that does not fire until it is reset.
func never() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (t timers) stop() {
	for _, timer := range []*time.Timer{t.heartbeat, t.expiring, t.expired, t.leaving} {
		timer.Stop()
	}
}
