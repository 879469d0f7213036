package ledger

import (
	"context"
	"errors"
	"fmt"
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
	// putTries is how often Put tries again when the entry that was in its way has aged
	// out meanwhile.
	putTries = 3
	// firstPause and lastPause bound the jittered pauses in between, which let a replica
	// catch up.
	firstPause, lastPause = 5 * time.Millisecond, 250 * time.Millisecond
)

// Put stores e and returns it with its Seq and At, unless the notification has an entry
// with its Part: then it returns that one, and fresh is false. It is one exchange if e is
// fresh, however many entries there are.
//
// Errors wrap ErrEntry, or those of natsx. After one of natsx the entry may be stored:
// repeat the call, that does no harm.
func (l *Ledger) Put(ctx context.Context, id string, e Entry) (stored Entry, fresh bool, err error) {
	if err := errors.Join(checkID(id), e.check()); err != nil {
		return Entry{}, false, err
	}
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	m, err := e.message(l.subject(id, e.Part))
	if err != nil {
		return Entry{}, false, err
	}
	for try := 1; ; try++ {
		if e.Seq, err = l.publish(ctx, m); !errors.Is(err, errConflict) {
			return e, err == nil, err
		}
		stored, found, err := l.Part(ctx, id, e.Part)
		if err != nil || found {
			return stored, false, err
		}
		if try == putTries {
			return Entry{}, false, fmt.Errorf("%w: %w, %d times in a row", natsx.ErrAway, errConflict, try)
		}
	}
}

// Part returns one entry of a notification, and whether there is one. It is one exchange,
// with the leader. Errors wrap those of natsx.
func (l *Ledger) Part(ctx context.Context, id, part string) (e Entry, found bool, err error) {
	if checkID(id) != nil || part == "" {
		return Entry{}, false, nil //nolint:nilerr // nothing can have it
	}
	m, err := direct.LastAtLeader(ctx, l.conn, l.config.Name, l.subject(id, part))
	if err != nil || m == nil {
		return Entry{}, false, err
	}
	if e, err = decode(m); err != nil {
		return Entry{}, false, nil //nolint:nilerr // whoever wrote it, it is no entry
	}
	return e, true, nil
}

// Read returns the entries of a notification in the order they were stored. more says
// that there are more, or much larger ones, than are read; the newest are left out then. The error is
// ErrUnknown if there is none, or wraps those of natsx. Of several replicas one that
// lags may answer, and lack the last moments.
func (l *Ledger) Read(ctx context.Context, id string) (list []Entry, more bool, err error) {
	if checkID(id) != nil {
		return nil, false, ErrUnknown // nothing can have it
	}
	subj := l.space.Notification(subject.Escape(id), "*")
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

func (l *Ledger) subject(id, part string) string {
	return l.space.Notification(subject.Escape(id), subject.Escape(part))
}
