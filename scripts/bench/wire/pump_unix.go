//go:build unix

package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Run reads c until it ends and hands what comes to take, whose slice is valid
// during the call only. It returns io.EOF when the peer closed, take's error when
// that failed, and net.ErrClosed when c was closed here.
func (p *Pump) Run(c *net.TCPConn, take func([]byte) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("raw connection: %w", err)
	}
	var end error
	// One call of Read lasts as long as the connection: it calls back whenever there
	// may be something to read, and in between the connection holds no buffer.
	err = raw.Read(func(fd uintptr) bool {
		for {
			b := p.borrow()
			n, err := syscall.Read(int(fd), b[:])
			switch {
			case n > 0:
				end = take(b[:n])
			case errors.Is(err, syscall.EAGAIN):
				p.give(b)
				return false
			case errors.Is(err, syscall.EINTR):
			case err != nil:
				end = fmt.Errorf("read: %w", err)
			default:
				end = io.EOF
			}
			p.give(b)
			if end != nil {
				return true
			}
		}
	})
	if end != nil {
		return end
	}
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return io.EOF // unreachable: Read returns without an error only after an end
}

// narrow sets the segment size and the receive buffer of a socket not yet connected.
func narrow(fd uintptr, segment, window int) error {
	if segment > 0 {
		if err := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment); err != nil {
			return fmt.Errorf("segment size: %w", err)
		}
	}
	if window > 0 {
		if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, window); err != nil {
			return fmt.Errorf("receive buffer: %w", err)
		}
	}
	return nil
}
