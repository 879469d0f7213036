package churn

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"tidings/scripts/bench/line"
	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/wire"
)

const (
	// tries is how often a visitor tries to come in, tryAgain the pause in between.
	// Every failed try is counted and breaks the run's word, so this only tells a
	// server that hiccups from one that is gone.
	tries    = 10
	tryAgain = time.Second
)

// visitor is one user from the first visit to the last. It owns its lines.
type visitor struct {
	crowd     *crowd
	transport protocol.Transport
	dialer    wire.Dialer
	token     string
	line      *line.Line // nil while there is none

	// The books, owned by the line's goroutine.
	books  books
	now    time.Duration // of the present piece
	fresh  bool          // the present piece moved the cursor
	narrow bool          // its latencies say nothing

	opened, released atomic.Int64  // times: events sent before have no latency of the server's
	reached          atomic.Uint64 // the sequence of books.cursor
}

// open connects the visitor where it left off and waits for the greeting.
func (v *visitor) open(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := v.try(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		v.crowd.cutOff(err)
		if attempt == tries {
			return fmt.Errorf("a visitor could not come in, %d times: %w", tries, err)
		}
		if err := pause(ctx, tryAgain, nil); err != nil {
			return err
		}
	}
}

func (v *visitor) try(ctx context.Context) error {
	c := v.crowd
	c.opening <- struct{}{}
	defer func() { <-c.opening }()
	v.opened.Store(int64(c.ledger.now()))
	l, err := line.Open(ctx, line.Config{
		Addr: c.cfg.Addr, Dialer: v.dialer, Pump: c.pump, Transport: v.transport,
		Request: protocol.Request{Query: v.books.lane.query, Token: v.token, Cursor: string(v.books.resume)},
	}, v)
	if err != nil {
		return err
	}
	v.line = l
	return nil
}

// cut ends the line without a word; the books rest.
func (v *visitor) cut() {
	if v.line != nil {
		v.line.Close()
		v.line = nil
	}
}

// leave ends the line in good manners; the books rest.
func (v *visitor) leave(ctx context.Context) {
	if v.line == nil {
		return
	}
	if err := v.line.Leave(ctx); err != nil && ctx.Err() == nil {
		v.crowd.cutOff(err)
	}
	v.line = nil
}

// ended is closed when the line has ended by itself, which was counted.
func (v *visitor) ended() <-chan struct{} { return v.line.Done() }

// comeBack opens a line again that has ended by itself.
func (v *visitor) comeBack(ctx context.Context) error {
	select {
	case <-v.ended():
		v.cut()
		return v.open(ctx)
	default:
		return nil
	}
}

// stall stops reading for a while.
func (v *visitor) stall(ctx context.Context, d time.Duration, calm <-chan struct{}) error {
	v.line.Stall()
	err := pause(ctx, d, calm)
	v.released.Store(int64(v.crowd.ledger.now()))
	v.line.Release()
	return err
}

// caughtUp says whether the visitor was served up to the last event of its lane.
func (v *visitor) caughtUp() bool {
	l := v.crowd.ledger
	n, ok := v.books.lane.last(l.published)
	return !ok || v.reached.Load() >= l.seqs[n]
}

// Begin implements line.Owner.
func (v *visitor) Begin() { v.now = v.crowd.ledger.now() }

// End implements line.Owner.
func (v *visitor) End() {
	if v.fresh {
		v.reached.Store(v.books.cursor.Seq)
		v.fresh = false
	}
}

// Cut implements line.Owner.
func (v *visitor) Cut(err error) { v.crowd.cutOff(err) }

// Message implements protocol.Inbox.
func (v *visitor) Message(cursor, body []byte) error {
	stamp, ok, err := v.books.message(v.crowd.ledger.coder, cursor, body)
	if err != nil {
		return err
	}
	v.fresh = v.fresh || len(cursor) > 0
	if ok && !v.narrow && int64(stamp.Sent) > max(v.opened.Load(), v.released.Load()) {
		v.crowd.latency.Add(v.now - stamp.Sent)
	}
	return nil
}

// pause waits, but not longer than until calm. It fails when ctx ends.
func pause(ctx context.Context, d time.Duration, calm <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-calm:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
