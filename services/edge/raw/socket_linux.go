package raw

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"tidings/services/edge/connection"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
)

const (
	// inputBytes is how much is read from a socket at once, and receiveRounds how often
	// before others have their turn.
	inputBytes, receiveRounds = 16 << 10, 4
	// maxCommands is how many commands of one connection may wait. While there are as
	// many its socket is not read, and the client finds out by its own full buffers.
	maxCommands = 16
)

// socket is what a WebSocket has beyond a stream: what its client says. It belongs to
// the shard.
type socket struct {
	reader   websocket.Reader
	talk     *talk         // nil while there is none: most clients only listen
	awaiting time.Duration // since when a sign of life is awaited, 0 if it is not
	posted   atomic.Bool
	more     bool // the socket was not read to its end
}

// talk is what is under way with a client that said something.
type talk struct {
	queue   [][]byte      // commands that wait
	running bool          // a command runs
	last    []byte        // what ends it once the commands are done, since its client closed; nil before
	until   time.Duration // while parting, when that ends; 0 before
	cause   string        // of the end, while parting
}

// speak returns the talk with a client, begun if there was none.
func (k *socket) speak() *talk {
	if k.talk == nil {
		k.talk = &talk{}
	}
	return k.talk
}

// busy reports whether there are commands to be done, and full whether they are as
// many as may be.
func (k *socket) busy() bool { return k.talk != nil && (k.talk.running || len(k.talk.queue) > 0) }
func (k *socket) full() bool { return k.talk != nil && len(k.talk.queue) >= maxCommands }

// parting reports whether the last word was said and the client's is awaited.
func (c *conn) parting() bool { return c.sock != nil && c.sock.talk != nil && c.sock.talk.until != 0 }

// receive reads what the client of a WebSocket sent.
func (s *shard) receive(ctx context.Context, c *conn) {
	k := c.sock
	for range receiveRounds {
		// What answers the client must have somewhere to go: while it does not read or
		// we are not done, it is not listened to.
		if k.more = c.pending != nil || k.full(); k.more {
			return
		}
		n, err := syscall.Read(int(c.fd), s.input)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err == nil && n == 0 && k.busy() && !c.parting():
			k.talk.last = append([]byte{}, k.talk.last...) // the client says nothing more, but may listen
			return
		case err != nil || n <= 0:
			s.close(c, c.endCause())
			return
		case c.parting():
			continue
		}
		k.awaiting = 0
		s.feed(ctx, c, s.input[:n])
		if c.closed {
			return
		}
	}
	s.post(task{kind: taskReady, conn: c})
}

// endCause is why a connection ends whose client closed the socket.
func (c *conn) endCause() string {
	if c.parting() {
		return c.sock.talk.cause
	}
	return connection.CauseGone
}

// feed understands what arrived.
func (s *shard) feed(ctx context.Context, c *conn, b []byte) {
	var answer []byte
	err := c.sock.reader.Feed(b, websocket.Limits{Deflate: c.Deflate()}, func(m websocket.Message) error {
		switch m.Opcode {
		case websocket.Ping:
			answer = websocket.AppendPong(answer, m.Payload)
		case websocket.Close:
			c.sock.speak().last = websocket.AppendClose(nil, m.Code, "")
		case websocket.Text:
			t := c.sock.speak()
			t.queue = append(t.queue, bytes.Clone(m.Payload))
		case websocket.Binary, websocket.Pong, websocket.Continuation: // the limits refuse the first
		}
		return nil
	})
	if broken, ok := errors.AsType[*websocket.CloseError](err); ok {
		answer = websocket.AppendClose(answer, broken.Code, broken.Reason)
	}
	s.push(c, answer)
	switch {
	case c.closed:
	case err != nil:
		s.part(c, connection.CauseBroken)
	default:
		s.command(ctx, c)
	}
}

// command runs the next command, if none is running. It may wait for NATS, so it has
// a goroutine of its own, for which the shard waits. After the last one before the
// client closed, the connection ends: what was published right before is published.
func (s *shard) command(ctx context.Context, c *conn) {
	t := c.sock.talk
	if t == nil || t.running || c.parting() {
		return
	}
	if len(t.queue) == 0 {
		if t.last == nil {
			c.sock.talk = nil
		} else if s.push(c, t.last); !c.closed {
			s.close(c, connection.CauseGone)
		}
		return
	}
	t.running = true
	payload := t.queue[0]
	t.queue = t.queue[1:]
	from := connection.Caller{Conn: c.Name(), Grant: c.Grant}
	s.others.Go(func() {
		reply := s.r.h.Config().Command(ctx, from, payload)
		s.post(task{kind: taskReply, conn: c, result: &result{buf: websocket.AppendText(nil, reply)}})
	})
}

// reply sends the answer to a command and goes on with the next.
func (s *shard) reply(ctx context.Context, c *conn, answer []byte) {
	c.sock.talk.running = false
	if c.parting() {
		return
	}
	s.push(c, answer)
	if c.closed {
		return
	}
	s.command(ctx, c)
	if c.sock.more && !c.closed {
		s.receive(ctx, c)
	}
}

// dismiss says goodbye and closes. A client whose socket is full does not hear it.
func (s *shard) dismiss(c *conn, b wire.Bye) {
	if c.pending == nil && c.read == nil && !c.parting() {
		s.push(c, c.Farewell(b))
	}
	if !c.closed {
		s.part(c, b.Code)
	}
}

// part ends a connection after the last words. The client of a WebSocket has a
// moment to answer them: closing over what it still sends would reset the
// connection, and it might not hear them.
func (s *shard) part(c *conn, cause string) {
	if c.sock == nil || c.pending != nil || c.read != nil || c.parting() || syscall.Shutdown(int(c.fd), syscall.SHUT_WR) != nil {
		s.close(c, cause)
		return
	}
	c.idle = false
	t := c.sock.speak()
	t.until, t.cause = s.now+connection.PartingTime, cause
}
