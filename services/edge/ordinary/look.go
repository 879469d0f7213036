package ordinary

import (
	"context"
	"time"

	"tidings/services/edge/connection"
)

// Look implements connection.Sink. The streams are not asked but looked at: one that is
// blocked in a write could not answer.
func (s *Sink) Look(ctx context.Context, fn func(*connection.Sight)) error {
	s.mu.Lock()
	list := make([]*stream, 0, len(s.streams))
	for o := range s.streams {
		list = append(list, o)
	}
	s.mu.Unlock()
	sight := connection.Sight{Sink: "ordinary"}
	for _, o := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.show(&sight, fn)
	}
	return nil
}

// show shows the stream as it is at this moment.
func (o *stream) show(v *connection.Sight, fn func(*connection.Sight)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v.Conn, v.Member, v.Patterns, v.Token, v.Cursor = o.Conn, o, o.Patterns, o.Token(), o.at
	switch {
	case !o.since.IsZero() && time.Since(o.since) >= connection.StalledAfter:
		v.Progress = connection.Stalled
	case o.live:
		v.Progress = connection.Live
	default:
		v.Progress = connection.CatchingUp
	}
	fn(v)
}

// note makes the stream's position known to those who look.
func (o *stream) note(live bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at, o.live = o.Cursor, live
}

// writing makes known since when a write is under way; zero is never.
func (o *stream) writing(since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = since
}
