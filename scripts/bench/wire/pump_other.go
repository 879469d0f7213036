//go:build !unix

package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
)

// Run reads c until it ends and hands what comes to take, whose slice is valid
// during the call only. It returns io.EOF when the peer closed, take's error when
// that failed, and net.ErrClosed when c was closed here. Here the connection keeps
// its buffer while it waits.
func (p *Pump) Run(c *net.TCPConn, take func([]byte) error) error {
	b := p.borrow()
	defer p.give(b)
	for {
		n, err := c.Read(b[:])
		if n > 0 {
			if err := take(b[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// narrow reports that sockets cannot be narrowed here.
func narrow(uintptr, int, int) error {
	return errors.New("the size of segments cannot be set on this system")
}
