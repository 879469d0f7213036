package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// MaxPerUser is the most items that an inbox may keep: those of one page of the
	// store, and a state of some 8 KiB at the most.
	MaxPerUser = 250
	// callWait bounds one exchange with NATS. A leader election takes about five
	// seconds; who waits longer is better told so.
	callWait = 5 * time.Second
	// tries is how often something is tried again because somebody else was faster. In
	// each round one of those who race for an inbox gets on; they are processes, since
	// within one they take turns.
	tries = 100
	// tryPause is the longest pause after the first try; it grows evenly up to tryGrowth
	// times, and no further: who has waited for long must not wait longer than others.
	tryPause  = 2 * time.Millisecond
	tryGrowth = 8
	// turns is how many inboxes of a process may be written at once, at the most.
	turns = 256
	// healTries and healPause are how often, and how long after each other, a stream that
	// was just made is asked until it answers.
	healTries, healPause = 20, 25 * time.Millisecond
	// contentType is what items and states are.
	contentType = "application/json"
)

var (
	// ErrUser says that a string cannot name a person.
	ErrUser = errors.New("not a user's id")
	// ErrConflict says that others changed the inbox again and again. Nothing was stored.
	ErrConflict = errors.New("the inbox was changed by others at the same time")
	// errRaced says so of one attempt.
	errRaced = errors.New("something was stored meanwhile")
)

// Limits say what the store keeps and how it works.
type Limits struct {
	// PerUser is how many items an inbox keeps, from 1 to MaxPerUser.
	PerUser int
	// Age is how long an item is kept.
	Age time.Duration
	// Bytes bounds all items; the oldest go first. StateBytes bounds all states; when it
	// is reached changes that make a state longer are refused.
	Bytes, StateBytes int64
	// Replicas is the number of copies, 1, 3 or 5; used when a stream is created.
	Replicas int
	// EventsAge is how long the event log keeps events. Ticks come four times as often.
	EventsAge time.Duration
	// Now is the clock, nil for time.Now. Log is told when ticks fail, nil for nobody.
	Now func() time.Time
	Log *slog.Logger
}

// DefaultLimits returns limits for some million items.
func DefaultLimits() Limits {
	return Limits{
		PerUser: 200, Age: 90 * 24 * time.Hour, Bytes: 8 << 30, StateBytes: 2 << 30, Replicas: 1,
		EventsAge: 24 * time.Hour,
	}
}

// Store is the inboxes of all people. Make one with Open.
type Store struct {
	conn    *natsx.Conn
	space   subject.Space
	limits  Limits
	configs []jetstream.StreamConfig

	items, states string // names of the streams
	replicated    bool   // a read may be answered by a replica that lags behind

	seed  maphash.Seed
	turns [turns]chan struct{} // each is full while one of its people's inboxes is written
}

// Open makes the streams, or brings existing ones to the limits. Errors wrap those of
// natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, limits Limits) (*Store, error) {
	if limits.PerUser < 1 || limits.PerUser > MaxPerUser {
		return nil, fmt.Errorf("an inbox of %d items: it must have 1 to %d", limits.PerUser, MaxPerUser)
	}
	if limits.Now == nil {
		limits.Now = time.Now
	}
	if limits.Log == nil {
		limits.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		conn: conn, space: space, limits: limits, configs: stream.Feeds(space),
		items: space.Stream(stream.NameInbox), states: space.Stream(stream.NameInboxState),
		seed: maphash.MakeSeed(),
	}
	for k := range s.turns {
		s.turns[k] = make(chan struct{}, 1)
	}
	for k := range s.configs {
		c := &s.configs[k]
		c.MaxAge, c.Replicas = limits.Age, limits.Replicas
		switch c.Name {
		case s.items:
			c.MaxMsgsPerSubject, c.MaxBytes = int64(limits.PerUser), limits.Bytes
		case s.states:
			c.MaxBytes = limits.StateBytes
		}
	}
	replicas, err := s.ensure(ctx)
	s.replicated = replicas > 1
	return s, err
}

// ensure makes the streams exist and returns how many copies there are.
func (s *Store) ensure(ctx context.Context) (replicas int, err error) {
	for _, c := range s.configs {
		info, err := s.conn.EnsureStream(ctx, c)
		if err != nil {
			return 0, err
		}
		replicas = max(replicas, info.Config.Replicas)
	}
	return replicas, nil
}

// subjects returns where a person's items and state are.
func (s *Store) subjects(user string) (items, state string, err error) {
	if _, err := subject.ParseTopic(string(subject.User(user))); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrUser, err)
	}
	token := subject.Escape(user)
	return s.space.InboxItems(token), s.space.InboxState(token), nil
}

// store publishes one event after the message with the sequence given, 0 for the first
// of its subject. The error is errRaced if another one is the last.
func (s *Store) store(ctx context.Context, subj string, e event.Event, after uint64, opts ...jetstream.PublishOpt) error {
	m := &nats.Msg{Subject: subj, Header: nats.Header(e.Header()), Data: e.Data}
	opts = append(opts, jetstream.WithExpectLastSequencePerSubject(after))
	return s.healed(ctx, "publish to "+subj, func(ctx context.Context) error {
		_, err := s.conn.JS.PublishMsg(ctx, m, opts...)
		return cmp.Or(raced(err), err)
	}, subj)
}

// raced returns errRaced for the store's refusal of a condition.
func raced(err error) error {
	if natsx.Raced(err) {
		return errRaced
	}
	return nil
}

// healed runs one exchange with NATS, and once more if the streams may have been gone: to
// a direct question about a stream that does not exist nobody answers.
func (s *Store) healed(ctx context.Context, what string, do func(context.Context) error, subjects ...string) error {
	err := s.call(ctx, what, do, subjects...)
	if ctx.Err() != nil || !errors.Is(err, natsx.ErrAway) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if _, ensureErr := s.ensure(ctx); ensureErr != nil {
		return err
	}
	// A stream answers direct questions a moment after it was made.
	for range healTries {
		if err = s.call(ctx, what, do, subjects...); !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(healPause):
		}
	}
	return err
}

// call runs one exchange with NATS within callWait.
func (s *Store) call(ctx context.Context, what string, do func(context.Context) error, subjects ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := s.conn.Guard(ctx, do, subjects...); err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}

// turn waits until nobody in this process writes the inboxes of a subject. What it
// returns ends the turn.
func (s *Store) turn(ctx context.Context, subj string) (done func(), err error) {
	t := s.turns[maphash.String(s.seed, subj)%turns]
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn: %w", natsx.Classify(ctx.Err()))
	}
}

// again calls do until it is not overtaken by others, and returns its error.
func again(ctx context.Context, do func() error) error {
	for try := range tries {
		if err := do(); !errors.Is(err, errRaced) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Duration(min(try+1, tryGrowth)) * tryPause)):
		}
	}
	return ErrConflict
}
