package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// Names of the streams, below the prefix: "tidings_JOBS".
const (
	NameJobs     = "JOBS"
	NameReceipts = "RECEIPTS"
	NameDead     = "DEAD"
)

const (
	// callWait bounds one exchange with NATS. A leader election takes about five
	// seconds; who waits longer is better told so.
	callWait = 5 * time.Second
	// codeStoreFailed is the code of the JetStream API for a message that a limit of its
	// stream refuses; which one it is only says in words.
	codeStoreFailed = 10077
	perSubject      = "maximum messages per subject exceeded"
)

// Limits are what the streams keep.
type Limits struct {
	// JobBytes bounds the jobs that wait. A full queue refuses jobs and drops none.
	JobBytes int64
	// ReceiptsAge is how long it is known what became of a job, and for that long
	// Enqueue knows a key again. Each job costs some 250 bytes of the server's memory
	// meanwhile. It must be longer than a job may take with all its attempts.
	ReceiptsAge time.Duration
	// ReceiptBytes bounds the receipts; the oldest go first.
	ReceiptBytes int64
	// DeadAge is how long a letter waits for somebody to look at it.
	DeadAge time.Duration
	// DeadBytes bounds the letters. When they are full jobs are not given up, they stay
	// in the queue.
	DeadBytes int64
	// Replicas is the number of copies, 1, 3 or 5; used when a stream is created.
	Replicas int
}

// DefaultLimits returns limits for some million jobs a week.
func DefaultLimits() Limits {
	return Limits{
		JobBytes: 4 << 30, ReceiptsAge: 7 * 24 * time.Hour, ReceiptBytes: 4 << 30,
		DeadAge: 30 * 24 * time.Hour, DeadBytes: 1 << 30, Replicas: 1,
	}
}

// Queue is the jobs, what became of them, and those that were given up. Make one with
// Open.
type Queue struct {
	conn                 *natsx.Conn
	space                subject.Space
	configs              []jetstream.StreamConfig
	jobs, receipts, dead string // names of the streams
}

// Open makes the streams, or brings existing ones to the limits. Errors wrap those of
// natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, limits Limits) (*Queue, error) {
	q := &Queue{
		conn: conn, space: space,
		jobs: space.Stream(NameJobs), receipts: space.Stream(NameReceipts), dead: space.Stream(NameDead),
	}
	q.configs = []jetstream.StreamConfig{
		{
			Name: q.jobs, Description: "Tidings: jobs to do, each once", Subjects: []string{space.Job("*", "*")},
			Retention: jetstream.WorkQueuePolicy, MaxBytes: limits.JobBytes, MaxMsgSize: maxJobBytes,
			// A job that waits is not stored a second time, whatever its age.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
			Storage: jetstream.FileStorage, Replicas: limits.Replicas, AllowDirect: true,
		},
		{
			Name: q.receipts, Description: "Tidings: what became of the jobs", Subjects: []string{space.Receipt("*", "*", "*")},
			MaxAge: limits.ReceiptsAge, MaxBytes: limits.ReceiptBytes, Discard: jetstream.DiscardOld,
			Storage: jetstream.FileStorage, Replicas: limits.Replicas, AllowDirect: true,
		},
		{
			Name: q.dead, Description: "Tidings: jobs that were given up", Subjects: []string{space.Dead("*", "*")},
			// One letter per job: storing it again replaces it. New ones are refused when
			// there is no room, since the job is still where it was.
			MaxAge: limits.DeadAge, MaxBytes: limits.DeadBytes, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew,
			Storage: jetstream.FileStorage, Replicas: limits.Replicas, AllowDirect: true,
		},
	}
	return q, q.ensure(ctx)
}

// Attach finds the streams of a running installation and changes nothing. Errors wrap
// those of natsx.
func Attach(ctx context.Context, conn *natsx.Conn, space subject.Space) (*Queue, error) {
	q := &Queue{
		conn: conn, space: space,
		jobs: space.Stream(NameJobs), receipts: space.Stream(NameReceipts), dead: space.Stream(NameDead),
	}
	for _, name := range []string{q.jobs, q.receipts, q.dead} {
		err := q.call(ctx, "look for "+name, func(ctx context.Context) error {
			s, err := q.conn.JS.Stream(ctx, name)
			if err == nil {
				q.configs = append(q.configs, s.CachedInfo().Config)
			}
			return err
		}, "$JS.API.STREAM.INFO."+name)
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// ensure makes the streams exist.
func (q *Queue) ensure(ctx context.Context) error {
	for _, c := range q.configs {
		if _, err := q.conn.EnsureStream(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// publish stores a message and returns after the acknowledgement. A refused condition
// on the last message of the subject is errConflict, and errWaiting says that the
// subject holds its one message already.
func (q *Queue) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	var ack *jetstream.PubAck
	err := q.call(ctx, "publish to "+m.Subject, func(ctx context.Context) (err error) {
		if ack, err = q.conn.JS.PublishMsg(ctx, m, opts...); err != nil {
			return cmp.Or(refused(err), err)
		}
		return nil
	}, m.Subject)
	return ack, err
}

// refused names the refusals of the store that are answers.
func refused(err error) error {
	if natsx.Raced(err) {
		return errConflict
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeStoreFailed && strings.Contains(api.Description, perSubject) {
		return errWaiting
	}
	return nil
}

var (
	// errConflict says that a receipt was stored by somebody else meanwhile.
	errConflict = errors.New("another worker has the job")
	// errWaiting says that the job waits already.
	errWaiting = errors.New("the job is in the queue")
)

// call runs one exchange with NATS within callWait.
func (q *Queue) call(ctx context.Context, what string, do func(context.Context) error, subjects ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := q.conn.Guard(ctx, do, subjects...); err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}
