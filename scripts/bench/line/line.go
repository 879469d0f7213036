package line

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/wire"
)

const (
	// greetTime bounds the wait for a stream's first word.
	greetTime = 30 * time.Second
	// leaveTime bounds the wait for the server to let go of a client that left.
	leaveTime = 15 * time.Second
)

// ErrHeld says that the server did not let go of a client that had left.
var ErrHeld = errors.New("the server did not let go")

// Owner is whose line it is. Its methods are called by the line's goroutine.
type Owner interface {
	// Inbox's Message is called between Begin and End. It gets the greeting too.
	protocol.Inbox
	// Begin is called before the messages of what was read at once, End after them.
	Begin()
	// End comes even when a message failed.
	End()
	// Cut is called when the line ended unasked, after the greeting.
	Cut(err error)
}

// Config says how to open a line.
type Config struct {
	// Addr is the server's host:port.
	Addr      string
	Dialer    wire.Dialer
	Pump      *wire.Pump
	Transport protocol.Transport
	// Request is what to ask for; its Host is Addr.
	Request protocol.Request
}

// Line is one connection. Make one with Open and end it with Close or Leave.
type Line struct {
	owner  Owner
	conn   *net.TCPConn
	stream *protocol.Stream
	ready  chan error // takes one value: nil for a greeting, or why there is none
	done   chan struct{}
	end    error // read it after done

	greeted bool // of the goroutine that reads
	leaving atomic.Bool
	gate    atomic.Pointer[chan struct{}] // if set, reading waits until it is closed
}

// Open connects, asks for a stream and waits for the greeting. When it fails the
// owner has heard the last of it.
func Open(ctx context.Context, cfg Config, to Owner) (*Line, error) {
	conn, err := cfg.Dialer.Dial(ctx, cfg.Addr)
	if err != nil {
		return nil, err
	}
	l := &Line{owner: to, conn: conn, ready: make(chan error, 1), done: make(chan struct{})}
	cfg.Request.Host = cfg.Addr
	if l.stream, err = protocol.Open(cfg.Transport, cfg.Request, conn, l); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go l.read(cfg.Pump)
	timer := time.NewTimer(greetTime)
	defer timer.Stop()
	select {
	case err = <-l.ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("no greeting within %v", greetTime)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close cuts the connection without a word and waits until the owner has heard the
// last of it.
func (l *Line) Close() {
	l.Cut()
	<-l.done
}

// Cut is Close without the wait, so that many can be cut at once; Close is still due.
func (l *Line) Cut() {
	l.leaving.Store(true)
	l.Release()
	_ = l.conn.Close() // resets the connection, see package wire
}

// Leave ends the stream as a browser does, a WebSocket with a close frame and the
// other by closing its side, and waits until the server lets go. It fails with
// ErrHeld when it does not, or with why the stream ended otherwise.
func (l *Line) Leave(ctx context.Context) error {
	defer l.Close()
	l.leaving.Store(true)
	l.Release()
	left, err := l.stream.Leave()
	if err == nil && !left {
		err = l.conn.CloseWrite()
	}
	if err != nil {
		return nil // it had ended already, which is for Cut to tell
	}
	timer := time.NewTimer(leaveTime)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w within %v", ErrHeld, leaveTime)
	}
	if errors.Is(l.end, protocol.ErrBroken) {
		return l.end
	}
	return nil
}

// Done is closed when the line has ended, in whichever way.
func (l *Line) Done() <-chan struct{} { return l.done }

// Stall makes the line stop reading; Release lets it go on.
func (l *Line) Stall() {
	gate := make(chan struct{})
	l.gate.Store(&gate)
}

// Release ends a stall, if there is one.
func (l *Line) Release() {
	if gate := l.gate.Swap(nil); gate != nil {
		close(*gate)
	}
}

// read owns the line until the connection ends.
func (l *Line) read(pump *wire.Pump) {
	defer close(l.done)
	l.end = pump.Run(l.conn, l.take)
	_ = l.conn.Close() // nothing is lost with it
	switch {
	case !l.greeted:
		l.ready <- l.end
	case !l.leaving.Load():
		l.owner.Cut(l.end)
	}
}

// take reads one piece off the connection.
func (l *Line) take(piece []byte) error {
	if gate := l.gate.Load(); gate != nil {
		<-*gate
	}
	l.owner.Begin()
	defer l.owner.End()
	return l.stream.Take(piece)
}

// Message implements protocol.Inbox: it looks out for the greeting.
func (l *Line) Message(cursor, body []byte) error {
	if err := l.owner.Message(cursor, body); err != nil {
		return err
	}
	if !l.greeted && protocol.ControlOf(body) == protocol.Hello {
		l.greeted = true
		l.ready <- nil
	}
	return nil
}
