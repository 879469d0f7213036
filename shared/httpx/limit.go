package httpx

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// fullLogEvery is how often at most the log is told that all connections are
// taken; a flood of connections must not become a flood of lines.
const fullLogEvery = 10 * time.Second

// limiter is a TCP listener with a cap on open connections. At the cap it stops
// accepting: clients wait in the kernel's queue until a connection closes, which
// costs nothing here, while accepting just to refuse would keep a process that is
// out of descriptors busy.
type limiter struct {
	*net.TCPListener
	log    *slog.Logger
	places chan struct{} // one element for each open connection, and one for a waiting Accept
	open   atomic.Int64  // connections accepted and not closed

	closed chan struct{} // closed by Close; lets Accept stop waiting for a place
	once   sync.Once

	lastLog time.Time // owned by the goroutine that calls Accept
}

func newLimiter(l *net.TCPListener, most int, log *slog.Logger) *limiter {
	return &limiter{TCPListener: l, log: log, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limiter) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	default:
		if now := time.Now(); now.Sub(l.lastLog) >= fullLogEvery {
			l.lastLog = now
			l.log.Warn("all connections are taken, new ones wait", "max", cap(l.places))
		}
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	c, err := l.AcceptTCP()
	if err != nil {
		<-l.places
		// As it is: net/http asserts its type to tell a passing lack of descriptors,
		// after which it tries again, from the end.
		return nil, err
	}
	l.open.Add(1)
	return &conn{TCPConn: c, limiter: l}, nil
}

// Close implements net.Listener.
func (l *limiter) Close() error {
	l.once.Do(func() { close(l.closed) })
	if err := l.TCPListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}

// conn is an accepted connection. It embeds the *net.TCPConn, so that whoever
// hijacks it still finds SyscallConn, SetNoDelay and the rest; its place is given
// back by Close, so Close must be called on this one, also after File.
type conn struct {
	*net.TCPConn
	limiter *limiter
	once    sync.Once
}

// Close implements net.Conn.
func (c *conn) Close() error {
	// The error goes back as it is: net/http looks at it.
	err := c.TCPConn.Close()
	c.once.Do(func() {
		c.limiter.open.Add(-1)
		<-c.limiter.places
	})
	return err
}
