package suppress

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// callTime bounds one call, with all that it takes. An election takes about five
	// seconds; who waits longer is better told so.
	callTime = 5 * time.Second
	// maxTries is how often a change is tried again because somebody else changed the
	// same address meanwhile. A person has one link and a mail comes back once; more
	// means that something is wrong.
	maxTries = 20
	// retryPause lets the servers of a cluster that answer reads catch up with the one
	// that takes writes.
	retryPause = 10 * time.Millisecond
	// valueBytes bounds one value: MaxEntries entries without long details fit.
	valueBytes = 128 << 10
)

// ErrBusy says that an address was changed by others again and again.
var ErrBusy = errors.New("the address is being changed by somebody else")

// bucket is a KV bucket that is found again, or made again, when it is gone.
type bucket struct {
	conn     *natsx.Conn
	config   jetstream.KeyValueConfig
	subjects []string // on which the server may refuse us

	mu sync.Mutex
	kv jetstream.KeyValue // nil until it is needed; guarded by mu
}

// newBucket returns a bucket that is looked up at the first use.
func newBucket(conn *natsx.Conn, config jetstream.KeyValueConfig) *bucket {
	stream := "KV_" + config.Bucket
	return &bucket{conn: conn, config: config, subjects: []string{
		"$KV." + config.Bucket + ".>", "$JS.API.DIRECT.GET." + stream + ".>",
		"$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.CREATE." + stream, "$JS.API.STREAM.PURGE." + stream,
	}}
}

// do calls fn with the bucket, and once more with a new handle if the bucket turns out
// to be gone. Errors are those of natsx, or fn's own.
func (b *bucket) do(ctx context.Context, what string, fn func(context.Context, jetstream.KeyValue) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := b.conn.Guard(ctx, func(ctx context.Context) error {
		kv, err := b.open(ctx)
		if err != nil {
			return err
		}
		if err = fn(ctx, kv); !gone(err) {
			return err
		}
		b.forget(kv)
		if kv, err = b.open(ctx); err != nil {
			return err
		}
		return fn(ctx, kv)
	}, b.subjects...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}

// gone reports whether err may mean that the bucket does not exist any more: then
// nobody listens to its subjects.
func gone(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) // what nats.go makes of some of them
}

// open returns the bucket, and makes it if it does not exist.
func (b *bucket) open(ctx context.Context) (jetstream.KeyValue, error) {
	b.mu.Lock()
	kv := b.kv
	b.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	// Not under the lock, which would make everyone wait for a server that is away.
	kv, err := b.conn.KeyValue(ctx, b.config)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kv = kv
	return kv, nil
}

// forget drops a handle that did not work, unless another call has replaced it.
func (b *bucket) forget(kv jetstream.KeyValue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kv == kv {
		b.kv = nil
	}
}

// read returns the value of a key, nil if there is none.
func (b *bucket) read(ctx context.Context, what, key string) (value []byte, err error) {
	err = b.do(ctx, what, func(ctx context.Context, kv jetstream.KeyValue) error {
		value, _, err = get(ctx, kv, key)
		return err
	})
	return value, err
}

// change replaces the value of a key by what edit makes of it, for which edit may be
// asked several times. A nil result leaves the key as it is, an empty one removes it.
func (b *bucket) change(ctx context.Context, what, key string, edit func(old []byte) ([]byte, error)) error {
	return b.do(ctx, what, func(ctx context.Context, kv jetstream.KeyValue) error {
		for range maxTries {
			err := changeOnce(ctx, kv, key, edit)
			if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(retryPause):
			}
		}
		return ErrBusy
	})
}

func changeOnce(ctx context.Context, kv jetstream.KeyValue, key string, edit func([]byte) ([]byte, error)) error {
	old, revision, err := get(ctx, kv, key)
	if err != nil {
		return err
	}
	value, err := edit(old)
	switch {
	case err != nil || value == nil:
		return err
	case len(value) == 0 && revision == 0:
		return nil
	case len(value) == 0:
		// The marker tells who watches; it ends by itself, so that nothing is left of
		// somebody who asked to be forgotten.
		return kv.Purge(ctx, key, jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTime))
	case revision == 0:
		_, err = kv.Create(ctx, key, value)
	default:
		_, err = kv.Update(ctx, key, value, revision)
	}
	return err
}

// get reads a key; revision 0 means that it has no value.
func get(ctx context.Context, kv jetstream.KeyValue, key string) (value []byte, revision uint64, err error) {
	e, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return e.Value(), e.Revision(), nil
}
