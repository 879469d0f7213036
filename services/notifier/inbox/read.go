package inbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
)

const (
	// catchUp is how often a replica is asked again that has not all that its leader
	// has, catchUpPause apart: it lags by milliseconds, unless it is about to be lost.
	catchUp      = 100
	catchUpPause = 10 * time.Millisecond
)

// Inbox is what the store has of a person.
type Inbox struct {
	// Items are in ascending order.
	Items []Item
	State State

	stateSeq uint64 // the sequence of State, 0 if there is none
}

// Read returns a person's inbox; nobody's is empty. Whoever wants to follow the events
// from there on must have read the end of the event log before. Errors wrap ErrUser or
// those of natsx.
func (s *Store) Read(ctx context.Context, user string) (Inbox, error) {
	items, state, err := s.subjects(user)
	if err != nil {
		return Inbox{}, err
	}
	var in Inbox
	var wg sync.WaitGroup
	var stateErr error
	wg.Go(func() { in.State, in.stateSeq, stateErr = s.state(ctx, state) })
	list, _, err := s.list(ctx, items, 1)
	wg.Wait()
	if err == nil {
		err = stateErr
	}
	if err != nil {
		return Inbox{}, err
	}
	in.Items = ordered(list)
	return in, nil
}

// View returns a person's inbox as it looks now. Errors are those of Read.
func (s *Store) View(ctx context.Context, user string) (View, error) {
	in, err := s.Read(ctx, user)
	if err != nil {
		return View{}, err
	}
	return Fold(in.Items, in.State, s.limits.Now()), nil
}

// state reads a person's state. One that cannot be read counts as none: somebody else
// has stored it, and the next change replaces it.
func (s *Store) state(ctx context.Context, subj string) (State, uint64, error) {
	m, err := s.last(ctx, s.states, subj)
	if m == nil || err != nil {
		return State{}.filled(), 0, err
	}
	state, err := ParseState(m.Data)
	if err != nil {
		state = State{}.filled()
	}
	return state, direct.Sequence(m), nil
}

// last returns the last message of a subject as its leader knows it, nil if there is none.
func (s *Store) last(ctx context.Context, name, subj string) (m *nats.Msg, err error) {
	read := direct.Last
	if s.replicated {
		read = direct.LastAtLeader
	}
	err = s.healed(ctx, "read", func(ctx context.Context) (err error) {
		m, err = read(ctx, s.conn, name, subj)
		return err
	})
	return m, err
}

// list reads the items of a subject from a sequence on, all that its leader knows, and
// returns the sequence of the last message. What is no item is left out.
func (s *Store) list(ctx context.Context, subj string, from uint64) (list []Item, end uint64, err error) {
	if end, err = s.pages(ctx, subj, from, &list); err != nil || !s.replicated {
		return list, end, err
	}
	m, err := s.last(ctx, s.items, subj)
	if m == nil || err != nil {
		return list, end, err
	}
	want := direct.Sequence(m)
	for range catchUp {
		if end >= want || want < from {
			return list, end, nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(catchUpPause):
		}
		more, err := s.pages(ctx, subj, max(from, end+1), &list)
		if err != nil {
			return nil, 0, err
		}
		end = max(end, more)
	}
	return nil, 0, fmt.Errorf("read %s: a replica lags behind: %w", subj, natsx.ErrAway)
}

// pages appends the items of a subject from a sequence on to list and returns the
// sequence of the last message, 0 if there is none.
func (s *Store) pages(ctx context.Context, subj string, from uint64, list *[]Item) (end uint64, err error) {
	for more := true; more; {
		var p direct.Messages
		err := s.healed(ctx, "read", func(ctx context.Context) (err error) {
			p, err = direct.Page(ctx, s.conn, s.items, subj, from, direct.MaxPage)
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, m := range p.List {
			end = direct.Sequence(m)
			if i, err := ParseItem(m.Data); err == nil {
				*list = append(*list, i)
			}
		}
		from, more = p.Next, p.More && len(p.List) > 0
	}
	return end, nil
}
