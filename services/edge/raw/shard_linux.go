package raw

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/subject"
)

const (
	// sweepEvery is how often a shard looks after its connections' appointments:
	// heartbeats, expiry, stalls, goodbyes. A look is a few comparisons.
	sweepEvery = 100 * time.Millisecond
	// maxInbox is how many tasks may wait for a shard. A shard that falls further
	// behind forgets the single frames and reads the tail in bulk instead, which
	// costs fewer writes.
	maxInbox = 4096
	// keepInbox is the room for tasks that a shard keeps from turn to turn.
	keepInbox = maxInbox / 4
	// gatherFor is how long a shard waits for an event's companions before it goes
	// through a room of gatherFrom connections or more, and gatherTimes how often at
	// most, as long as they keep coming. Events that are published together arrive
	// within a fraction of a millisecond; going through such a room for the first one
	// alone takes longer than that and costs as much as going for all. Measured with
	// "tidings bench fanout", bursts of 8 to 1,000 connections: 4.4 events a write
	// without the wait.
	gatherFor   = 250 * time.Microsecond
	gatherTimes = 4
	gatherFrom  = 128
	// pumpRounds is how many batches a connection that catches up is given before
	// others have their turn.
	pumpRounds = 4
)

// task is something for a shard to do.
type task struct {
	kind   taskKind
	conn   *conn
	room   *room
	frame  *tail.Frame
	change *connection.Change
	result *result       // of taskRead, taskReply, taskDismiss, taskLook, and taskAdd of a WebSocket
	within time.Duration // of taskLeave
}

// result is what else somebody outside of the shard comes with. It is apart from the
// task because tasks are many and results few.
type result struct {
	buf  []byte // to be written
	err  error
	bye  *wire.Bye // of taskDismiss
	look *look     // of taskLook
}

type taskKind uint8

const (
	taskAdd     taskKind = iota // conn is new
	taskLost                    // conn was lost on its way here; it will not be added
	taskFrame                   // room has a new frame
	taskOffer                   // room has an ephemeral frame
	taskReset                   // room's log is another one
	taskReady                   // conn's socket may take more, or has something to say
	taskGone                    // conn's client left
	taskRead                    // conn's read of the stream is done
	taskPump                    // conn has more to read
	taskReply                   // conn's command is done
	taskChange                  // conn is to have other topics, or a new token
	taskDismiss                 // conn is to leave
	taskLook                    // all are to be shown
	taskLeave                   // all are to leave
)

// shard writes to a share of the connections from one goroutine. Others reach it
// through its inbox only.
type shard struct {
	r    *Sink
	tail *tail.Tail
	wake chan struct{} // 1 slot
	over chan struct{} // closed after the last turn

	mu      sync.Mutex
	inbox   []task
	lagging bool // frames were left out of the inbox
	ended   bool // nobody reads the inbox any more

	// Owned by the shard's goroutine.
	rooms  map[subject.Pattern]*room
	conns  []*conn
	others sync.WaitGroup // reads of the stream, and commands, under way
	now    time.Duration  // since Sink.start, at the last turn
	spare  []task         // the inbox that is not in use
	hits   []hit          // the frames of this turn, linked per connection
	dirty  []*conn        // connections with hits
	stale  []*room        // rooms with many closed connections
	frames []*tail.Frame  // scratch
	seats  []*tail.Seat   // scratch
	joined joined         // scratch
	input  []byte         // scratch

	delivered, bytes int // not yet in the metrics
}

func newShard(r *Sink) *shard {
	return &shard{
		r: r, tail: r.h.Config().Tail, wake: make(chan struct{}, 1), over: make(chan struct{}), rooms: map[subject.Pattern]*room{},
		frames: make([]*tail.Frame, connection.ReadBatch), input: make([]byte, inputBytes),
	}
}

// post gives the shard something to do. Of frames, only so many may wait.
func (s *shard) post(t task) {
	s.mu.Lock()
	ended := s.ended
	if (t.kind == taskFrame || t.kind == taskOffer) && len(s.inbox) >= maxInbox {
		s.lagging = s.lagging || t.kind == taskFrame
	} else if !ended {
		s.inbox = append(s.inbox, t)
	}
	s.mu.Unlock()
	if ended { // it came too late
		switch t.kind {
		case taskAdd:
			t.conn.hangUp()
			s.r.h.Release(&t.conn.Conn, connection.CauseGone)
			s.refuseLate(t.conn)
		case taskLost:
			s.refuseLate(t.conn)
		case taskChange:
			t.change.Refuse()
		case taskLook:
			t.result.look.done()
		default:
		}
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run works until ctx ends, then closes every connection and waits for the reads
// that are under way.
func (s *shard) run(ctx context.Context) {
	tick := time.NewTicker(min(sweepEvery, s.r.h.Config().Heartbeat))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.end(ctx)
			return
		case <-s.wake:
			s.gather()
			s.turn(ctx)
		case <-tick.C:
			// What was announced before this turn is in the inbox or done: after the turn
			// every connection that keeps up has seen it.
			seen := s.r.h.Config().Tail.Announced()
			s.turn(ctx)
			s.sweep(seen)
		}
	}
}

// gather waits a moment for the companions of an event for a large room.
func (s *shard) gather() {
	n := s.waiting()
	for range gatherTimes {
		if n == 0 {
			return
		}
		time.Sleep(gatherFor)
		more := s.waiting()
		if more == n {
			return
		}
		n = more
	}
}

// waiting returns the length of the inbox if it begins with an event for a large
// room, else 0.
func (s *shard) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) == 0 || s.inbox[0].kind != taskFrame || len(s.inbox[0].room.conns) < gatherFrom {
		return 0
	}
	return len(s.inbox)
}

// turn works through the inbox.
func (s *shard) turn(ctx context.Context) {
	s.now = time.Since(s.r.start)
	s.mu.Lock()
	tasks, lagging := s.inbox, s.lagging
	s.inbox, s.lagging = s.spare[:0], false
	s.mu.Unlock()
	frames := 0
	for _, t := range tasks {
		if t.kind == taskFrame {
			frames++
		}
	}
	for _, t := range tasks {
		switch t.kind {
		case taskFrame:
			if frames == 1 {
				s.sendRoom(t.room, t.frame)
			} else {
				s.noteRoom(t.room, t.frame)
			}
		case taskOffer:
			s.offerRoom(t.room, t.frame)
		case taskLeave:
			for _, c := range s.conns {
				c.leaveAt = s.now + rand.N(t.within+1) + 1
			}
		case taskReset:
			s.flush()
			s.resetRoom(ctx, t.room)
		case taskLook:
			s.flush()
			s.show(t.result.look)
		default:
			s.flush()
			s.connTask(ctx, t)
		}
	}
	s.flush()
	clear(tasks) // keep no frame alive
	if s.spare = tasks; cap(tasks) > keepInbox {
		s.spare = nil // a wave of connections has passed
	}
	if lagging {
		for _, c := range slices.Backward(s.conns) { // closing moves the last one here
			if c.idle {
				s.pump(ctx, c)
			}
		}
	}
	s.tidy()
	s.joined.forget()
	s.report()
}

// report adds what was done to the metrics: once for many connections, since they
// are shared by all shards.
func (s *shard) report() {
	if s.bytes > 0 {
		s.r.h.Metrics.Delivered.Add(s.delivered)
		s.r.h.Metrics.Bytes.Add(float64(s.bytes))
		s.delivered, s.bytes = 0, 0
	}
}

// connTask does what concerns one connection.
func (s *shard) connTask(ctx context.Context, t task) {
	c := t.conn
	reading := c.read
	if t.kind == taskRead {
		c.read = nil
	}
	if c.closed {
		if t.kind == taskChange {
			t.change.Refuse()
		}
		return
	}
	switch t.kind {
	case taskAdd:
		s.add(ctx, c, t.result)
	case taskLost:
		c.closed = true // changes that are still to come are refused, too
		c.refuse()
	case taskGone:
		s.close(c, c.endCause())
	case taskReady:
		s.ready(ctx, c)
	case taskPump:
		s.pump(ctx, c)
	case taskRead:
		s.readDone(ctx, c, reading, t.result)
	case taskReply:
		s.reply(ctx, c, t.result.buf)
	case taskChange:
		s.change(ctx, c, t.change)
	case taskDismiss:
		s.dismissLater(c, t.result.bye)
	case taskFrame, taskOffer, taskReset, taskLook, taskLeave: // not of one connection
	}
}

// ready goes on writing, and reads what the client of a WebSocket says.
func (s *shard) ready(ctx context.Context, c *conn) {
	if c.sock != nil {
		c.sock.posted.Store(false) // before looking: what comes from here on is told again
	}
	s.resume(ctx, c)
	if c.sock != nil && !c.closed {
		s.receive(ctx, c)
	}
}

// add takes a new connection in and brings it up to date. early is what the client of
// a WebSocket has said already.
func (s *shard) add(ctx context.Context, c *conn, early *result) {
	defer s.settle(ctx, c, c.read)
	c.read = nil
	c.index = int32(len(s.conns))
	s.conns = append(s.conns, c)
	c.lastSent = s.now
	if s.r.h.Draining() { // it began while the connection was on its way here
		c.leaveAt = s.now + 1
	}
	s.appoint(c)
	if err := s.r.watch(c); err != nil {
		s.r.h.Config().Logger.Warn("a socket cannot be watched", "err", err)
		s.close(c, connection.CauseFailed)
		return
	}
	if s.r.h.Barred(&c.Conn) {
		s.dismiss(c, wire.Revoked)
		return
	}
	c.rooms = make([]*room, 0, len(c.Patterns))
	for i, p := range c.Patterns {
		c.Patterns[i] = s.enter(c, p).pattern // lets go of the request's query
	}
	s.pump(ctx, c)
	if c.sock != nil && !c.closed {
		s.feed(ctx, c, early.buf)
	}
}

// close ends a connection and gives back all it had.
func (s *shard) close(c *conn, cause string) {
	c.closed, c.idle, c.pending = true, false, nil
	last := int32(len(s.conns) - 1)
	s.conns[c.index], s.conns[last].index = s.conns[last], c.index
	s.conns[last] = nil
	s.conns = s.conns[:last]
	for _, m := range c.rooms {
		if m.closed++; m.closed*2 >= len(m.conns) {
			s.spoil(m) // somebody may be going through the list right now
		}
		m.recount()
	}
	c.refuse()
	if c.sock != nil {
		c.sock.reader.Release()
	}
	c.hangUp()
	s.r.h.Release(&c.Conn, cause)
}

// end sends everybody who is still there away when the sink stops.
func (s *shard) end(ctx context.Context) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.turn(ctx)
	for len(s.conns) > 0 {
		c := s.conns[0]
		s.dismiss(c, wire.Draining)
		if !c.closed { // there is no time for its client's answer
			s.close(c, wire.Draining.Code)
		}
	}
	s.report()
	close(s.over)
	s.others.Wait()
}
