package unsubscribe

import (
	"context"
	"fmt"

	"tidings/shared/suppress"
)

// Choice is what a person chose.
type Choice struct {
	// User is the plain id of the person, "" if it did not fit into the link.
	User string
	// Category is what they don't want any more; "" is everything.
	Category string
	// Channel is that of the address, such as "mail".
	Channel string
	// AddressHash is the address as suppress.Hash gives it.
	AddressHash string
	// Undo says that they took an earlier choice of the same category back.
	Undo bool
	// OneClick says that it came from the program that showed the mail and not from the
	// page.
	OneClick bool
}

// Actor does what a person chose. It must be idempotent: programs post twice, and so
// do people.
type Actor interface {
	// Act makes the choice so, or returns an error if it did not; it is tried again then.
	Act(ctx context.Context, c Choice) error
}

// ActorFunc is a function that is an Actor.
type ActorFunc func(ctx context.Context, c Choice) error

// Act implements Actor.
func (f ActorFunc) Act(ctx context.Context, c Choice) error { return f(ctx, c) }

// Suppressor is the part of suppress.List that OnList needs.
type Suppressor interface {
	// AddHashed is suppress.List's.
	AddHashed(ctx context.Context, channel, hash string, e suppress.Entry) error
	// RemoveHashed is suppress.List's.
	RemoveHashed(ctx context.Context, channel, hash string, cause suppress.Cause, category string) error
}

// OnList returns the Actor that puts the address on the suppression list as
// Unsubscribed. Undoing takes that back and nothing else: an address that bounced or
// complained stays on the list.
func OnList(list Suppressor) Actor {
	return ActorFunc(func(ctx context.Context, c Choice) error {
		if c.Undo {
			if err := list.RemoveHashed(ctx, c.Channel, c.AddressHash, suppress.Unsubscribed, c.Category); err != nil {
				return fmt.Errorf("undo an unsubscribe: %w", err)
			}
			return nil
		}
		e := suppress.Entry{Cause: suppress.Unsubscribed, Category: c.Category, Detail: "by the link in a mail"}
		if c.OneClick {
			e.Detail = "by one click in the mail program"
		}
		if err := list.AddHashed(ctx, c.Channel, c.AddressHash, e); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		return nil
	})
}
