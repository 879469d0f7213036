package raw

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"tidings/services/edge/codec"
	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/event"
)

// hangUpReads bounds how much a client's bytes are read away, at 4 KiB each.
const hangUpReads = 16

// conn is a connection that a shard writes to. It belongs to the shard's goroutine,
// except while a read of the stream is under way: then its connection.Conn belongs
// to the reader.
type conn struct {
	connection.Conn
	shard *shard
	sock  *socket // nil unless it is a WebSocket
	rooms []*room
	// pending is what the socket did not take: the rest of one frame, or of the bytes
	// of a control event or a read. While there is any, the connection is not idle.
	pending []byte
	offered *tail.Frame // the last ephemeral frame, which overlapping patterns bring twice
	read    *read       // the read of the stream under way, or the rest of its handler, else nil

	lastSent time.Duration // times are since Sink.start; 0 is never
	progress time.Duration // when the socket last took something while pending
	warnAt   time.Duration
	endAt    time.Duration
	leaveAt  time.Duration

	fd          int32
	index       int32 // in shard.conns
	first, last int32 // of this turn's hits, if dirty
	dirty       bool
	blocked     bool // the socket was full
	idle        bool // it has everything its rooms were told of; frames may be written as they come
	closed      bool
}

// read is what a connection waits for that reads the stream, and what waits for it. A
// new one waits in the same way for its handler, since its client may wish a change as
// soon as it has read the first words.
type read struct {
	from    event.Cursor // where it was when the read began
	changes *waiting
	bye     *wire.Bye // the end, nil if it goes on
}

// joined is several frames in one piece.
type joined struct {
	codec  codec.Codec
	frames []*tail.Frame
	flat   []byte
}

// waiting is a list of changes, the newest first.
type waiting struct {
	change *connection.Change
	older  *waiting
}

// inOrder returns the changes in the order in which they came.
func (w *waiting) inOrder() []*connection.Change {
	var list []*connection.Change
	for ; w != nil; w = w.older {
		list = append(list, w.change)
	}
	slices.Reverse(list)
	return list
}

// Post implements connection.Member.
func (c *conn) Post(ch *connection.Change) {
	c.shard.post(task{kind: taskChange, conn: c, change: ch})
}

// Dismiss implements connection.Member.
func (c *conn) Dismiss(b wire.Bye) {
	c.shard.post(task{kind: taskDismiss, conn: c, result: &result{bye: &b}})
}

// refuse answers the changes that wait for a connection whose end has come.
func (c *conn) refuse() {
	if c.read == nil {
		return
	}
	for _, ch := range c.read.changes.inOrder() {
		ch.Refuse()
	}
	c.read.changes = nil
}

// refuseLate answers the changes that wait for a connection whose shard has ended
// before it came. In its last turn the shard may still add to them.
func (s *shard) refuseLate(c *conn) {
	<-s.over
	c.refuse()
}

// hangUp closes the socket. What was written is still sent; what the client sent
// is read away first, because closing over unread bytes would reset the connection
// and lose the last words. Who sends faster than that does not care to hear them.
func (c *conn) hangUp() {
	var junk [4096]byte
	for range hangUpReads {
		if n, err := syscall.Read(int(c.fd), junk[:]); n <= 0 || err != nil {
			break
		}
	}
	_ = syscall.Close(int(c.fd)) // a descriptor of ours can only be closed
}

// flush writes what was noted, several frames in one write.
func (s *shard) flush() {
	if len(s.dirty) == 0 {
		return
	}
	frames := s.frames[:0]
	for _, c := range s.dirty {
		c.dirty = false
		if !c.idle {
			continue
		}
		frames = frames[:0]
		for i := c.first; i >= 0; i = s.hits[i].next {
			frames = append(frames, s.hits[i].frame)
		}
		s.sendFrames(c, frames, event.Cursor{Epoch: c.Cursor.Epoch, Seq: frames[len(frames)-1].Seq})
	}
	s.frames = frames[:cap(frames)]
	clear(s.frames)
	clear(s.hits)
	clear(s.dirty)
	s.hits, s.dirty = s.hits[:0], s.dirty[:0]
}

// sendFrames writes frames in as few writes as DeliverBytes allow and moves the
// cursor to at. If the socket takes less, only the rest of the frame it broke off
// in is kept: the later ones will be read again.
func (s *shard) sendFrames(c *conn, frames []*tail.Frame, at event.Cursor) {
	sent := 0
	for sent < len(frames) {
		flat, n := s.join(c, frames[sent:])
		wrote := s.put(c, flat)
		if c.closed {
			return
		}
		if wrote == len(flat) && !c.Gzip() { // nothing to count, nothing left over
			sent += n
			continue
		}
		for _, f := range frames[sent : sent+n] {
			b := c.Bytes(s.tail, f)
			c.Count(s.tail, f)
			if wrote < len(b) {
				s.block(c, b[wrote:])
				c.MoveTo(event.Cursor{Epoch: at.Epoch, Seq: f.Seq})
				s.delivered += sent + 1
				return
			}
			wrote -= len(b)
			sent++
		}
	}
	s.delivered += sent
	c.MoveTo(at)
}

// join returns as many of the frames as go out in one write, and their number. Who
// comes next mostly gets the same, so what was joined last is kept.
func (s *shard) join(c *conn, frames []*tail.Frame) (flat []byte, n int) {
	j := &s.joined
	if j.codec.Same(&c.Codec) && slices.Equal(j.frames, frames) {
		return j.flat, len(frames)
	}
	flat = j.flat[:0]
	for _, f := range frames {
		b := c.Bytes(s.tail, f)
		if n > 0 && len(flat)+len(b) > connection.DeliverBytes {
			break
		}
		flat = append(flat, b...)
		n++
	}
	j.codec, j.frames, j.flat = c.Codec, append(j.frames[:0], frames[:n]...), flat
	return flat, n
}

// forget lets go of the frames that were joined, and of a buffer that a large one
// has made.
func (j *joined) forget() {
	clear(j.frames)
	j.frames = j.frames[:0]
	if cap(j.flat) > 2*connection.DeliverBytes {
		j.flat = nil
	}
}

// resume goes on when the socket takes more.
func (s *shard) resume(ctx context.Context, c *conn) {
	if c.pending == nil {
		return
	}
	rest := c.pending
	c.pending = nil
	if s.push(c, rest) {
		c.blocked = false
		s.pump(ctx, c)
	}
}

// pump reads the tail for a connection that does not keep up, until it does, its
// socket is full, or it must read the stream.
func (s *shard) pump(ctx context.Context, c *conn) {
	c.idle = false
	for range pumpRounds {
		if c.closed || c.read != nil || c.pending != nil || c.parting() {
			return
		}
		s.seats = s.seats[:0]
		for _, m := range c.rooms {
			s.seats = append(s.seats, m.seat)
		}
		frames := s.frames[:connection.ReadBatch]
		n, at, err := s.tail.Read(c.Cursor, frames, s.seats...)
		switch {
		case errors.Is(err, tail.ErrEpoch):
			s.write(c, c.AppendNewEpoch(nil))
			continue
		case errors.Is(err, tail.ErrBehind):
			s.catchUp(ctx, c)
			return
		}
		chosen, all := c.Choose(frames[:n], connection.DeliverBytes)
		if !all {
			at.Seq = chosen[len(chosen)-1].Seq
		}
		s.sendFrames(c, chosen, at)
		clear(frames[:n])
		if all && n < connection.ReadBatch && !c.closed && c.pending == nil {
			c.idle = true
			s.write(c, c.AppendState(nil))
			return
		}
	}
	s.post(task{kind: taskPump, conn: c})
}

// catchUp reads the stream for a connection behind the tail, in a goroutine that the
// shard waits for.
func (s *shard) catchUp(ctx context.Context, c *conn) {
	c.read = &read{from: c.Cursor}
	s.others.Go(func() {
		buf, err := c.CatchUp(ctx)
		s.post(task{kind: taskRead, conn: c, result: &result{buf: buf, err: err}})
	})
}

// readDone goes on after a read of the stream.
func (s *shard) readDone(ctx context.Context, c *conn, r *read, got *result) {
	switch {
	case r.bye != nil:
	case got.err != nil:
		if ctx.Err() == nil {
			s.r.h.Config().Logger.Warn("a connection ended for a failed read of the log; it can resume", "err", got.err)
		}
		s.close(c, connection.CauseFailed)
	default:
		s.push(c, got.buf)
	}
	s.settle(ctx, c, r)
	s.pump(ctx, c)
}

// settle does what waited for a connection.
func (s *shard) settle(ctx context.Context, c *conn, r *read) {
	if r == nil {
		return
	}
	if r.bye != nil && !c.closed {
		s.dismiss(c, *r.bye)
	}
	for _, ch := range r.changes.inOrder() {
		s.change(ctx, c, ch)
	}
}

// write packs and pushes.
func (s *shard) write(c *conn, b []byte) { s.push(c, c.Pack(b)) }

// push writes b to a connection, behind what is pending, and keeps what the socket
// does not take. It reports whether all was taken.
func (s *shard) push(c *conn, b []byte) bool {
	if len(b) == 0 {
		return !c.closed
	}
	if c.pending != nil {
		c.pending = append(slices.Clip(c.pending), b...) // it may be shared bytes
		return false
	}
	n := s.put(c, b)
	if c.closed {
		return false
	}
	if n < len(b) {
		s.block(c, b[n:])
		return false
	}
	return true
}

// block keeps the rest of a write until the socket takes more.
func (s *shard) block(c *conn, rest []byte) {
	c.pending, c.idle = rest, false
	if !c.blocked {
		c.blocked, c.progress = true, s.now
	}
}

// put writes as much of b as the socket takes. An error closes the connection.
func (s *shard) put(c *conn, b []byte) int {
	n := 0
	for n < len(b) {
		// The descriptor never blocks, so the scheduler need not hear of the call.
		w, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n))
		if errno == syscall.EINTR {
			continue
		}
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 {
			s.close(c, connection.CauseGone)
			return n
		}
		n += int(w)
	}
	if n > 0 {
		c.lastSent, c.progress = s.now, s.now
		s.bytes += n
	}
	return n
}
