package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// callWait bounds one exchange with NATS. A leader election takes about five seconds;
	// who waits longer is better told so.
	callWait = 5 * time.Second
	// api is how the subjects of the JetStream API begin.
	api = "$JS.API."
	// headerOperation marks a deletion that somebody made with the tools of NATS.
	headerOperation = "KV-Operation"
	// codeNoMessage is the code of the JetStream API for a subject that holds none.
	codeNoMessage = 10037
)

// errConflict says that somebody else was faster.
var errConflict = errors.New("it was changed meanwhile")

// bucket is a bucket of NATS. Its keys are those that package jetstream would use, but it
// reads many at a time and removes without leaving a mark, which that cannot.
type bucket struct {
	conn   *natsx.Conn
	config jetstream.KeyValueConfig
	stream string // its stream
	prefix string // of its subjects, before the key
}

func newBucket(conn *natsx.Conn, config jetstream.KeyValueConfig) *bucket {
	return &bucket{conn: conn, config: config, stream: "KV_" + config.Bucket, prefix: "$KV." + config.Bucket + "."}
}

// entry is what a key holds.
type entry struct {
	key   string
	value []byte // nil if there is none
	rev   uint64 // the sequence in the stream, also that of a deletion; 0 if there was none
}

// open makes the bucket if it is not there.
func (b *bucket) open(ctx context.Context) error {
	return b.conn.Guard(ctx, func(ctx context.Context) error {
		_, err := b.conn.KeyValue(ctx, b.config)
		return err
	}, api+"STREAM.INFO."+b.stream, api+"STREAM.CREATE."+b.stream, api+"STREAM.UPDATE."+b.stream)
}

// call runs one exchange, sent to a subject, within callWait. If the bucket is gone it is
// made again, and the exchange repeated.
func (b *bucket) call(ctx context.Context, what, subj string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	err := b.conn.Guard(ctx, do, subj)
	if gone(err) {
		if err = b.open(ctx); err == nil {
			err = b.conn.Guard(ctx, do, subj)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}

// gone reports whether an error may mean that there is no bucket. NATS answers the same
// while it starts, and then the bucket cannot be made either.
func gone(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// ask sends a request to the JetStream API about the bucket's stream.
func (b *bucket) ask(ctx context.Context, verb string, request, into any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	subj := api + verb + "." + b.stream
	return b.call(ctx, b.config.Bucket, subj, func(ctx context.Context) error {
		m, err := b.conn.NC.RequestWithContext(ctx, subj, body)
		if err != nil {
			return err
		}
		var refusal struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &refusal); err != nil {
			return fmt.Errorf("decode an answer of NATS: %w", err)
		}
		if refusal.Error != nil {
			return refusal.Error
		}
		if err := json.Unmarshal(m.Data, into); err != nil {
			return fmt.Errorf("decode an answer of NATS: %w", err)
		}
		return nil
	})
}

// last reads what a key holds at the leader: every change before is in it.
func (b *bucket) last(ctx context.Context, key string) (entry, error) {
	var answer struct {
		Message struct {
			Seq    uint64 `json:"seq"`
			Header []byte `json:"hdrs"`
			Data   []byte `json:"data"`
		} `json:"message"`
	}
	err := b.ask(ctx, "STREAM.MSG.GET", map[string]string{"last_by_subj": b.prefix + key}, &answer)
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e.ErrorCode == codeNoMessage {
		return entry{key: key}, nil
	}
	if err != nil {
		return entry{}, err
	}
	e := entry{key: key, rev: answer.Message.Seq}
	if len(answer.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return entry{}, fmt.Errorf("decode the headers of %s: %w", key, err)
		}
		if header.Get(headerOperation) != "" {
			return e, nil
		}
	}
	e.value = append([]byte{}, answer.Message.Data...)
	return e, nil
}

// put stores a value in place of the revision that was read; 0 says that there was none.
// It returns the new revision, or errConflict if there is another one.
func (b *bucket) put(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	return b.publish(ctx, key, value, jetstream.WithExpectLastSequencePerSubject(rev))
}

// mark stores an empty value, whatever there is.
func (b *bucket) mark(ctx context.Context, key string) error {
	_, err := b.publish(ctx, key, nil)
	return err
}

func (b *bucket) publish(ctx context.Context, key string, value []byte, opts ...jetstream.PublishOpt) (rev uint64, err error) {
	m := &nats.Msg{Subject: b.prefix + key, Data: value}
	err = b.call(ctx, "write "+b.config.Bucket, m.Subject, func(ctx context.Context) error {
		ack, err := b.conn.JS.PublishMsg(ctx, m, opts...)
		if natsx.Raced(err) {
			return errConflict
		}
		if err != nil {
			return err
		}
		rev = ack.Sequence
		return nil
	})
	return rev, err
}

// remove takes away what a key held before a revision, 0 for all, with all its past and
// without leaving a mark.
func (b *bucket) remove(ctx context.Context, key string, before uint64) error {
	request := struct {
		Filter string `json:"filter"`
		Seq    uint64 `json:"seq,omitempty"`
	}{b.prefix + key, before}
	return b.ask(ctx, "STREAM.PURGE", request, new(struct{}))
}

// keys lists the keys that a pattern selects, and the last revision of all.
func (b *bucket) keys(ctx context.Context, pattern string) (keys []string, last uint64, err error) {
	var answer struct {
		State struct {
			Last     uint64            `json:"last_seq"`
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
	}
	err = b.ask(ctx, "STREAM.INFO", map[string]string{"subjects_filter": b.prefix + pattern}, &answer)
	for subj := range answer.State.Subjects {
		keys = append(keys, subj[len(b.prefix):])
	}
	return keys, answer.State.Last, err
}
