package ordinary

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/blocks"
	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/event"
	"tidings/shared/httpx"
)

// pollBytes is about how much one answer holds; the next poll gets the rest.
const pollBytes = 256 << 10

// Poll answers a long-poll: with the events after the client's cursor, or, if there
// are none yet, with the next ones, or with none once it has waited for so long, its
// token has ended or the node drains. The connection's codec is a list.
func (s *Sink) Poll(c echo.Context, conn *connection.Conn, start connection.Start, wait time.Duration) error {
	o := newStream(s.h, conn, nil)
	s.join(o)
	defer s.leave(o)
	if s.h.Barred(conn) {
		o.Dismiss(wire.Revoked)
	}
	o.view = s.h.Config().Tail.Join(o, conn.Patterns)
	defer o.view.Leave()
	ctx := c.Request().Context()
	items, err := o.poll(ctx, start, wait)
	dismissed, ok := errors.AsType[*dismissal](err)
	switch {
	case ok:
		s.h.Release(conn, dismissed.bye.Code)
		return Problem(dismissed.bye)
	case ctx.Err() != nil:
		s.h.Release(conn, connection.CauseGone)
		return err
	case err != nil:
		s.h.Release(conn, connection.CauseFailed)
		return errors.Join(Problem(wire.Away), err)
	}
	s.h.Release(conn, "answered")
	return respond(c, items, o.Cursor)
}

// dismissal ends a poll with a reason.
type dismissal struct{ bye wire.Bye }

// Error implements error.
func (d *dismissal) Error() string { return "dismissed: " + d.bye.Code }

// poll collects the items of the answer.
func (o *stream) poll(ctx context.Context, start connection.Start, wait time.Duration) ([]byte, error) {
	if _, end := o.Expiry(time.Now()); !end.IsZero() {
		wait = min(wait, time.Until(end))
	}
	enough := time.NewTimer(wait)
	defer enough.Stop()
	items := o.Begin(start.Void)
	for {
		select {
		case b := <-o.bye:
			return nil, &dismissal{b}
		default:
		}
		more, err := o.collect(ctx, &items)
		o.note(err == nil && !more)
		if err != nil {
			return nil, err
		}
		if len(items) >= pollBytes || len(items) > 0 && !more {
			return items, nil
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-enough.C:
			return nil, nil
		case b := <-o.bye:
			return nil, &dismissal{b}
		case after := <-o.leave:
			enough.Reset(min(after, wait))
		case <-o.wake:
		case f := <-o.ephemeral:
			if !o.ID.Is(f.Except) {
				items = append(items, o.Bytes(o.tail, f)...)
			}
		}
	}
}

// collect appends a bounded part of what there is after the cursor, and reports
// whether there may be more.
func (o *stream) collect(ctx context.Context, items *[]byte) (bool, error) {
	b := batches.Get().(*batch)
	defer b.release()
	n, at, err := o.view.Read(o.Cursor, b.frames[:])
	switch {
	case errors.Is(err, tail.ErrEpoch):
		*items = o.AppendNewEpoch(*items)
		return true, nil
	case errors.Is(err, tail.ErrBehind):
		page, err := o.CatchUp(ctx)
		*items = append(*items, page...)
		return true, err
	case err != nil:
		return false, err
	}
	chosen, all := o.Choose(b.frames[:n], pollBytes)
	if !all {
		at.Seq = chosen[len(chosen)-1].Seq
	}
	o.MoveTo(at)
	for _, f := range chosen {
		*items = append(*items, o.Bytes(o.tail, f)...)
	}
	o.h.Metrics.Delivered.Add(len(chosen))
	return !all || n == len(b.frames), nil
}

// respond writes {"events":[…],"cursor":"…"}.
func respond(c echo.Context, items []byte, at event.Cursor) error {
	body := append([]byte(`{"events":[`), bytes.TrimSuffix(items, []byte{','})...)
	body = append(append(at.Append(append(body, `],"cursor":"`...)), `"}`...), '\n')
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= blocks.Worthwhile && httpx.AcceptsGzip(c.Request().Header) {
		h.Set("Content-Encoding", "gzip")
		var sum blocks.Sum
		k := blocks.New(body)
		sum.Add(k)
		body = sum.AppendTrailer(append(blocks.AppendHeader(nil), k.Bytes...))
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, body)
}
