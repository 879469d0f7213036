package ordinary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
	"tidings/services/edge/websocket"
	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// inputBytes is how much is read from a WebSocket at once.
const inputBytes = 4 << 10

// partingTime is how long a client may take to answer a close frame.
const partingTime = 2 * time.Second

var (
	errSilent = errors.New("the client gave no sign of life")
	errBroken = errors.New("the client broke the protocol")
	errClosed = errors.New("the client closed")
)

// utterance is what the reader of a WebSocket has for its writer.
type utterance struct {
	bytes []byte // to be written
	err   error  // ends the stream then
}

// input is the reading side of a WebSocket. A nil *input is that of a stream whose
// client says nothing.
type input struct {
	out      chan utterance
	may      atomic.Pointer[auth.Grant]
	heard    atomic.Bool // since await
	awaiting time.Time   // owned by the writer
}

// said returns where the reader's words come from.
func (in *input) said() <-chan utterance {
	if in == nil {
		return nil
	}
	return in.out
}

// grant tells the reader what its commands may do from now on.
func (in *input) grant(g *auth.Grant) {
	if in != nil {
		in.may.Store(g)
	}
}

// await notes that a sign of life was asked for.
func (in *input) await() {
	if in != nil && in.awaiting.IsZero() {
		in.heard.Store(false)
		in.awaiting = time.Now()
	}
}

// silent reports whether a sign of life has been missing for so long.
func (in *input) silent(d time.Duration) bool {
	if in == nil || in.awaiting.IsZero() {
		return false
	}
	if in.heard.Load() {
		in.awaiting = time.Time{}
		return false
	}
	return time.Since(in.awaiting) >= d
}

// answer sends what the reader has to say.
func (o *stream) answer(u utterance) error {
	return errors.Join(o.send(u.bytes), u.err)
}

// serveSocket serves a WebSocket.
func (s *Sink) serveSocket(c echo.Context, conn *connection.Conn, start connection.Start) bool {
	nc, rest, err := httpx.Hijack(c, http.StatusSwitchingProtocols)
	if err != nil {
		return false
	}
	defer nc.Close()
	out := &socketWriter{nc: nc, stall: s.h.Config().Stall}
	if err := out.Write(start.Handshake.AppendHead(nil, c.Response().Header())); err != nil {
		s.h.Release(conn, connection.CauseGone)
		return true
	}
	// The request's context does not end with a connection that was taken over.
	ctx, cancel := context.WithCancel(c.Request().Context())
	in := &input{out: make(chan utterance)}
	in.may.Store(conn.Grant)
	r := &socketReader{in: in, h: s.h, name: conn.Name(), limits: websocket.Limits{Deflate: conn.Deflate()}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx, rest.Reader, nc)
	}()
	s.serve(ctx, conn, out, start, in)
	part(nc)
	cancel()
	<-done
	return true
}

// part gives the client a moment to answer the last words: closing over what it
// still sends would reset the connection, and it might not hear them. The reader
// notices the deadline.
func part(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(partingTime)) // what fails here is over already
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// socketReader reads what a client says and runs its commands one after the other:
// while one runs the socket is not read, and the client finds out by its own full
// buffers.
type socketReader struct {
	in     *input
	h      *connection.Host
	name   string
	limits websocket.Limits
	reader websocket.Reader
}

// run reads until the client leaves or breaks a rule, or the stream ends.
func (r *socketReader) run(ctx context.Context, early io.Reader, nc net.Conn) {
	defer r.reader.Release()
	buf := make([]byte, inputBytes)
	for {
		// The first of it may have come with the handshake. Its buffer reads the socket
		// on when it is empty.
		n, err := early.Read(buf)
		if n > 0 {
			r.in.heard.Store(true)
			if !r.feed(ctx, buf[:n]) {
				break
			}
		}
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				r.say(ctx, utterance{err: errClosed})
			}
			return
		}
	}
	// The rest is nobody's business, but the client may still be sending.
	_, _ = io.Copy(io.Discard, nc)
}

// feed understands what arrived and reports whether to go on.
func (r *socketReader) feed(ctx context.Context, b []byte) bool {
	err := r.reader.Feed(b, r.limits, func(m websocket.Message) error {
		switch m.Opcode {
		case websocket.Ping:
			return r.say(ctx, utterance{bytes: websocket.AppendPong(nil, m.Payload)})
		case websocket.Close:
			_ = r.say(ctx, utterance{bytes: websocket.AppendClose(nil, m.Code, ""), err: errClosed})
			return errClosed
		case websocket.Text:
			from := connection.Caller{Conn: r.name, Grant: r.in.may.Load()}
			reply := r.h.Config().Command(ctx, from, m.Payload)
			return r.say(ctx, utterance{bytes: websocket.AppendText(nil, reply)})
		case websocket.Binary, websocket.Pong, websocket.Continuation: // the limits refuse the first
		}
		return nil
	})
	if broken, ok := errors.AsType[*websocket.CloseError](err); ok {
		_ = r.say(ctx, utterance{bytes: websocket.AppendClose(nil, broken.Code, broken.Reason), err: errBroken})
	}
	return err == nil
}

// say hands words to the writer. It fails when the stream has ended.
func (r *socketReader) say(ctx context.Context, u utterance) error {
	select {
	case r.in.out <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// socketWriter writes to a connection that was taken over.
type socketWriter struct {
	nc    net.Conn
	stall time.Duration
	flat  []byte
}

// Write implements writer. The buffers go out together: TLS makes a record of each
// write.
func (w *socketWriter) Write(buffers ...[]byte) error {
	b := buffers[0]
	if len(buffers) > 1 {
		w.flat = w.flat[:0]
		for _, piece := range buffers {
			w.flat = append(w.flat, piece...)
		}
		b = w.flat
	}
	for len(b) > 0 {
		n := min(len(b), httpx.StreamPiece)
		if err := w.nc.SetWriteDeadline(time.Now().Add(w.stall)); err != nil {
			return fmt.Errorf("deadline: %w", err)
		}
		if _, err := w.nc.Write(b[:n]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	if cap(w.flat) > connection.DeliverBytes {
		w.flat = nil
	}
	return nil
}
