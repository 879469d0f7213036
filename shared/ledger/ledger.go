package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// Name is the stream's name below the prefix: "tidings_NOTIFICATIONS".
const Name = "NOTIFICATIONS"

const (
	// callWait bounds one exchange with NATS. A leader election takes about five
	// seconds; who waits longer is better told so.
	callWait = 5 * time.Second
	// maxMessage bounds a message in bytes, NATS's own default. Plain publishes are
	// refused beyond it as well.
	maxMessage = 1 << 20
)

// Errors of the ledger. Others are those of natsx.
var (
	// ErrUnknown says that nothing is known about a notification, or not any more.
	ErrUnknown = errors.New("there is no such notification")
	// ErrEntry says that an entry or an id cannot be stored as it is, now or later.
	ErrEntry = errors.New("the entry is malformed")

	// errConflict says that there is an entry with this part.
	errConflict = errors.New("there is such a part")
)

// Limits are what the stream keeps; the oldest goes first.
type Limits struct {
	// Age is how long it is known what became of a notification. It must be longer than
	// a delivery may take with all its attempts.
	Age time.Duration
	// Bytes bounds it all.
	Bytes int64
	// Replicas is the number of copies, 1, 3 or 5; used when the stream is created.
	Replicas int
}

// DefaultLimits returns limits for a week and some hundred thousand notifications.
func DefaultLimits() Limits { return Limits{Age: 7 * 24 * time.Hour, Bytes: 1 << 30, Replicas: 1} }

// Ledger is what is known about notifications. Make one with Open.
type Ledger struct {
	conn   *natsx.Conn
	space  subject.Space
	config jetstream.StreamConfig
	again  func(deliveries uint64) time.Duration // the pause before a request comes again

	mu  sync.Mutex
	err error // why Requests gets none, nil while it would or does not run
}

// Open makes the stream, or brings an existing one to the limits. Errors wrap those of
// natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, limits Limits) (*Ledger, error) {
	l := &Ledger{conn: conn, space: space, again: again, config: jetstream.StreamConfig{
		Name: space.Stream(Name), Description: "Tidings: what is known about notifications",
		Subjects: []string{space.Notify(), space.Notification("*", "*")},
		MaxAge:   limits.Age, MaxBytes: limits.Bytes, MaxMsgSize: maxMessage, Discard: jetstream.DiscardOld,
		Storage: jetstream.FileStorage, Replicas: limits.Replicas, AllowDirect: true,
	}}
	return l, l.ensure(ctx)
}

// ensure makes the stream exist.
func (l *Ledger) ensure(ctx context.Context) error {
	_, err := l.conn.EnsureStream(ctx, l.config)
	return err
}

// publish stores a message if it is the first of its subject, and returns its sequence.
// Otherwise the error is errConflict.
func (l *Ledger) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	var ack *jetstream.PubAck
	err := l.call(ctx, "publish to "+m.Subject, func(ctx context.Context) (err error) {
		ack, err = l.conn.JS.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0))
		if natsx.Raced(err) {
			return errConflict
		}
		return err
	}, m.Subject)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// call runs one exchange with NATS within callWait.
func (l *Ledger) call(ctx context.Context, what string, do func(context.Context) error, subjects ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := l.conn.Guard(ctx, do, subjects...); err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
