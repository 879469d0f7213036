package natsx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// bucketWait bounds one exchange with a bucket; see ErrAway for what comes after.
	bucketWait = 5 * time.Second
	// bucketTries is how often Change starts over because somebody else was faster: with
	// a pause that grows, far more often than instances could race for one key.
	bucketTries = 20
	// bucketWake is how long a bucket that was just made is left alone between two tries.
	bucketWake = 25 * time.Millisecond
	// maxKeys bounds the keys of one listing.
	maxKeys = 100_000
	// bucketPause is the longest pause after the first such race; it grows evenly.
	bucketPause = 2 * time.Millisecond
)

// ErrConflict says that a key's value was changed by somebody else meanwhile.
var ErrConflict = errors.New("it was changed by somebody else meanwhile")

// Bucket is a key-value bucket whose values change under the condition that they are
// what they were. One that was deleted is made again. Make one with OpenBucket; it is
// safe for concurrent use.
type Bucket struct {
	conn   *Conn
	config jetstream.KeyValueConfig

	mu sync.Mutex
	kv jetstream.KeyValue
}

// OpenBucket finds the bucket, or makes it. One that exists stays as it is: to scale it
// is an operator's decision. Errors are classified.
func (c *Conn) OpenBucket(ctx context.Context, config jetstream.KeyValueConfig) (*Bucket, error) {
	b := &Bucket{conn: c, config: config}
	return b, b.open(ctx)
}

func (b *Bucket) open(ctx context.Context) error {
	kv, err := b.conn.KeyValue(ctx, b.config)
	if err != nil {
		return Classify(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kv = kv
	return nil
}

// Read returns a key's value and its revision; a key that is not there has revision 0.
func (b *Bucket) Read(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = b.call(ctx, "read", key, func(ctx context.Context, kv jetstream.KeyValue) error {
		entry, err := kv.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err == nil {
			value, revision = entry.Value(), entry.Revision()
		}
		return err
	})
	return value, revision, err
}

// Write sets a key's value if its revision is still the one that was read, 0 if it was
// not there, and returns the new revision. Errors wrap ErrConflict or are classified.
func (b *Bucket) Write(ctx context.Context, key string, value []byte, revision uint64) (next uint64, err error) {
	err = b.call(ctx, "write", key, func(ctx context.Context, kv jetstream.KeyValue) (err error) {
		if revision == 0 {
			next, err = kv.Create(ctx, key, value)
		} else {
			next, err = kv.Update(ctx, key, value, revision)
		}
		return err
	})
	return next, err
}

// Delete removes a key and what it held before, and leaves no mark that it was there. It
// may be absent.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.call(ctx, "delete", key, func(ctx context.Context, _ jetstream.KeyValue) error {
		s, err := b.conn.JS.Stream(ctx, "KV_"+b.config.Bucket)
		if err != nil {
			return err
		}
		return s.Purge(ctx, jetstream.WithPurgeSubject("$KV."+b.config.Bucket+"."+key))
	})
}

// Keys returns the keys that match a pattern with NATS's wildcards, at most maxKeys of
// them, which more than a caller's bounds allow would be.
func (b *Bucket) Keys(ctx context.Context, pattern string) (keys []string, err error) {
	err = b.call(ctx, "list", pattern, func(ctx context.Context, kv jetstream.KeyValue) error {
		keys = nil
		lister, err := kv.ListKeysFiltered(ctx, pattern)
		if err != nil {
			return err
		}
		defer func() { _ = lister.Stop() }()
		for k := range lister.Keys() {
			if keys = append(keys, k); len(keys) == maxKeys {
				break
			}
		}
		return ctx.Err()
	})
	return keys, err
}

// Change sets a key's value to what edit makes of the present one, nil if there is
// none; what stays the same is not written again. edit may be called again when somebody
// else was faster; its error ends Change as it is.
func (b *Bucket) Change(ctx context.Context, key string, edit func(value []byte) ([]byte, error)) error {
	for try := 1; ; try++ {
		value, revision, err := b.Read(ctx, key)
		if err != nil {
			return err
		}
		next, err := edit(value)
		if err != nil || bytes.Equal(next, value) && (next == nil) == (value == nil) {
			return err
		}
		if _, err = b.Write(ctx, key, next, revision); !errors.Is(err, ErrConflict) || try == bucketTries {
			return err
		}
		select {
		case <-time.After(rand.N(time.Duration(try) * bucketPause)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// call runs one exchange, and once more if the bucket was gone.
func (b *Bucket) call(ctx context.Context, what, key string, do func(context.Context, jetstream.KeyValue) error) error {
	ctx, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	err := b.once(ctx, key, do)
	if gone(err) {
		err = b.open(ctx)
		// A stream answers direct questions a moment after it was made.
		for try := 0; err == nil || gone(err) && try < bucketTries; try++ {
			if err = b.once(ctx, key, do); !gone(err) {
				break
			}
			select {
			case <-time.After(bucketWake):
			case <-ctx.Done():
			}
		}
	}
	switch {
	case err == nil:
		return nil
	case Raced(err):
		err = ErrConflict
	}
	return fmt.Errorf("%s in bucket %s: %w", what, b.config.Bucket, Classify(err))
}

func (b *Bucket) once(ctx context.Context, key string, do func(context.Context, jetstream.KeyValue) error) error {
	b.mu.Lock()
	kv := b.kv
	b.mu.Unlock()
	return b.conn.Guard(ctx, func(ctx context.Context) error { return do(ctx, kv) }, "$KV."+b.config.Bucket+"."+key)
}

// gone reports whether an error is what a bucket that was deleted answers: nobody
// answers a direct read of it.
func gone(err error) bool {
	for _, is := range []error{
		nats.ErrNoResponders, nats.ErrStreamNotFound, jetstream.ErrNoStreamResponse, jetstream.ErrStreamNotFound, jetstream.ErrBucketNotFound,
	} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// Raced reports whether an error says that a condition on the last message of a subject
// did not hold: somebody else stored something meanwhile.
func Raced(err error) bool {
	if errors.Is(err, jetstream.ErrKeyExists) {
		return true
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
