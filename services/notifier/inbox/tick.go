package inbox

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx/direct"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// nobody is the token that ticks are for. Escape never makes it of a user's id, so
	// the log takes a tick for no event of anybody.
	nobody = "~"
	// ticksPerAge is how many ticks the log holds, so that some may fail.
	ticksPerAge = 4
	// maxTick is the longest time between two ticks: the log may also drop by size.
	maxTick = 15 * time.Minute
	// tickRetry is the pause after a tick that could not be stored.
	tickRetry = 10 * time.Second
	// tickArrives is how long a tick may take into the log before somebody is told: NATS
	// tries a source that it has lost again within two minutes.
	tickArrives = 3 * time.Minute
)

// errStalled says that the event log does not take in what is stored here.
var errStalled = errors.New("the event log does not draw from the inboxes' stream")

// Run stores ticks until ctx ends, whose error it returns then.
func (s *Store) Run(ctx context.Context) error {
	every := max(min(s.limits.EventsAge/ticksPerAge, maxTick), time.Second)
	for {
		wait := every
		if err := s.tick(ctx); err != nil && ctx.Err() == nil {
			s.limits.Log.Warn("the inboxes' tick failed", "err", err)
			if wait = every; !errors.Is(err, errStalled) {
				wait = min(every, tickRetry)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// tick stores a message for nobody in each stream and waits until the log has the
// last of them, if there is a log.
func (s *Store) tick(ctx context.Context) error {
	sent := strconv.FormatInt(s.limits.Now().UnixMicro(), 10)
	for _, subj := range []string{s.space.InboxItems(nobody), s.space.InboxState(nobody)} {
		err := s.healed(ctx, "publish to "+subj, func(ctx context.Context) error {
			_, err := s.conn.JS.PublishMsg(ctx, &nats.Msg{Subject: subj, Data: []byte(sent)})
			return err
		}, subj)
		if err != nil {
			return err
		}
	}
	return s.arrives(ctx, sent)
}

// arrives waits until the log has a tick.
func (s *Store) arrives(ctx context.Context, sent string) error {
	subj := s.space.Events(subject.Pattern("user." + nobody))
	ctx, cancel := context.WithTimeout(ctx, tickArrives)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		m, err := direct.Last(ctx, s.conn, s.space.Stream(stream.Name), subj)
		switch {
		case errors.Is(err, nats.ErrNoResponders): // there is no log yet
			return nil
		case err == nil && m != nil && string(m.Data) >= sent:
			return nil
		}
		select {
		case <-ctx.Done():
			return errStalled
		case <-time.After(pause):
		}
	}
}
