package bounce

import (
	"context"
	"errors"
	"fmt"

	"tidings/shared/ledger"
)

// Ledger is the part of ledger.Ledger that OnLedger needs.
type Ledger interface {
	// Put is ledger.Ledger's.
	Put(ctx context.Context, id string, e ledger.Entry) (stored ledger.Entry, fresh bool, err error)
	// Read is ledger.Ledger's.
	Read(ctx context.Context, id string) (list []ledger.Entry, more bool, err error)
}

// OnLedger returns the Timeline that stores notes in the ledger.
func OnLedger(l Ledger) Timeline { return entries{l} }

// entries is a Timeline on a ledger.
type entries struct{ ledger Ledger }

// Note implements Timeline. A bounce may come after its notification was forgotten, and
// must not bring back a timeline that says nothing else.
func (t entries) Note(ctx context.Context, notification string, n Note) error {
	_, _, err := t.ledger.Read(ctx, notification)
	if errors.Is(err, ledger.ErrUnknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the timeline: %w", err)
	}
	_, _, err = t.ledger.Put(ctx, notification, ledger.Entry{
		At: n.At, Kind: ledger.KindNote, Part: n.Part, User: n.User, Channel: n.Channel, Key: n.Key, Reason: n.Reason, Detail: n.Detail,
	})
	if err != nil {
		return fmt.Errorf("add to the timeline: %w", err)
	}
	return nil
}
