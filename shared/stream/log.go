package stream

import (
	"context"
	"errors"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Bounds of one Range call; larger requests are cut to them.
const (
	// MaxPage is the most entries of one page.
	MaxPage = 1000
	// MaxPageBytes is the most bytes of one page.
	MaxPageBytes = 1 << 20
)

// Errors of a Log. Returned errors wrap them; errors.Is finds them.
var (
	// ErrUnavailable: the store is away, has no leader or did not answer in time.
	// Nothing is known about a write that failed so; repeat it with the same key.
	ErrUnavailable = errors.New("the event log is unavailable")
	// ErrFull: the store has no room and its limits forbid dropping old entries.
	ErrFull = errors.New("the event log is full")
	// ErrTooLarge: the event is larger than the store takes.
	ErrTooLarge = errors.New("the event is too large")
	// ErrDenied: the credentials in use may not do this.
	ErrDenied = errors.New("the event log denied access")
)

// Log is the ordered, durable sequence of events.
type Log interface {
	// Append stores ev and returns after the store's acknowledgement. A key other
	// than "" makes it idempotent: within the store's duplicate window a second
	// Append with the same key stores nothing and returns the first position.
	// ev must have passed Check.
	Append(ctx context.Context, ev event.Event, key string) (Ack, error)

	// Follow calls h for every entry after the position, until ctx ends; then it
	// returns ctx's error. It heals itself across restarts of the store and
	// changes of its leader. A zero Cursor means: from the first entry held. When
	// the position is of another epoch (the log was made anew), following begins at
	// the first entry held; when the log lost its end (a restored backup, a power
	// cut), it gets a new epoch and following begins at its present end. Both are
	// told by h.Epoch before any entry.
	Follow(ctx context.Context, after event.Cursor, h Handler) error

	// Range reads one page of what q selects, in stream order.
	Range(ctx context.Context, q Query) (Page, error)

	// Epoch returns the log's present identity and extent.
	Epoch(ctx context.Context) (Extent, error)
}

// Ack is the store's promise.
type Ack struct {
	// Cursor is the position of the stored event.
	Cursor event.Cursor
	// Duplicate says that an earlier Append with the same key had stored it.
	Duplicate bool
}

// Entry is one stored message.
type Entry struct {
	Seq uint64
	// Event is shared and immutable. Its Topic is empty when the stored message is
	// no event (a canary, or a subject that is no topic): such an entry only moves
	// positions.
	Event event.Event
	// Canary is the payload of a canary, nil for anything else.
	Canary []byte
}

// Handler receives what Follow sees. Every function must be set.
type Handler struct {
	// Epoch is called once before the first entry and again whenever the log turned
	// out to be another one. Entries after start.Seq of start.Epoch follow.
	Epoch func(start event.Cursor)
	// Entry is called for each entry, in order. It must not block for long.
	Entry func(e Entry)
	// Health is called when following begins to work, stops working (err tells why)
	// and, about once a second, with the number of entries still to come.
	Health func(lag uint64, err error)
}

// Query selects what Range reads.
type Query struct {
	// Pattern selects the topics.
	Pattern subject.Pattern
	// After is the position to read on from, exclusive. A zero Epoch means the
	// present one.
	After event.Cursor
	// Limit is the most entries wanted; 0 means MaxPage.
	Limit int
	// Bytes is where the page ends although it holds fewer entries, one entry may
	// overshoot it; 0 means MaxPageBytes.
	Bytes int
	// Last, if not 0, asks for the last so many entries instead of reading on from
	// After. At most MaxPage.
	Last int
}

// Page is one answer of Range.
type Page struct {
	// Entries are in stream order; Event.Topic is never empty here.
	Entries []Entry
	// Next is the position to read on from. Everything selected up to it was
	// returned, or is gone.
	Next event.Cursor
	// More says that entries after Next existed when the page was read.
	More bool
	// Gone says that entries between Query.After and the first one returned may
	// have been dropped by the store's limits, or that After belongs to another
	// epoch. It is never false when something was dropped.
	Gone bool
}

// Extent says which incarnation of the log this is and what it holds.
type Extent struct {
	Epoch string
	// First and Last are the sequences of the first and last entry held. An empty
	// log has First = Last+1.
	First, Last uint64
	// Messages and Bytes are what the store holds now.
	Messages, Bytes uint64
}

// limit is q.Limit cut to its bounds.
func (q Query) limit() int {
	if q.Limit <= 0 || q.Limit > MaxPage {
		return MaxPage
	}
	return q.Limit
}

// bytes is q.Bytes cut to its bounds.
func (q Query) bytes() int {
	if q.Bytes <= 0 || q.Bytes > MaxPageBytes {
		return MaxPageBytes
	}
	return q.Bytes
}

// Prober stores canaries: short-lived entries that every follower sees as
// Entry.Canary and no topic selects. A node that sees its own canary knows that
// the whole path from publish to follower works.
type Prober interface {
	// Canary stores payload as a canary of node.
	Canary(ctx context.Context, node string, payload []byte) (Ack, error)
}
