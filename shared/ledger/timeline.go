package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
	"tidings/shared/subject"
)

const (
	// MaxEntries is the most entries of a notification that are read: one with more is
	// cut, and the rest is of no use to anybody.
	MaxEntries = 1000
	// maxRead ends a timeline early, after so many bytes of it: few are that large, and
	// those should not fill a node's memory.
	maxRead = 16 << 20
	// pageEntries is how many are read at a time.
	pageEntries = 200
	// putTries is how often Put reads and tries again. It loses only to others that
	// write to the same notification, or to replicas that lag; both pass.
	putTries = 12
	// firstPause and lastPause bound the jittered pauses in between, which let a replica
	// catch up.
	firstPause, lastPause = 5 * time.Millisecond, 250 * time.Millisecond
)

// Put stores e as the next entry of a notification and returns it with its Seq and At,
// unless there is one with its Part: then it returns that one, and fresh is false.
//
// after is the Seq of the last entry that the caller has seen, 0 for none; he has seen
// all before it too, and knows that none of them has the part. As long as it is the last
// one, Put is a single exchange. Otherwise it reads the entries since and tries again.
//
// Errors wrap ErrEntry, ErrFull, or those of natsx. After one of natsx the entry may be
// stored: repeat the call, that does no harm.
func (l *Ledger) Put(ctx context.Context, id string, after uint64, e Entry) (stored Entry, fresh bool, err error) {
	if err := errors.Join(checkID(id), e.check()); err != nil {
		return Entry{}, false, err
	}
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	m, err := e.message(l.subject(id))
	if err != nil {
		return Entry{}, false, err
	}
	for try, pause := 1, firstPause; ; try++ {
		e.Seq, err = l.publish(ctx, m, after)
		if err == nil {
			return e, true, nil
		}
		if !errors.Is(err, errConflict) || ctx.Err() != nil {
			return Entry{}, false, err
		}
		if try == putTries {
			return Entry{}, false, fmt.Errorf("%w: %w, %d times in a row", natsx.ErrAway, err, try)
		}
		if try > 1 {
			sleep(ctx, pause/2+rand.N(pause/2))
			pause = min(2*pause, lastPause)
		}
		var found bool
		if stored, after, found, err = l.find(ctx, m.Subject, after, e.Part); err != nil || found {
			return stored, false, err
		}
	}
}

// find looks for a part among the entries of a subject after a sequence, and returns the
// last one's sequence. If there are none, the caller was wrong about what came before or
// it is gone, so all are looked at.
func (l *Ledger) find(ctx context.Context, subj string, after uint64, part string) (e Entry, last uint64, found bool, err error) {
	for {
		more, err := l.visit(ctx, subj, after, func(m *nats.Msg) bool {
			last = direct.Sequence(m)
			if other, err := decode(m); err == nil && other.Part == part {
				e, found = other, true
			}
			return !found
		})
		switch {
		case err != nil, found:
			return e, last, found, err
		case more:
			return Entry{}, 0, false, ErrFull
		case last > 0, after == 0:
			return Entry{}, last, false, nil
		}
		after = 0
	}
}

// Read returns the entries of a notification in the order they were stored. more says
// that there are more, or much larger ones, than are read; the newest are left out then. The error is
// ErrUnknown if there is none, or wraps those of natsx. Of several replicas one that
// lags may answer, and lack the last moments.
func (l *Ledger) Read(ctx context.Context, id string) (list []Entry, more bool, err error) {
	if checkID(id) != nil {
		return nil, false, ErrUnknown // nothing can have it
	}
	subj := l.subject(id)
	msgs, more, err := l.read(ctx, subj)
	for pause := firstPause; err == nil && len(msgs) == 0; pause *= 2 {
		// Who has just been given the id must not be told that it is unknown.
		last, err := direct.LastAtLeader(ctx, l.conn, l.config.Name, subj)
		if err != nil {
			return nil, false, err
		}
		if last == nil {
			return nil, false, ErrUnknown
		}
		if pause > lastPause {
			msgs = []*nats.Msg{last} // the replica takes too long: this is better than nothing
			break
		}
		sleep(ctx, pause)
		if msgs, more, err = l.read(ctx, subj); err != nil {
			return nil, false, err
		}
	}
	if err != nil {
		return nil, false, err
	}
	for _, m := range msgs {
		if e, err := decode(m); err == nil { // whoever wrote another one, it is no entry
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		return nil, false, ErrUnknown
	}
	return list, more, nil
}

// read returns up to MaxEntries messages of a subject.
func (l *Ledger) read(ctx context.Context, subj string) (list []*nats.Msg, more bool, err error) {
	left := maxRead
	cut, err := l.visit(ctx, subj, 0, func(m *nats.Msg) bool {
		list, left = append(list, m), left-len(m.Data)
		return left > 0
	})
	return list, cut || left <= 0, err
}

// visit calls do for up to MaxEntries messages of a subject after a sequence, until it
// returns false. more says that there are more than MaxEntries.
func (l *Ledger) visit(ctx context.Context, subj string, after uint64, do func(*nats.Msg) bool) (more bool, err error) {
	for seen := 0; ; {
		p, err := direct.Page(ctx, l.conn, l.config.Name, subj, after+1, min(MaxEntries-seen, pageEntries))
		if err != nil {
			return false, err
		}
		for _, m := range p.List {
			if !do(m) {
				return false, nil
			}
		}
		seen, after = seen+len(p.List), p.Next-1
		if !p.More || len(p.List) == 0 {
			return false, nil
		}
		if seen >= MaxEntries {
			return true, nil
		}
	}
}

func (l *Ledger) subject(id string) string { return l.space.Notification(subject.Escape(id)) }
