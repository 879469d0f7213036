package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
)

// wakeSlack is how much earlier than planned an item may wake up: clocks differ.
const wakeSlack = time.Second

// Change carries out an operation on a person's inbox and returns what comes of it. If
// nothing does, nothing is stored; else it is one message. Errors wrap ErrUser, ErrOp,
// ErrUnknown, ErrSnoozed, ErrConflict or those of natsx; then nothing is changed, but
// after one of natsx it may be. Doing it again does no harm.
func (s *Store) Change(ctx context.Context, user string, op Op) (View, error) {
	if err := cmp.Or(op.Check(), op.near(s.limits.Now())); err != nil {
		return View{}, err
	}
	return s.change(ctx, user, func(e *edit) (View, error) {
		slept, missing, err := e.do(op)
		return View{Snoozed: slept, Missing: missing}, err
	})
}

// Wake ends the sleep of an item when it is over, so that all its person's devices learn
// of it. It does nothing if the item does not sleep any more or was put to sleep for
// longer. Errors are those of Change.
func (s *Store) Wake(ctx context.Context, user string, n int64) error {
	_, err := s.change(ctx, user, func(e *edit) (View, error) {
		e.wake(n, e.now.Add(wakeSlack))
		return View{}, nil
	})
	return err
}

// change stores what do makes of a person's state, and adds its view to the answer.
func (s *Store) change(ctx context.Context, user string, do func(*edit) (View, error)) (View, error) {
	_, subj, err := s.subjects(user)
	if err != nil {
		return View{}, err
	}
	done, err := s.turn(ctx, subj)
	if err != nil {
		return View{}, fmt.Errorf("change an inbox: %w", err)
	}
	defer done()
	in, err := s.Read(ctx, user)
	if err != nil {
		return View{}, fmt.Errorf("change an inbox: %w", err)
	}
	var v View
	err = again(ctx, func() error {
		e := newEdit(in.Items, in.State, s.limits.Now())
		told, err := do(e)
		if err != nil {
			return err
		}
		state := in.State
		if e.changed() {
			if state, err = e.state(); err == nil {
				err = s.storeState(ctx, subj, state, e.now, in.stateSeq)
			}
			if errors.Is(err, errRaced) {
				// What it is about stays: items only ever come or go.
				if in.State, in.stateSeq, err = s.state(ctx, subj); err == nil {
					err = errRaced
				}
			}
			if err != nil {
				return err
			}
		}
		v = Fold(in.Items, state, e.now)
		v.Missing, v.Snoozed = told.Missing, told.Snoozed
		return nil
	})
	if err != nil {
		return View{}, fmt.Errorf("change an inbox: %w", err)
	}
	return v, nil
}

func (s *Store) storeState(ctx context.Context, subj string, state State, now time.Time, after uint64) error {
	data, err := encode(state)
	if err != nil {
		return fmt.Errorf("encode a state: %w", err)
	}
	e := event.Event{Type: TypeState, ID: strconv.FormatInt(state.Rev, 10), Time: now, ContentType: contentType, Data: data}
	return s.store(ctx, subj, e, after)
}

// Erase removes a person's inbox for good. Events of it stay in the event log for as
// long as events do. Errors wrap ErrUser or those of natsx.
func (s *Store) Erase(ctx context.Context, user string) error {
	items, state, err := s.subjects(user)
	if err != nil {
		return err
	}
	for _, what := range []struct{ stream, subj string }{{s.items, items}, {s.states, state}} {
		err := s.healed(ctx, "erase an inbox", func(ctx context.Context) error {
			st, err := s.conn.JS.Stream(ctx, what.stream)
			if err != nil {
				return err
			}
			return st.Purge(ctx, jetstream.WithPurgeSubject(what.subj))
		}, "$JS.API.STREAM.INFO."+what.stream, "$JS.API.STREAM.PURGE."+what.stream)
		if err != nil {
			return err
		}
	}
	return nil
}
