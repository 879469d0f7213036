package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/natsx/direct"
)

// Put stores an item as the newest of a person's inbox, unless the newest is of the same
// notification already, and returns its number; fresh says that it was not there.
// again says that it may have been stored before, by somebody who did not get to say so,
// and has Put look for it among all items. An item that has expired is not stored, and
// its number is 0. Errors wrap ErrUser, ErrItem, ErrConflict or those of natsx; after one
// of natsx it may be stored or not.
func (s *Store) Put(ctx context.Context, user string, item Item, again bool) (n int64, fresh bool, err error) {
	subj, _, err := s.subjects(user)
	if err == nil {
		err = checkID(item.ID)
	}
	if err != nil {
		return 0, false, err
	}
	done, err := s.turn(ctx, subj)
	if err != nil {
		return 0, false, fmt.Errorf("put into an inbox: %w", err)
	}
	defer done()
	item.N = 0
	p := put{s: s, subj: subj, item: item}
	if err := p.look(ctx, again); err != nil {
		return 0, false, fmt.Errorf("put into an inbox: %w", err)
	}
	if err := p.store(ctx); err != nil {
		return 0, false, fmt.Errorf("put into an inbox: %w", err)
	}
	return p.item.N, p.fresh, nil
}

// put is one call of Put.
type put struct {
	s    *Store
	subj string
	item Item

	tried int64  // the number that was last tried
	end   uint64 // the sequence of the last message that was met
	last  int64  // the greatest number that was met
	found bool   // the item is stored
	fresh bool   // and was so by this call
}

// look reads what is there: all of it, or the last message.
func (p *put) look(ctx context.Context, all bool) error {
	if all {
		return p.since(ctx, 1)
	}
	m, err := direct.Last(ctx, p.s.conn, p.s.items, p.subj)
	if err != nil {
		// The stream may be gone, which last mends.
		m, err = p.s.last(ctx, p.s.items, p.subj)
	}
	if err == nil {
		p.message(m)
	}
	return err
}

// since reads what is there from a sequence on.
func (p *put) since(ctx context.Context, from uint64) error {
	list, end, err := p.s.list(ctx, p.subj, from)
	if err != nil {
		return err
	}
	for _, i := range list {
		p.meet(i)
	}
	p.end = end
	return nil
}

// message takes notice of the last message, nil if there is none.
func (p *put) message(m *nats.Msg) {
	if p.end = 0; m == nil {
		return
	}
	p.end = direct.Sequence(m)
	if i, err := ParseItem(m.Data); err == nil {
		p.meet(i)
	}
}

// meet takes notice of an item.
func (p *put) meet(i Item) {
	if i.ID == p.item.ID && !p.found {
		// One with the number that was tried was stored although nobody said so.
		p.found, p.item, p.fresh = true, i, i.N == p.tried
	}
	p.last = max(p.last, i.N)
}

// store stores the item unless it is found.
func (p *put) store(ctx context.Context) error {
	return again(ctx, func() error {
		now := p.s.limits.Now()
		if p.found || p.item.expired(now) {
			return nil
		}
		i := p.item
		if i.At.IsZero() {
			i.At = now
		}
		i.N = max(p.last+1, now.UnixMicro())
		p.tried = i.N
		i.At, i.Expires = i.At.UTC(), i.Expires.UTC()
		data, err := i.encode()
		if err != nil {
			return err
		}
		var opts []jetstream.PublishOpt
		if i.vanishes() { // whole seconds are what the store takes
			opts = append(opts, jetstream.WithMsgTTL((i.Expires.Sub(now) + time.Second - 1).Truncate(time.Second)))
		}
		e := event.Event{Type: TypeItem, ID: i.ID, Time: i.At, ContentType: contentType, Data: data}
		err = p.s.store(ctx, p.subj, e, p.end, opts...)
		if err == nil {
			p.item, p.found, p.fresh = i, true, true
			return nil
		}
		if !errors.Is(err, errRaced) {
			return err
		}
		if err := p.meanwhile(ctx); err != nil {
			return err
		}
		return errRaced
	})
}

// meanwhile reads what was stored since. If that is nothing, the last message went away.
func (p *put) meanwhile(ctx context.Context) error {
	before := p.end
	if err := p.since(ctx, before+1); err != nil || p.end > 0 {
		return err
	}
	m, err := p.s.last(ctx, p.s.items, p.subj)
	if err == nil {
		p.message(m)
	}
	return err
}
