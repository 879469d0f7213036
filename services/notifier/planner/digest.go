package planner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
	"tidings/shared/subject"
)

const (
	// MaxItems is how many items a digest takes: more than that nobody reads.
	MaxItems = 1000
	// MaxItem bounds an item in bytes, so that a full digest fits a node's memory.
	MaxItem = 32 << 10
	// mostItems is how many are read: some more than MaxItems may be there, if several
	// were collected in the same moment.
	mostItems = 2 * MaxItems
	// itemTTL removes what nobody ever asked for. Digests take a week at most, and a
	// notifier may be away for a while.
	itemTTL = 30 * 24 * time.Hour
	// collectTries is how often an item is stored that somebody else is storing as well.
	collectTries = 5
)

// ErrFull says that a digest has MaxItems items.
var ErrFull = errors.New("the digest is full")

// Collected is what a digest has collected.
type Collected struct {
	// Items are in the order in which they were collected.
	Items []json.RawMessage
	// Last is what to Forget the digest up to, once they are dealt with; 0 if there are
	// none.
	Last uint64
}

// Collect puts an item into a digest. The same item with the same key is put there once;
// another one with the same key takes its place, at the end. Errors wrap ErrEntry,
// ErrFull, or those of natsx; repeat a call that failed so, that does no harm.
func (p *Planner) Collect(ctx context.Context, digest, key string, item json.RawMessage) error {
	switch {
	case digest == "" || len(digest) > MaxName, key == "" || len(key) > MaxName:
		return fmt.Errorf("%w: digest and key: use 1 to %d bytes", ErrEntry, MaxName)
	case len(item) > MaxItem:
		return fmt.Errorf("%w: an item of %d bytes, at most %d", ErrEntry, len(item), MaxItem)
	case !json.Valid(item):
		return fmt.Errorf("%w: the item is no JSON", ErrEntry)
	}
	n, err := p.count(ctx, digest)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: p.space.Digest(subject.Escape(digest), subject.Escape(key)), Data: item}
	for after, try := uint64(0), 0; try < collectTries; try++ {
		if n < MaxItems || after > 0 {
			_, err := p.publish(ctx, m, jetstream.WithMsgTTL(itemTTL), jetstream.WithExpectLastSequencePerSubject(after))
			if !errors.Is(err, errConflict) {
				return err
			}
		}
		last, err := direct.LastAtLeader(ctx, p.conn, p.config.Name, m.Subject)
		switch {
		case err != nil:
			return err
		case last == nil && n >= MaxItems:
			return ErrFull
		case last == nil:
			after = 0
		case bytes.Equal(last.Data, item):
			return nil
		default:
			after = direct.Sequence(last)
		}
	}
	return fmt.Errorf("collect: %w: %w, %d times in a row", natsx.ErrAway, errConflict, collectTries)
}

// count returns how many items a digest has.
func (p *Planner) count(ctx context.Context, digest string) (int, error) {
	page, err := direct.Page(ctx, p.conn, p.config.Name, p.items(digest), 1, 1)
	if err != nil || len(page.List) == 0 {
		return 0, err
	}
	return 1 + int(page.Pending), nil
}

// Collected returns what a digest has collected, all that the leader has. Errors are
// those of natsx.
func (p *Planner) Collected(ctx context.Context, digest string) (Collected, error) {
	var c Collected
	if digest == "" || len(digest) > MaxName {
		return c, nil // nothing can be in it
	}
	last, err := direct.LastAtLeader(ctx, p.conn, p.config.Name, p.items(digest))
	if err != nil || last == nil {
		return c, err
	}
	err = p.visit(ctx, p.items(digest), func(m *nats.Msg) bool {
		c.Items, c.Last = append(c.Items, m.Data), direct.Sequence(m)
		return len(c.Items) < mostItems
	})
	if err == nil && len(c.Items) < mostItems && c.Last < direct.Sequence(last) {
		// What is not read now would wait for whoever joins the digest next.
		return Collected{}, fmt.Errorf("collected: a replica lags behind: %w", natsx.ErrAway)
	}
	return c, err
}

// Forget removes what a digest has collected up to Collected.Last; what joined it later
// stays. 0 removes it all. Errors are those of natsx.
func (p *Planner) Forget(ctx context.Context, digest string, upTo uint64) error {
	if digest == "" || len(digest) > MaxName {
		return nil
	}
	below := upTo + 1
	if upTo == 0 {
		below = 0
	}
	_, err := p.purge(ctx, p.items(digest), below)
	return err
}

func (p *Planner) items(digest string) string { return p.space.Digest(subject.Escape(digest), "*") }
