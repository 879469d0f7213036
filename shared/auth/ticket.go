package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// TicketTTL is how long a ticket lives: long enough to open a stream with it,
	// too short to be worth stealing from a log of addresses.
	TicketTTL = 30 * time.Second
	// ticketBytes is the randomness of a ticket.
	ticketBytes = 32
)

// ErrNoTicket is what a TicketStore's Take returns for a key that it does not hold,
// or no longer holds.
var ErrNoTicket = errors.New("no such ticket")

// TicketStore keeps tickets for a short time. It may drop what is older than the
// tickets' TTL and has to be safe for concurrent use.
type TicketStore interface {
	// Put stores value under key, a string of hex digits.
	Put(ctx context.Context, key string, value []byte) error
	// Take returns the value and removes it atomically: of any number of concurrent
	// calls for a key one succeeds and the others return an error that wraps
	// ErrNoTicket.
	Take(ctx context.Context, key string) ([]byte, error)
}

// Tickets issues and redeems one-time tickets. Make it with NewTickets.
type Tickets struct {
	store TicketStore
	ttl   time.Duration
}

// storedTicket is the value in the store. A value that lost its end is no ticket.
type storedTicket struct {
	Until *time.Time `json:"until"`
	Grant *Grant     `json:"grant"`
}

// NewTickets returns tickets kept in store that live for ttl, or TicketTTL if it is
// 0 or less.
func NewTickets(store TicketStore, ttl time.Duration) *Tickets {
	if ttl <= 0 {
		ttl = TicketTTL
	}
	return &Tickets{store: store, ttl: ttl}
}

// Issue returns a ticket that stands for g once, and when it ends: after the TTL or
// with the grant, whichever is sooner. Errors are *Error: token_expired if the
// grant has ended, keys_unavailable if the store fails.
func (t *Tickets) Issue(ctx context.Context, g *Grant) (ticket string, expires time.Time, err error) {
	now := time.Now()
	if g.Expired(now) {
		return "", time.Time{}, expired()
	}
	expires = now.Add(t.ttl)
	if !g.Expires.IsZero() && g.Expires.Before(expires) {
		expires = g.Expires
	}
	value, err := json.Marshal(storedTicket{Until: &expires, Grant: g})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("encode ticket: %w", err)
	}
	b := make([]byte, ticketBytes)
	rand.Read(b) // It never fails; the program crashes without randomness.
	ticket = base64.RawURLEncoding.EncodeToString(b)
	if err := t.store.Put(ctx, ticketKey(ticket), value); err != nil {
		return "", time.Time{}, noStore(fmt.Errorf("put ticket: %w", err))
	}
	return ticket, expires, nil
}

// Redeem returns the grant of a ticket and makes the ticket worthless. Errors are
// *Error: ticket_invalid, token_expired if the grant has ended since, and
// keys_unavailable if the store fails. Unknown, used and late tickets are told
// alike, so that guessing teaches nothing.
func (t *Tickets) Redeem(ctx context.Context, ticket string) (*Grant, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(b) != ticketBytes || len(ticket) != base64.RawURLEncoding.EncodedLen(ticketBytes) {
		return nil, badTicket(nil)
	}
	value, err := t.store.Take(ctx, ticketKey(ticket))
	if errors.Is(err, ErrNoTicket) {
		return nil, badTicket(nil)
	}
	if err != nil {
		return nil, noStore(fmt.Errorf("take ticket: %w", err))
	}
	now := time.Now()
	g, err := decodeTicket(value, now)
	if err != nil {
		return nil, badTicket(err)
	}
	if g.Expired(now) {
		return nil, expired()
	}
	return g, nil
}

// ticketKey is the name of a ticket in the store. Lookup by hash also leaves a
// clock nothing to measure: equal prefixes of tickets have unrelated keys.
func ticketKey(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(sum[:])
}

// decodeTicket parses a stored value and checks its time again.
func decodeTicket(value []byte, now time.Time) (*Grant, error) {
	var s storedTicket
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, fmt.Errorf("decode ticket: %w", err)
	}
	if s.Until == nil || s.Grant == nil {
		return nil, errors.New("decode ticket: its end or its grant is missing")
	}
	if !now.Before(*s.Until) {
		return nil, errors.New("the ticket has expired")
	}
	return s.Grant, nil
}

func badTicket(cause error) *Error {
	return &Error{Code: CodeTicketInvalid, Reason: "the ticket is unknown, was used or has expired: get a new one, it works once and for a short time", Err: cause}
}

func noStore(cause error) *Error {
	return &Error{Code: CodeKeysUnavailable, Reason: "tickets are not available right now: try again in a few seconds, or send a Bearer header", Err: cause}
}
