package edge

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/tail"
)

// writePiece is how much must go out within the stall time: at 16 KiB a minute a
// reader counts as slow, not as stalled.
const writePiece = 16 << 10

// ordinary is the sink that works on every transport net/http serves: the
// handler's goroutine waits, reads and writes. It owns its conn; Wake, Offer and
// leaveWithin are for others.
type ordinary struct {
	*conn
	out  *httpStream
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
		o.e.metrics.ephemeralDropped.Inc()
	}
}

// leaveWithin makes the stream leave at a random moment within d.
func (o *ordinary) leaveWithin(d time.Duration) {
	select {
	case o.leave <- rand.N(d + 1):
	default: // it is leaving already
	}
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
	case errors.Is(err, errStalled):
		return causeStalled
	case errors.Is(err, errLog):
		o.e.log.Warn("a connection ended for a failed read of the log; it can resume", "err", err)
		return causeFailed
	}
	return causeGone
}

// stream is the life of a connection after its hello.
func (o *ordinary) stream(ctx context.Context) (Bye, error) {
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
			return Bye{}, err
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
			return Bye{}, ctx.Err()
		case <-o.wake:
		case f := <-o.ephemeral:
			err = o.sendEphemeral(f)
		case d := <-o.leave:
			t.leaving.Reset(d)
		case <-t.leaving.C:
			return byeDraining, nil
		case <-t.expiring.C:
			err = o.send(o.pack(o.appendExpiring(nil)))
		case <-t.expired.C:
			return byeExpired, nil
		case <-t.heartbeat.C:
			if time.Since(o.lastSent) >= o.e.cfg.Heartbeat-time.Millisecond {
				err = o.send(o.pack(appendHeartbeat(nil, o.cursor)))
			}
			t.heartbeat.Reset(o.nextBeat())
		}
		if err != nil {
			return Bye{}, err
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
	o.e.metrics.delivered.Add(float64(len(blocks)))
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
	o.e.metrics.delivered.Inc()
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
	o.e.metrics.bytes.Add(float64(n))
	return o.out.Write(buffers...)
}

// nextBeat is when the stream will have been silent for a heartbeat.
func (o *ordinary) nextBeat() time.Duration {
	return max(o.e.cfg.Heartbeat-time.Since(o.lastSent), time.Millisecond)
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

// httpStream writes through net/http.
type httpStream struct {
	w     io.Writer
	rc    *http.ResponseController
	stall time.Duration
}

// openStream writes the response head.
func openStream(w *echo.Response, stall time.Duration, gzip bool) *httpStream {
	setStreamHeaders(w.Header(), gzip)
	w.WriteHeader(http.StatusOK)
	return &httpStream{w: w, rc: http.NewResponseController(w), stall: stall}
}

func setStreamHeaders(h http.Header, gzip bool) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	h.Add("Vary", "Accept-Encoding")
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
}

// Write sends the buffers, in order and together, and returns when the transport
// has taken them. errStalled says that nothing was taken for the stall time.
func (s *httpStream) Write(buffers ...[]byte) error {
	room := 0
	for _, b := range buffers {
		for len(b) > 0 {
			if room <= 0 {
				// Each piece gets the stall time anew, which makes it a bound on progress and
				// not on how long a slow reader may take in all.
				if err := s.rc.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
					return err
				}
				room = writePiece
			}
			n := min(len(b), room)
			if _, err := s.w.Write(b[:n]); err != nil {
				return stalled(err)
			}
			b, room = b[n:], room-n
		}
	}
	return stalled(s.rc.Flush())
}

// stalled recognises a write that ran into its deadline.
func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return err
}
