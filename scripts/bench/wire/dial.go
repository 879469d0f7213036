package wire

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// dialTime bounds one attempt to connect: with thousands at once the server's queue
// may overflow, and the kernel repeats a lost SYN after 1, 3 and 7 seconds.
const dialTime = 20 * time.Second

// Dialer opens the connections of the bench. The zero Dialer has no special wishes.
type Dialer struct {
	// Segment and Window, if not 0, are the largest TCP segment and the receive
	// buffer in bytes. Loopback's segments of 64 KiB let the kernel hide megabytes
	// between two processes; with those of an ordinary network a reader that stops
	// is soon felt by the server.
	Segment, Window int
}

// Dial connects to a host:port. The connection is reset when it is closed: an
// orderly end would keep its local port busy for a minute, and there are only
// some 28,000 of them.
func (d Dialer) Dial(ctx context.Context, addr string) (*net.TCPConn, error) {
	nd := net.Dialer{Timeout: dialTime, KeepAlive: -1}
	if d.Segment > 0 || d.Window > 0 {
		nd.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			if cerr := c.Control(func(fd uintptr) { err = narrow(fd, d.Segment, d.Window) }); cerr != nil {
				return cerr
			}
			return err
		}
	}
	c, err := nd.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("dial %s: not TCP but %T", addr, c)
	}
	if err := tcp.SetLinger(0); err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("linger: %w", err)
	}
	return tcp, nil
}
