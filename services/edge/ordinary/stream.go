package ordinary

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/event"
	"tidings/shared/httpx"
)

const (
	// ephemeralSlots is how many ephemeral events wait for a busy connection; the
	// next ones are dropped.
	ephemeralSlots = 16
	// changeSlots is how many changes wait for a busy connection: other topics and a
	// newer token, and the same once more, since those that were given up wait here, too.
	// Whoever wants another one meanwhile is refused.
	changeSlots = 4
)

// writer takes the bytes of a stream and returns when the transport has them.
// httpx.ErrStalled says that it took none for too long.
type writer interface {
	Write(buffers ...[]byte) error
}

// stream is a connection whose handler's goroutine waits, reads and writes. It owns
// its Conn; Wake, Offer, Post and leaveWithin are for others.
type stream struct {
	*connection.Conn
	h    *connection.Host
	tail *tail.Tail
	out  writer
	in   *input   // nil unless it is a WebSocket
	nc   net.Conn // nil unless it was taken over
	view *tail.View

	lastSent time.Time

	// What others see. The stream alone changes these and its Conn's topics and token,
	// and holds mu when it does.
	mu    sync.Mutex
	at    event.Cursor
	live  bool
	since time.Time // when the write under way began, zero if there is none

	wake      chan struct{} // 1 slot
	ephemeral chan *tail.Frame
	changes   chan *connection.Change
	leave     chan time.Duration // 1 slot: leave after
	bye       chan wire.Bye      // 1 slot: leave now
	ended     atomic.Bool        // nobody takes changes any more
}

func newStream(h *connection.Host, c *connection.Conn, out writer) *stream {
	return &stream{
		Conn: c, h: h, tail: h.Config().Tail, out: out, at: c.Cursor,
		wake: make(chan struct{}, 1), ephemeral: make(chan *tail.Frame, ephemeralSlots),
		changes: make(chan *connection.Change, changeSlots), leave: make(chan time.Duration, 1), bye: make(chan wire.Bye, 1),
	}
}

// Wake implements tail.Reader.
func (o *stream) Wake(*tail.Frame) { o.poke() }

// poke makes the stream look for something to do.
func (o *stream) poke() {
	select {
	case o.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Offer implements tail.Reader.
func (o *stream) Offer(f *tail.Frame) {
	select {
	case o.ephemeral <- f:
	default:
		o.h.Metrics.EphemeralDropped.Inc()
	}
}

// Post implements connection.Member.
func (o *stream) Post(ch *connection.Change) {
	select {
	case o.changes <- ch:
	default:
		ch.Busy()
	}
	if o.ended.Load() {
		o.refuseChanges()
	}
}

// refuseChanges answers the changes that came too late: nobody finds the stream any
// more, but somebody may have found it a moment ago.
func (o *stream) refuseChanges() {
	for {
		select {
		case ch := <-o.changes:
			ch.Refuse()
		default:
			return
		}
	}
}

// leaveWithin makes the stream leave at a random moment within d.
func (o *stream) leaveWithin(d time.Duration) {
	select {
	case o.leave <- rand.N(d + 1):
	default: // it is leaving already
	}
}

// Dismiss implements connection.Member. A write under way gets a moment more, and
// then ends the stream.
func (o *stream) Dismiss(b wire.Bye) {
	select {
	case o.bye <- b:
	default: // it was dismissed before
	}
	if w, ok := o.out.(*takenWriter); ok {
		w.hurry()
	}
}

// cut breaks a connection that was taken over.
func (o *stream) cut() {
	if o.nc != nil {
		_ = o.nc.SetDeadline(time.Now()) // what fails here is over already
	}
}

// run streams until the client leaves, the token ends or the node drains. It
// returns the cause for the metrics.
func (o *stream) run(ctx context.Context) string {
	bye, err := o.stream(ctx)
	switch {
	case err != nil && len(o.bye) > 0: // it ended before it could be told
		return (<-o.bye).Code
	case err == nil:
		_ = o.send(o.Farewell(bye)) // the last word may not be heard; the stream ends anyway
		return bye.Code
	case errors.Is(err, errSilent):
		return connection.CauseSilent
	case errors.Is(err, errBroken):
		return connection.CauseBroken
	case errors.Is(err, httpx.ErrStalled), errors.Is(err, os.ErrDeadlineExceeded):
		return connection.CauseStalled // over HTTP/2 it has ended ctx as well
	case ctx.Err() != nil:
		return connection.CauseGone
	case errors.Is(err, connection.ErrLog):
		o.h.Config().Logger.Warn("a connection ended for a failed read of the log; it can resume", "err", err)
		return connection.CauseFailed
	}
	return connection.CauseGone
}

// stream is the life of a connection after its hello.
func (o *stream) stream(ctx context.Context) (wire.Bye, error) {
	t := o.newTimers()
	defer t.stop()
	ready := make(chan struct{})
	close(ready)
	for {
		select {
		case b := <-o.bye: // nothing more is sent to whom was told to leave
			return b, nil
		default:
		}
		more, err := o.advance(ctx)
		o.note(err == nil && !more)
		if err == nil && !more {
			err = o.send(o.Pack(o.AppendState(nil)))
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
		case b := <-o.bye:
			return b, nil
		case f := <-o.ephemeral:
			err = o.sendEphemeral(f)
		case ch := <-o.changes:
			o.change(ch, &t)
		case s := <-o.in.said():
			err = o.answer(s)
		case d := <-o.leave:
			t.leaving.Reset(d)
		case <-t.leaving.C:
			return wire.Draining, nil
		case <-t.expiring.C:
			err = o.send(o.Pack(o.AppendExpiring(nil)))
		case <-t.expired.C:
			return wire.Expired, nil
		case <-t.heartbeat.C:
			err = o.beat()
			t.heartbeat.Reset(o.nextBeat())
		}
		if err != nil {
			return wire.Bye{}, err
		}
	}
}

// batch is the scratch of a stream that reads the tail. Those that wait have none.
type batch struct {
	frames [connection.ReadBatch]*tail.Frame
	blocks [][]byte
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// release gives a batch back. It keeps no dropped frame alive.
func (b *batch) release() {
	clear(b.frames[:])
	clear(b.blocks)
	b.blocks = b.blocks[:0]
	batches.Put(b)
}

// advance sends a bounded part of what there is, from wherever the cursor stands.
// It returns false when the head of the log was reached.
func (o *stream) advance(ctx context.Context) (bool, error) {
	b := batches.Get().(*batch)
	defer b.release()
	n, at, err := o.view.Read(o.Cursor, b.frames[:])
	switch {
	case errors.Is(err, tail.ErrEpoch):
		return true, o.send(o.Pack(o.AppendNewEpoch(nil)))
	case errors.Is(err, tail.ErrBehind):
		o.note(false)
		buf, err := o.CatchUp(ctx)
		if err != nil {
			return false, err
		}
		return true, o.send(buf)
	case err != nil:
		return false, err
	}
	chosen, all := o.Choose(b.frames[:n], connection.DeliverBytes)
	if !all {
		at.Seq = chosen[len(chosen)-1].Seq
	}
	o.MoveTo(at)
	for _, f := range chosen {
		b.blocks = append(b.blocks, o.Bytes(o.tail, f))
		o.Count(o.tail, f)
	}
	o.h.Metrics.Delivered.Add(len(chosen))
	return !all || n == len(b.frames), o.send(b.blocks...)
}

// sendEphemeral sends one ephemeral event.
func (o *stream) sendEphemeral(f *tail.Frame) error {
	if o.ID.Is(f.Except) {
		return nil
	}
	o.h.Metrics.Delivered.Add(1)
	b := o.Bytes(o.tail, f)
	o.Count(o.tail, f)
	return o.send(b)
}

// change applies a change. The stream has just read the tail, so what it follows
// anew begins now.
func (o *stream) change(ch *connection.Change, t *timers) {
	add, remove, ok := o.Plan(ch)
	if !ok {
		return
	}
	for _, p := range remove {
		o.view.Drop(p)
	}
	for _, p := range add {
		o.view.Add(p)
	}
	o.mu.Lock()
	o.Apply(ch, add, remove)
	o.mu.Unlock()
	o.in.grant(o.Grant)
	t.appoint(o)
}

// send writes the buffers as one; nothing for none.
func (o *stream) send(buffers ...[]byte) error {
	n := 0
	for _, b := range buffers {
		n += len(b)
	}
	if n == 0 {
		return nil
	}
	o.lastSent = time.Now()
	o.h.Metrics.Bytes.Add(float64(n))
	o.writing(o.lastSent)
	err := o.out.Write(buffers...)
	o.writing(time.Time{})
	if time.Since(o.lastSent) > o.h.Config().Heartbeat {
		o.in.forgive() // its reader could not hand on what it heard
	}
	return err
}

// beat breaks the silence of a stream.
func (o *stream) beat() error {
	if o.in.silent(o.h.Config().Silence()) {
		return errSilent
	}
	if time.Since(o.lastSent) < o.h.Config().Heartbeat-time.Millisecond {
		return nil
	}
	o.in.await()
	return o.send(o.Pack(o.AppendHeartbeat(nil, o.Cursor)))
}

// nextBeat is when the stream will have been silent for a heartbeat.
func (o *stream) nextBeat() time.Duration {
	return max(o.h.Config().Heartbeat-time.Since(o.lastSent), time.Millisecond)
}

// timers are the appointments of a stream.
type timers struct{ heartbeat, expiring, expired, leaving *time.Timer }

func (o *stream) newTimers() timers {
	t := timers{heartbeat: time.NewTimer(o.nextBeat()), expiring: never(), expired: never(), leaving: never()}
	t.appoint(o)
	return t
}

// appoint sets when the token's end is near and when it has come.
func (t *timers) appoint(o *stream) {
	t.expiring.Stop()
	t.expired.Stop()
	if warn, end := o.Expiry(time.Now()); !end.IsZero() {
		t.expiring.Reset(time.Until(warn))
		t.expired.Reset(time.Until(end))
	}
}

// never returns a timer that does not fire until it is reset.
func never() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (t *timers) stop() {
	for _, timer := range []*time.Timer{t.heartbeat, t.expiring, t.expired, t.leaving} {
		timer.Stop()
	}
}
