package revoke

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/auth"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// bucketBytes bounds the bucket: some hundred thousand ids.
	bucketBytes = 32 << 20
	// checkEvery is how often the watch is proved: a bucket that was deleted says
	// nothing, for ever.
	checkEvery = 15 * time.Second
	// retryEvery is the pause after a watch that failed.
	retryEvery = time.Second
	// storeTime bounds one exchange with NATS.
	storeTime = 5 * time.Second
)

// errStarting is the state before the bucket was read for the first time.
var errStarting = errors.New("the revoked tokens have not been read yet")

// List knows the tokens that were revoked. Make one with Open.
type List struct {
	conn   *natsx.Conn
	space  subject.Space
	log    *slog.Logger
	bucket jetstream.KeyValueConfig

	mu    sync.RWMutex
	until map[string]time.Time // by key
	err   error                // nil once the bucket was read
}

// entry is a value of the bucket.
type entry struct {
	Until time.Time `json:"until"`
}

// Open returns the list of a space and makes its bucket if needed. It knows nothing
// before Run. Errors are those of natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, replicas int, log *slog.Logger) (*List, error) {
	l := &List{
		conn: conn, space: space, log: log, until: map[string]time.Time{}, err: errStarting,
		bucket: jetstream.KeyValueConfig{
			Bucket: space.Stream("revoked"), Description: "Tidings: tokens that were revoked",
			TTL: MaxKeep, MaxBytes: bucketBytes, Storage: jetstream.FileStorage, Replicas: replicas,
		},
	}
	if _, err := l.conn.KeyValue(ctx, l.bucket); err != nil {
		return nil, fmt.Errorf("revocations: %w", natsx.Classify(err))
	}
	return l, nil
}

// Publish carries an order out everywhere: a token is noted, and then everybody is
// told. An error may mean that only the first was done; to publish again does no harm.
// Errors wrap ErrOrder or those of natsx.
func (l *List) Publish(ctx context.Context, o Order) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Token != "" {
		until := o.end()
		o.Until = &until
		if err := l.note(ctx, o.Token, until); err != nil {
			return err
		}
	}
	return publish(ctx, l.conn, l.space, o)
}

// end is until when an order's token is refused.
func (o Order) end() time.Time {
	now := time.Now()
	end := now.Add(DefaultKeep)
	if o.Until != nil {
		end = *o.Until
	}
	if last := now.Add(MaxKeep); end.After(last) {
		end = last
	}
	return end.UTC()
}

// note puts a token's id into the bucket, and knows it here at once.
func (l *List) note(ctx context.Context, id string, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	data, err := json.Marshal(entry{until})
	if err != nil {
		return fmt.Errorf("encode a revocation: %w", err)
	}
	kv, err := l.conn.KeyValue(ctx, l.bucket)
	if err == nil {
		_, err = kv.Put(ctx, keyOf(id), data)
	}
	if err != nil {
		return fmt.Errorf("note a revocation: %w", natsx.Classify(err))
	}
	l.learn(keyOf(id), until)
	return nil
}

// keyOf is the name of a token's id in the bucket. Who reads that learns no id.
func keyOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// Revoked reports whether the token of a grant was revoked. It is the hook of
// auth.Authenticator, and costs a look into a map.
func (l *List) Revoked(g *auth.Grant) bool {
	if g == nil || g.TokenID == "" {
		return false
	}
	key := keyOf(g.TokenID)
	l.mu.RLock()
	until, ok := l.until[key]
	l.mu.RUnlock()
	return ok && time.Now().Before(until)
}

// Check returns why the list is not to be relied on yet, or nil. What was read once
// stays known while NATS is away.
func (l *List) Check(context.Context) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.err
}

func (l *List) learn(key string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(until) {
		l.until[key] = until
		return
	}
	delete(l.until, key)
}

// Run keeps the list until ctx ends, and returns nil then. It returns an error only if
// it could not begin.
func (l *List) Run(ctx context.Context) error {
	// The bucket tells for ever, the orders at once: after a restart of NATS a watch may
	// take a while to come back.
	wait, err := Listen(ctx, l.conn, l.space, func(_ context.Context, o Order) {
		if o.Token != "" {
			l.learn(keyOf(o.Token), o.end())
		}
	})
	if err != nil {
		return err
	}
	defer wait()
	for told := false; ctx.Err() == nil; {
		err := l.watch(ctx)
		if err != nil && ctx.Err() == nil && !told {
			told = true
			l.log.Warn("revocations cannot be watched; trying on", "err", err)
		} else if err == nil {
			told = false
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
	return nil
}

// watch reads the bucket and what comes into it until that fails.
func (l *List) watch(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, storeTime)
	kv, err := l.conn.KeyValue(within, l.bucket)
	cancel()
	if err != nil {
		return natsx.Classify(err)
	}
	w, err := kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch: %w", natsx.Classify(err))
	}
	defer func() { _ = w.Stop() }() // fails only when the connection is closed
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := l.prove(ctx, kv); err != nil {
				return err
			}
		case e, ok := <-w.Updates():
			if !ok {
				return errors.New("the watch ended")
			}
			l.see(e)
		}
	}
}

// prove asks whether the bucket is still there, and forgets what has ended. While NATS
// is away the watch just waits.
func (l *List) prove(ctx context.Context, kv jetstream.KeyValue) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if _, err := kv.Status(ctx); errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("bucket: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for key, until := range l.until {
		if now.After(until) {
			delete(l.until, key)
		}
	}
	return nil
}

// see takes one entry of the bucket; nil comes after those that were there.
func (l *List) see(e jetstream.KeyValueEntry) {
	if e == nil {
		l.mu.Lock()
		l.err = nil
		l.mu.Unlock()
		return
	}
	var v entry
	switch {
	case e.Operation() != jetstream.KeyValuePut:
		l.learn(e.Key(), time.Time{}) // somebody took the revocation back
	case json.Unmarshal(e.Value(), &v) != nil:
		l.learn(e.Key(), e.Created().Add(MaxKeep)) // better too long than not at all
	default:
		l.learn(e.Key(), v.Until)
	}
}
