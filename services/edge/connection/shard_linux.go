package connection

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tidings/services/edge/tail"
	"tidings/services/edge/wire"
	"tidings/shared/event"
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
	conn   *rawConn
	room   *room
	frame  *tail.Frame
	buf    []byte        // of taskRead
	err    error         // of taskRead
	within time.Duration // of taskLeave
}

type taskKind uint8

const (
	taskAdd      taskKind = iota // conn is new
	taskFrame                    // room has a new frame
	taskOffer                    // room has an ephemeral frame
	taskReset                    // room's log is another one
	taskWritable                 // conn's socket may take more
	taskGone                     // conn's client left
	taskRead                     // conn's read of the stream is done
	taskPump                     // conn has more to read
	taskLeave                    // all are to leave
)

// shard writes to a share of the connections from one goroutine. Others reach it
// through its inbox only.
type shard struct {
	r    *rawSink
	wake chan struct{} // 1 slot

	mu      sync.Mutex
	inbox   []task
	lagging bool // frames were left out of the inbox
	ended   bool // nobody reads the inbox any more

	// Owned by the shard's goroutine.
	rooms  map[subject.Pattern]*room
	conns  []*rawConn
	reads  sync.WaitGroup // reads of the stream under way
	now    time.Duration  // since rawSink.start, at the last turn
	spare  []task         // the inbox that is not in use
	hits   []hit          // the frames of this turn, linked per connection
	dirty  []*rawConn     // connections with hits
	stale  []*room        // rooms with many closed connections
	frames []*tail.Frame  // scratch
	seats  []*tail.Seat   // scratch
	flat   []byte         // scratch
}

func newShard(r *rawSink) *shard {
	return &shard{
		r: r, wake: make(chan struct{}, 1), rooms: map[subject.Pattern]*room{},
		frames: make([]*tail.Frame, readBatch), flat: make([]byte, 0, deliverBytes),
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
	if ended && t.kind == taskAdd { // it came too late
		t.conn.hangUp()
		s.r.h.conns.release(&t.conn.conn)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run works until ctx ends, then closes every connection and waits for the reads
// that are under way.
func (s *shard) run(ctx context.Context) {
	tick := time.NewTicker(min(sweepEvery, s.r.h.cfg.Heartbeat))
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
			seen := s.r.h.cfg.Tail.Announced()
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
		default:
			s.flush()
			s.connTask(ctx, t)
		}
	}
	s.flush()
	clear(tasks) // keep no frame alive
	s.spare = tasks
	if lagging {
		for _, c := range slices.Backward(s.conns) { // closing moves the last one here
			if c.idle {
				s.pump(ctx, c)
			}
		}
	}
	s.tidy()
}

// connTask does what concerns one connection.
func (s *shard) connTask(ctx context.Context, t task) {
	c := t.conn
	if t.kind == taskRead {
		c.reading = false
	}
	if c.closed {
		return
	}
	switch t.kind {
	case taskAdd:
		s.add(ctx, c)
	case taskGone:
		s.close(c, causeGone)
	case taskWritable:
		s.resume(ctx, c)
	case taskPump:
		s.pump(ctx, c)
	case taskRead:
		s.readDone(ctx, c, t.buf, t.err)
	case taskFrame, taskOffer, taskReset, taskLeave: // not of one connection
	}
}

// add takes a new connection in and brings it up to date.
func (s *shard) add(ctx context.Context, c *rawConn) {
	c.index = int32(len(s.conns))
	s.conns = append(s.conns, c)
	c.lastSent = s.now
	if s.r.h.draining.Load() { // it began while the connection was on its way here
		c.leaveAt = s.now + 1
	}
	now := time.Now()
	if warn, end := c.expiry(now); !end.IsZero() {
		c.warnAt, c.endAt = s.now+warn.Sub(now), s.now+end.Sub(now)
	}
	if err := s.r.watch(c); err != nil {
		s.r.h.cfg.Logger.Warn("a socket cannot be watched", "err", err)
		s.close(c, causeFailed)
		return
	}
	c.rooms = make([]*room, len(c.patterns))
	for i, p := range c.patterns {
		m := s.rooms[p]
		if m == nil {
			m = &room{s: s, pattern: p}
			m.seat = s.r.h.cfg.Tail.Sit(m, p)
			s.rooms[p] = m
		}
		m.conns = append(m.conns, c)
		c.rooms[i] = m
		c.patterns[i] = m.pattern // lets go of the request's query
	}
	s.pump(ctx, c)
}

// close ends a connection and gives back all it had.
func (s *shard) close(c *rawConn, cause string) {
	c.closed, c.idle, c.pending = true, false, nil
	last := int32(len(s.conns) - 1)
	s.conns[c.index], s.conns[last].index = s.conns[last], c.index
	s.conns[last] = nil
	s.conns = s.conns[:last]
	for _, m := range c.rooms {
		if m.closed++; m.closed*2 >= len(m.conns) && !m.stale {
			m.stale = true // somebody may be going through the list right now
			s.stale = append(s.stale, m)
		}
	}
	if c.slot != 0 {
		s.r.slots.Drop(c.slot - 1)
	}
	c.hangUp()
	s.r.h.conns.release(&c.conn)
	s.r.h.metrics.ends.WithLabelValues(cause).Inc()
}

// end sends everybody who is still there away when the sink stops.
func (s *shard) end(ctx context.Context) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.turn(ctx)
	for len(s.conns) > 0 {
		s.dismiss(s.conns[0], wire.Draining)
	}
	s.reads.Wait()
}

// sweep keeps the appointments. seen is a position that every connection which
// keeps up has reached.
func (s *shard) sweep(seen event.Cursor) {
	defer s.tidy()
	h := s.r.h
	away := h.cfg.Away() != nil
	for _, c := range slices.Backward(s.conns) { // closing moves the last one here
		switch {
		case c.endAt != 0 && s.now >= c.endAt:
			s.dismiss(c, wire.Expired)
			continue
		case c.leaveAt != 0 && s.now >= c.leaveAt:
			s.dismiss(c, wire.Draining)
			continue
		case c.pending != nil && s.now-c.progress >= h.cfg.Stall:
			s.close(c, causeStalled)
			continue
		case !c.idle:
			continue
		}
		if c.cursor.Epoch == seen.Epoch {
			c.cursor.Seq = max(c.cursor.Seq, seen.Seq)
		}
		if c.warnAt != 0 && s.now >= c.warnAt {
			c.warnAt = 0
			s.write(c, c.appendExpiring(nil))
		} else if away != c.wasAway {
			s.write(c, c.appendState(nil))
		} else if s.now-c.lastSent >= h.cfg.Heartbeat {
			s.write(c, wire.AppendHeartbeat(nil, c.cursor))
		}
	}
}

// dismiss says goodbye and closes. A client whose socket is full does not hear it.
func (s *shard) dismiss(c *rawConn, b wire.Bye) {
	if c.pending == nil && !c.reading {
		s.push(c, c.farewell(appendBye(nil, b)))
	}
	if !c.closed {
		s.close(c, b.Code)
	}
}

// readDone goes on after a read of the stream.
func (s *shard) readDone(ctx context.Context, c *rawConn, buf []byte, err error) {
	if err != nil {
		if ctx.Err() == nil {
			s.r.h.cfg.Logger.Warn("a connection ended for a failed read of the log; it can resume", "err", err)
		}
		s.close(c, causeFailed)
		return
	}
	if s.push(c, buf) {
		s.pump(ctx, c)
	}
}
