package ordinary

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"tidings/services/edge/connection"
	"tidings/services/edge/websocket"
	"tidings/shared/auth"
)

// inputBytes is how much is read from a WebSocket at once.
const inputBytes = 4 << 10

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

// forgive forgets that a sign of life is awaited.
func (in *input) forgive() {
	if in != nil {
		in.awaiting = time.Time{}
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
func (r *socketReader) run(ctx context.Context, from io.Reader) {
	defer r.reader.Release()
	buf := make([]byte, inputBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			r.in.heard.Store(true)
			if !r.feed(ctx, buf[:n]) {
				return
			}
		}
		if err != nil {
			_ = r.say(ctx, utterance{err: errClosed}) // the stream may have ended before
			return
		}
	}
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
