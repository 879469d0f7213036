package raw

import (
	"context"
	"slices"

	"tidings/services/edge/connection"
	"tidings/services/edge/wire"
)

// lookChunk is how many connections a shard shows before deliveries have their turn:
// a fraction of a millisecond's work.
const lookChunk = 1000

// look is what a shard still has to show.
type look struct {
	showing *connection.Showing
	begun   bool
	conns   []*conn // left to show; they come and go meanwhile, so it is a copy
	done    func()
}

// Look implements connection.Sink.
func (r *Sink) Look(ctx context.Context, fn func(*connection.Sight)) error {
	showing := connection.NewShowing(fn)
	defer showing.End()
	done := make(chan struct{}, len(r.shards))
	for _, s := range r.shards {
		s.post(task{kind: taskLook, result: &result{look: &look{showing: showing, done: func() { done <- struct{}{} }}}})
	}
	for range r.shards {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
		}
	}
	return nil
}

// show shows some of the connections, and the rest in the next turn.
func (s *shard) show(l *look) {
	if !l.begun {
		l.begun, l.conns = true, slices.Clone(s.conns)
	}
	some := l.conns[:min(len(l.conns), lookChunk)]
	l.conns = l.conns[len(some):]
	ok := l.showing.Take(func(fn func(*connection.Sight)) {
		sight := connection.Sight{Sink: "raw"}
		for _, c := range some {
			if !c.closed && !c.parting() {
				s.describe(c, &sight)
				fn(&sight)
			}
		}
	})
	if !ok || len(l.conns) == 0 {
		l.done()
		return
	}
	s.post(task{kind: taskLook, result: &result{look: l}})
}

// describe fills in a connection's sight. While a read of the stream is under way the
// position is the reader's to change, so the one before is told.
func (s *shard) describe(c *conn, v *connection.Sight) {
	v.Conn, v.Member, v.Patterns, v.Token = &c.Conn, c, c.Patterns, c.Token()
	v.Progress = connection.CatchingUp
	switch {
	case c.read != nil:
		v.Cursor = c.read.from
		return
	case c.idle:
		v.Progress = connection.Live
	case c.pending != nil && s.now-c.progress >= connection.StalledAfter:
		v.Progress = connection.Stalled
	}
	v.Cursor = c.Cursor
}

// dismissLater ends a connection with a reason, after the read of the stream that is
// under way: the client is to hear it.
func (s *shard) dismissLater(c *conn, b *wire.Bye) {
	switch {
	case c.parting():
	case c.read != nil:
		c.read.bye = b
		c.leaveAt = s.now + connection.PartingTime // it is not waited for that long
	default:
		s.dismiss(c, *b)
	}
}
