package ordinary

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
	"tidings/shared/httpx"
)

// maxJunk is how much the client of a stream may send, to whom nobody listens. What
// is read shows whether it is still there.
const maxJunk = 64 << 10

// take takes a connection over from net/http: what that keeps for a request, three
// buffers among it, is more than the stream. A WebSocket cannot be had otherwise. It
// returns false if the connection cannot be had: nothing was written then.
func (s *Sink) take(c echo.Context, conn *connection.Conn, start connection.Start) bool {
	status := http.StatusOK
	if start.Handshake != nil {
		status = http.StatusSwitchingProtocols
	}
	nc, rest, err := httpx.Hijack(c, status)
	if err != nil {
		return false
	}
	var head []byte
	if start.Handshake != nil {
		head = start.Handshake.AppendHead(nil, c.Response().Header())
	} else {
		conn.Chunk()
		head = wire.AppendHead(nil, c.Response().Header(), conn.Gzip())
	}
	early := make([]byte, rest.Reader.Buffered())
	n, _ := io.ReadFull(rest.Reader, early) // it is there
	o := newStream(s.h, conn, &takenWriter{nc: nc, stall: s.h.Config().Stall})
	o.nc = nc
	s.taken.Go(func() {
		defer nc.Close()
		if o.out.Write(head) != nil {
			s.h.Release(conn, connection.CauseGone)
			return
		}
		s.h.Join(conn, o) // before its client is heard, who may want a change at once
		s.serveTaken(o, early[:n], start)
	})
	return true
}

// serveTaken streams to a client whose connection is ours.
func (s *Sink) serveTaken(o *stream, early []byte, start connection.Start) {
	ctx, cancel := context.WithCancel(context.Background())
	listen := func() {
		defer cancel() // it has left
		ignore(o.nc)
	}
	if start.Handshake != nil {
		o.in = &input{out: make(chan utterance)}
		o.in.may.Store(o.Grant)
		r := &socketReader{in: o.in, h: s.h, name: o.Name(), limits: websocket.Limits{Deflate: o.Deflate()}}
		listen = func() { r.run(ctx, io.MultiReader(bytes.NewReader(early), o.nc)) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		listen()
	}()
	s.serve(ctx, o, start)
	part(o.nc)
	cancel()
	<-done
	ignore(o.nc) // until the client hangs up, or the time is up
}

// ignore reads what nobody listens to, until the client hangs up or has sent too
// much. io.Discard would hold 8 KiB for each client meanwhile.
func ignore(nc net.Conn) {
	var junk [256]byte
	for left := maxJunk; left > 0; {
		n, err := nc.Read(junk[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// part gives the client a moment to hear the last words: closing over what it still
// sends would reset the connection. Reading ends after that moment.
func part(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(connection.PartingTime)) // what fails here is over already
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// takenWriter writes to a connection that was taken over.
type takenWriter struct {
	nc      net.Conn
	stall   time.Duration
	hurried atomic.Bool
}

// hurry gives a write that is under way, and every other one from now on, a moment
// only.
func (w *takenWriter) hurry() {
	w.hurried.Store(true)
	_ = w.nc.SetWriteDeadline(time.Now().Add(connection.PartingTime)) // what fails here is over already
}

// arm sets the deadline of a write. Whoever hurries it meanwhile finds that done, or
// is found here.
func (w *takenWriter) arm() error {
	for {
		hurried, d := w.hurried.Load(), w.stall
		if hurried {
			d = min(d, connection.PartingTime)
		}
		if err := w.nc.SetWriteDeadline(time.Now().Add(d)); err != nil {
			return fmt.Errorf("deadline: %w", err)
		}
		if w.hurried.Load() == hurried {
			return nil
		}
	}
}

// Write implements writer. The buffers go out together: TLS makes a record of each
// write, and a system call.
func (w *takenWriter) Write(buffers ...[]byte) error {
	b := buffers[0]
	if len(buffers) > 1 {
		b = bytes.Join(buffers, nil)
	}
	for len(b) > 0 {
		n := min(len(b), httpx.StreamPiece)
		if err := w.arm(); err != nil {
			return err
		}
		if _, err := w.nc.Write(b[:n]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	return nil
}
