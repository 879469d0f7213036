package connection

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// rangeReads is how many connections may read from the stream at once: it
	// shares the server with everyone's live events.
	rangeReads = 8
	// readBatch is how many frames a connection takes from the tail in one go.
	readBatch = 64
	// catchUpBytes is how much a connection reads from the stream in one go. It is
	// what a stalled connection that is behind the tail holds in memory.
	catchUpBytes = 128 << 10
	// ephemeralSlots is how many ephemeral events wait for a busy connection; the
	// next ones are dropped.
	ephemeralSlots = 16
	// expiringBefore is how long before its end a token's holder is told.
	expiringBefore = time.Minute
)

// ErrLagging says that this edge knows less of the log than the client.
var ErrLagging = errors.New("this node lags behind the log")

// Config is what the connections of an edge share. All fields are required, but
// PerIP and Ordinary.
type Config struct {
	// Node names the edge in tidings.hello.
	Node string
	// Tail is the recent past, Log everything else.
	Tail *tail.Tail
	Log  stream.Log
	// Away tells why the log cannot be followed, nil if it can.
	Away func() error
	// Heartbeat is the longest silence of a stream, Stall the longest time a socket
	// may take nothing.
	Heartbeat, Stall time.Duration
	// Total, PerUser and PerIP bound live connections; PerIP 0 is no bound.
	Total, PerUser, PerIP int
	// Ordinary switches the raw sink off.
	Ordinary bool
	Logger   *slog.Logger
}

// Host holds the live connections of one edge. Make one with NewHost.
type Host struct {
	cfg      Config
	metrics  *Metrics
	reads    chan struct{} // a slot for each read of the stream under way
	conns    registry
	draining atomic.Bool
	raw      *rawSink // nil where sockets cannot be taken over
}

// NewHost returns a host without connections. Nothing starts before Open and Run.
func NewHost(cfg Config, m *Metrics) *Host {
	h := &Host{cfg: cfg, metrics: m, reads: make(chan struct{}, rangeReads)}
	h.conns.init()
	if !cfg.Ordinary {
		h.raw = newRawSink(h)
	}
	return h
}

// Open makes the host able to serve; Run must follow.
func (h *Host) Open() error {
	if h.raw == nil {
		return nil
	}
	return h.raw.open()
}

// Run works until ctx ends and then cuts what is still connected.
func (h *Host) Run(ctx context.Context) {
	if h.raw != nil {
		h.raw.run(ctx)
	}
}

// Count returns how many connections are live.
func (h *Host) Count() int { return h.conns.count() }

// Draining reports whether Drain was called.
func (h *Host) Draining() bool { return h.draining.Load() }

// Poke makes the connections notice that the log went away or came back.
func (h *Host) Poke() { h.conns.each((*ordinary).poke) }

// Drain refuses newcomers from now on and sends every connection away at a random
// moment within the time given. The channel is closed when all have left.
func (h *Host) Drain(within time.Duration) <-chan struct{} {
	h.draining.Store(true)
	h.conns.each(func(o *ordinary) { o.leaveWithin(within) })
	if h.raw != nil {
		h.raw.leaveWithin(within)
	}
	return h.conns.empty()
}

// Request is a permitted wish to stream.
type Request struct {
	Grant    *auth.Grant
	Patterns []subject.Pattern
	// Cursor is the client's position; zero on a first visit. Rewind is then how many
	// events of each topic to begin with.
	Cursor event.Cursor
	Rewind int
}

// Serve streams to the client, or refuses it with a wire.Bye. It returns when the
// stream has ended or does not need the handler's goroutine.
func (h *Host) Serve(c echo.Context, req Request) error {
	if h.draining.Load() {
		return h.Refuse(c, wire.Draining)
	}
	s := newConn(h, req.Grant, c.RealIP(), req.Patterns)
	s.gzip = httpx.AcceptsGzip(c.Request().Header)
	if bye, ok := h.conns.admit(s, &h.cfg); !ok {
		return h.Refuse(c, bye)
	}
	// From here on whoever serves the connection releases it.
	void, err := s.locate(c.Request().Context(), req.Cursor, req.Rewind)
	if err != nil {
		h.conns.release(s)
		h.cfg.Logger.Warn("a connection could not find its place in the log", "err", err)
		return h.Refuse(c, wire.Away)
	}
	result := "fresh"
	if s.resumed {
		result = "resumed"
	}
	h.metrics.connects.WithLabelValues(result).Inc()
	if h.raw == nil || !h.raw.serve(c, s, void) {
		h.serveOrdinary(c, s, void)
	}
	return nil
}

// Refuse answers a wish that may come true later. Any status but 200 would make a
// native EventSource give up for ever.
func (h *Host) Refuse(c echo.Context, b wire.Bye) error {
	h.metrics.connects.WithLabelValues(b.Code).Inc()
	b = b.WithRetry()
	s := openStream(c, h.cfg.Stall, false)
	// The client may be gone; there is nobody to tell then.
	_ = s.Write(wire.AppendRetry(nil, b.RetryMS), wire.AppendControl(nil, event.Cursor{}, wire.TypeBye, b))
	return nil
}

// openStream writes the head of an ordinary stream.
func openStream(c echo.Context, stall time.Duration, gzip bool) *httpx.StreamWriter {
	setStreamHeaders(c.Response().Header(), gzip)
	c.Response().WriteHeader(http.StatusOK)
	return httpx.NewStreamWriter(c.Response(), stall)
}

// setStreamHeaders sets what every stream's response says.
func setStreamHeaders(h http.Header, gzip bool) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	h.Add("Vary", "Accept-Encoding")
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
}
