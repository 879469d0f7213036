package ordinary

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
	"tidings/services/edge/wire"
	"tidings/shared/httpx"
)

// Sink serves every connection there is. Make one with New.
type Sink struct {
	h *connection.Host

	mu      sync.Mutex
	streams map[*stream]struct{}

	taken sync.WaitGroup // connections taken over from net/http
}

var _ connection.Sink = (*Sink)(nil)

// New returns a sink without connections.
func New(h *connection.Host) *Sink {
	return &Sink{h: h, streams: map[*stream]struct{}{}}
}

// Open implements connection.Sink.
func (*Sink) Open() error { return nil }

// Run implements connection.Sink. It waits for the connections that were taken over;
// the others are net/http's.
func (s *Sink) Run(ctx context.Context) {
	<-ctx.Done()
	s.each((*stream).cut)
	s.taken.Wait()
}

// Poke implements connection.Sink.
func (s *Sink) Poke() { s.each((*stream).poke) }

// LeaveWithin implements connection.Sink.
func (s *Sink) LeaveWithin(d time.Duration) { s.each(func(o *stream) { o.leaveWithin(d) }) }

// each calls fn for every stream; fn must not block.
func (s *Sink) each(fn func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.streams {
		fn(o)
	}
}

// join and leave make a stream known to each.
func (s *Sink) join(o *stream) {
	s.mu.Lock()
	s.streams[o] = struct{}{}
	s.mu.Unlock()
	if s.h.Draining() { // it began while we were joining
		o.leaveWithin(0)
	}
}

func (s *Sink) leave(o *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, o)
}

// Serve implements connection.Sink. Where net/http gives the connection away it is
// taken over, and else the handler's goroutine kept until the stream ends.
func (s *Sink) Serve(c echo.Context, conn *connection.Conn, start connection.Start) bool {
	if req := c.Request(); req.ProtoMajor == 1 && req.ProtoMinor >= 1 && s.take(c, conn, start) {
		return true
	}
	if start.Handshake != nil {
		return false
	}
	o := newStream(s.h, conn, openStream(c, s.h.Config().Stall, conn.Gzip()))
	s.h.Join(conn, o)
	s.serve(c.Request().Context(), o, start)
	return true
}

// serve streams to a client whose head was written and whose connection has joined.
func (s *Sink) serve(ctx context.Context, o *stream, start connection.Start) {
	s.join(o)
	defer s.leave(o)
	if s.h.Barred(o.Conn) {
		o.Dismiss(wire.Revoked)
	}
	o.view = s.h.Config().Tail.Join(o, o.Patterns)
	defer o.view.Leave()
	retry, words := o.Opening(start.Void)
	cause := connection.CauseGone
	if o.send(retry) == nil && o.send(words) == nil {
		cause = o.run(ctx)
	}
	s.h.Release(o.Conn, cause)
	o.ended.Store(true)
	o.refuseChanges()
}

// openStream writes the head of a stream of Server-Sent Events.
func openStream(c echo.Context, stall time.Duration, gzip bool) *httpx.StreamWriter {
	wire.SetHeader(c.Response().Header(), gzip)
	c.Response().WriteHeader(http.StatusOK)
	return httpx.NewStreamWriter(c.Response(), stall)
}
