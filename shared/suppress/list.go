package suppress

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// listBytes bounds the bucket: at some 250 bytes an entry, four million addresses.
	listBytes = 1 << 30
	// markerTime is how long the bucket remembers that an entry was removed.
	markerTime = time.Hour
)

// List is the list of suppressed addresses. Make one with Open.
type List struct {
	entries, strikes *bucket
}

// record is a value of the bucket.
type record struct {
	Entries []Entry `json:"entries"`
}

// Open returns the list of a space and makes its buckets if they don't exist, with so
// many replicas. Errors are those of natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, replicas int) (*List, error) {
	l := &List{
		entries: newBucket(conn, jetstream.KeyValueConfig{
			Bucket: space.Stream("suppressed"), Description: "Tidings: addresses that must not be used, by hash",
			MaxValueSize: valueBytes, MaxBytes: listBytes, LimitMarkerTTL: markerTime,
			Storage: jetstream.FileStorage, Replicas: replicas,
		}),
		strikes: newBucket(conn, jetstream.KeyValueConfig{
			Bucket: space.Stream("strikes"), Description: "Tidings: mail that came back and may be taken next time, by hash",
			TTL: MaxWindow, MaxValueSize: strikeValueBytes, MaxBytes: strikeBytes, LimitMarkerTTL: markerTime,
			Storage: jetstream.FileStorage, Replicas: replicas,
		}),
	}
	for _, b := range []*bucket{l.entries, l.strikes} {
		if err := b.do(ctx, "suppressions", func(context.Context, jetstream.KeyValue) error { return nil }); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Of returns the reasons not to use an address, oldest first; none is the usual
// answer. Errors wrap ErrAddress or those of natsx.
func (l *List) Of(ctx context.Context, channel, address string) ([]Entry, error) {
	hash, err := Hash(channel, address)
	if err != nil {
		return nil, err
	}
	return l.OfHashed(ctx, channel, hash)
}

// OfHashed is Of for the hash of an address.
func (l *List) OfHashed(ctx context.Context, channel, hash string) ([]Entry, error) {
	key, err := keyOf(channel, hash)
	if err != nil {
		return nil, err
	}
	value, err := l.entries.read(ctx, "read a suppression", key)
	if err != nil {
		return nil, err
	}
	return decode(value), nil
}

// Add puts an address on the list. What is on it with the same cause and category
// stays as it is, so that the first date and detail are kept. Errors wrap ErrAddress,
// ErrEntry, ErrFull, ErrBusy or those of natsx.
func (l *List) Add(ctx context.Context, channel, address string, e Entry) error {
	hash, err := Hash(channel, address)
	if err != nil {
		return err
	}
	return l.AddHashed(ctx, channel, hash, e)
}

// AddHashed is Add for the hash of an address.
func (l *List) AddHashed(ctx context.Context, channel, hash string, e Entry) error {
	key, err := keyOf(channel, hash)
	if err != nil {
		return err
	}
	e, err = e.filled(time.Now())
	if err != nil {
		return err
	}
	return l.edit(ctx, "suppress an address", key, func(all []Entry) ([]Entry, error) {
		if slices.ContainsFunc(all, e.same) {
			return nil, nil
		}
		if len(all) >= MaxEntries {
			return nil, ErrFull
		}
		return append(all, e), nil
	})
}

// RemoveHashed takes the reason with this cause and category of the hash of an address
// back; it is no error if there is none. An empty category means the general reason and
// not all of them. Errors wrap ErrAddress, ErrBusy or those of natsx.
func (l *List) RemoveHashed(ctx context.Context, channel, hash string, cause Cause, category string) error {
	key, err := keyOf(channel, hash)
	if err != nil {
		return err
	}
	gone := Entry{Cause: cause, Category: category}
	return l.edit(ctx, "lift a suppression", key, func(all []Entry) ([]Entry, error) {
		if !slices.ContainsFunc(all, gone.same) {
			return nil, nil
		}
		return slices.DeleteFunc(all, gone.same), nil
	})
}

// Clear takes all reasons and strikes back. Errors wrap ErrAddress, ErrBusy or those of
// natsx.
func (l *List) Clear(ctx context.Context, channel, address string) error {
	hash, err := Hash(channel, address)
	if err != nil {
		return err
	}
	key, err := keyOf(channel, hash)
	if err != nil {
		return err
	}
	// Strikes first: otherwise the next one could put the address back at once.
	remove := func([]byte) ([]byte, error) { return []byte{}, nil }
	if err := l.strikes.change(ctx, "clear strikes", key, remove); err != nil {
		return err
	}
	return l.entries.change(ctx, "clear suppressions", key, remove)
}

// same reports whether two entries are the same reason.
func (e Entry) same(o Entry) bool { return e.Cause == o.Cause && e.Category == o.Category }

// edit changes the entries of a key; nil from fn leaves them.
func (l *List) edit(ctx context.Context, what, key string, fn func([]Entry) ([]Entry, error)) error {
	return l.entries.change(ctx, what, key, func(old []byte) ([]byte, error) {
		all, err := fn(decode(old))
		switch {
		case err != nil || all == nil:
			return nil, err
		case len(all) == 0:
			return []byte{}, nil
		}
		value, err := json.Marshal(record{all})
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		if len(value) > valueBytes {
			return nil, ErrFull
		}
		return value, nil
	})
}

// decode reads a value. One that can't be read was put there by hand and meant to stop
// something: it stops everything until somebody removes it.
func decode(value []byte) []Entry {
	if len(value) == 0 {
		return nil
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return []Entry{{Cause: Blocked, Detail: "The entry in the bucket is unreadable."}}
	}
	return r.Entries
}
