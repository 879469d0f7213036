package connection

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/codec"
	"tidings/services/edge/tail"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// rangeReads is how many connections may read from the stream at once: it
	// shares the server with everyone's live events.
	rangeReads = 8
	// ReadBatch is how many frames a connection takes from the tail in one go.
	ReadBatch = 64
	// DeliverBytes is how much a connection takes from the tail in one go. While its
	// socket is full it keeps these frames alive, even if the tail drops them.
	DeliverBytes = 64 << 10
	// PartingTime is how long a client may take to hear the last words and to hang up,
	// or to answer the close frame: round trips and a retransmission or two. After that
	// the socket is closed on it.
	PartingTime = 2 * time.Second
	// silentBeats is how many heartbeats the client of a WebSocket may leave unanswered:
	// one may be on its way.
	silentBeats = 2
	// catchUpBytes is how much a connection reads from the stream in one go. It is
	// what a stalled connection that is behind the tail holds in memory.
	catchUpBytes = 128 << 10
	// expiringBefore is how long before its end a token's holder is told.
	expiringBefore = time.Minute
)

// ErrLagging says that this edge knows less of the log than the client.
var ErrLagging = errors.New("this node lags behind the log")

// Config is what the connections of an edge share. All fields are required, but
// PerIP.
type Config struct {
	// Node names the edge in tidings.hello.
	Node string
	// Tail is the recent past, Log everything else.
	Tail *tail.Tail
	Log  stream.Log
	// Away tells why the log cannot be followed, nil if it can.
	Away func() error
	// Command answers what the client of a WebSocket asks for, in its own words.
	Command func(context.Context, Caller, []byte) []byte
	// Heartbeat is the longest silence of a stream, Stall the longest time a socket
	// may take nothing.
	Heartbeat, Stall time.Duration
	// Total, PerUser and PerIP bound live connections; PerIP 0 is no bound. Topics
	// bounds the topics of one.
	Total, PerUser, PerIP, Topics int
	Logger                        *slog.Logger
}

// Silence is how long the client of a WebSocket may owe a sign of life.
func (c *Config) Silence() time.Duration { return silentBeats * c.Heartbeat }

// Caller is whose command it is.
type Caller struct {
	// Conn is the name of the connection it came over.
	Conn string
	// Grant is what the connection may do now.
	Grant *auth.Grant
}

// Host knows the live connections of one edge. Make one with NewHost.
type Host struct {
	// Metrics are what the sinks count.
	Metrics *Metrics

	cfg      Config
	tag      string        // of this edge, in the names of its connections
	reads    chan struct{} // a slot for each read of the stream under way
	conns    registry
	bars     bars
	draining atomic.Bool
}

// NewHost returns a host without connections.
func NewHost(cfg Config, m *Metrics) *Host {
	h := &Host{Metrics: m, cfg: cfg, tag: newTag(), reads: make(chan struct{}, rangeReads)}
	h.conns.init()
	return h
}

// Config returns what the connections share.
func (h *Host) Config() *Config { return &h.cfg }

// Tag returns what the names of this edge's connections begin with. Every process
// has another one.
func (h *Host) Tag() string { return h.tag }

// Count returns how many connections are live.
func (h *Host) Count() int { return h.conns.count() }

// Draining reports whether Drain was called.
func (h *Host) Draining() bool { return h.draining.Load() }

// Drain refuses newcomers from now on. The channel is closed when all have left,
// which the sinks see to.
func (h *Host) Drain() <-chan struct{} {
	h.draining.Store(true)
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
	// Codec is the form of the stream, IP the client's address.
	Codec codec.Codec
	IP    string
}

// Start is how a connection begins.
type Start struct {
	// Void is the reason for the tidings.gap to begin with, "" if there is none.
	Void string
	// Handshake is what was agreed with the client of a WebSocket; nil for the others.
	Handshake *websocket.Handshake
}

// Admit makes a connection of a request, or refuses it for now. Whoever serves the
// connection releases it.
func (h *Host) Admit(ctx context.Context, req *Request) (*Conn, Start, *wire.Bye) {
	c, start, bye := h.admit(ctx, req)
	result := "fresh"
	switch {
	case bye != nil:
		result = bye.Code
	case c.resumed:
		result = "resumed"
	}
	h.Metrics.connects.WithLabelValues(result).Inc()
	return c, start, bye
}

func (h *Host) admit(ctx context.Context, req *Request) (*Conn, Start, *wire.Bye) {
	if h.draining.Load() {
		return nil, Start{}, &wire.Draining
	}
	c := newConn(h, req)
	if bye := h.conns.admit(c, &h.cfg); bye != nil {
		return nil, Start{}, bye
	}
	void, err := c.locate(ctx, req.Cursor, req.Rewind)
	if err != nil {
		h.conns.release(c)
		h.cfg.Logger.Warn("a connection could not find its place in the log", "err", err)
		return nil, Start{}, &wire.Away
	}
	return c, Start{Void: void}, nil
}

// Refused books a refusal that was decided before Admit, and returns it.
func (h *Host) Refused(b *wire.Bye) *wire.Bye {
	h.Metrics.connects.WithLabelValues(b.Code).Inc()
	return b
}

// Join makes a connection known to Change. It is for those that live on; Release
// undoes it.
func (h *Host) Join(c *Conn, m Member) { h.conns.members.Set(c.slot, m) }

// At returns the connection that joined with these numbers, nil if it was released.
func (h *Host) At(index, generation uint32) Member { return h.conns.members.At(index, generation) }

// Release forgets an admitted connection and books the cause of its end.
func (h *Host) Release(c *Conn, cause string) {
	h.conns.release(c)
	h.Metrics.Ends.WithLabelValues(cause).Inc()
}

// Sink serves connections over one kind of transport.
type Sink interface {
	// Open makes the sink able to serve; Run must follow.
	Open() error
	// Run works until ctx ends and then cuts what is still connected.
	Run(ctx context.Context)
	// Serve serves a connection and returns true, or false if the sink cannot: nothing
	// was written then. It returns when the stream has ended or does not need the
	// handler's goroutine.
	Serve(c echo.Context, s *Conn, start Start) bool
	// Poke makes the connections notice that the log went away or came back.
	Poke()
	// Look shows every connection to fn, one after the other, each by its owner: fn must
	// be quick. It keeps and changes nothing of a Sight, and is not called once Look has
	// returned. The only error is that of ctx, and some were not shown then.
	Look(ctx context.Context, fn func(*Sight)) error
	// LeaveWithin sends every connection away at a random moment within d.
	LeaveWithin(d time.Duration)
}
