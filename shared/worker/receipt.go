package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tidings/shared/natsx/direct"
	"tidings/shared/subject"
)

// MaxTimeline is the most receipts that Timeline returns.
const MaxTimeline = 1000

// maxNote bounds the errors and details that receipts and letters quote: providers
// answer with whole pages.
const maxNote = 500

// State is what a job has come to.
type State string

// The states of a job. Sent, Dead and Expired are final, but a dead one can be redriven.
const (
	Queued  State = "queued"  // stored, and nobody has tried yet
	Sending State = "sending" // a worker is trying, or died in doing so
	Retry   State = "retry"   // an attempt failed; Receipt.Next is when the next one begins
	Sent    State = "sent"    // the provider has it
	Dead    State = "dead"    // given up; there is a letter
	Expired State = "expired" // it was not worth sending any more
)

// Receipt is one step of a job.
type Receipt struct {
	// Notification, Channel, Key and Recipient are those of the job.
	Notification string `json:"notification"`
	Channel      string `json:"channel"`
	Key          string `json:"key"`
	Recipient    string `json:"recipient"`
	// State is what the job came to, At when.
	State State     `json:"state"`
	At    time.Time `json:"at"`
	// Attempt is the number of the attempt it is about, from 1; 0 if there was none.
	Attempt int `json:"attempt,omitempty"`
	// Next is when the next attempt begins; only in Retry.
	Next time.Time `json:"next,omitzero"`
	// Error is why an attempt failed, Detail what the provider said to one that did not.
	// Both are cut to a line or so.
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Unsure says that this or an earlier attempt may have got through unnoticed.
	Unsure bool `json:"unsure,omitempty"`
	// Letter is the sequence of the dead letter that was redriven; only in Queued.
	Letter uint64 `json:"letter,omitempty"`
	// ID tells receipts apart, so that one whose acknowledgement was lost is known again.
	ID string `json:"id"`
}

// status is a job's last receipt and its sequence; both are zero if there is none.
type status struct {
	Receipt
	seq uint64
}

// receiptOf begins a receipt of a job.
func receiptOf(j Job, s State) Receipt {
	return Receipt{
		Notification: j.Notification, Channel: j.Channel, Key: j.Key, Recipient: j.Recipient,
		State: s, At: time.Now().UTC(), ID: nuid.Next(),
	}
}

// append stores a receipt if the last one of its job has the sequence after, 0 for
// none, and returns its sequence; otherwise the error is errConflict.
func (q *Queue) append(ctx context.Context, r Receipt, after uint64) (uint64, error) {
	seq, err := q.write(ctx, r, jetstream.WithExpectLastSequencePerSubject(after))
	if !errors.Is(err, errConflict) {
		return seq, err
	}
	// It may be this very receipt that is there, stored by a publish that was repeated.
	last, lastErr := q.lastOf(ctx, q.receiptSubject(r.Notification, r.Channel, r.Key))
	if lastErr == nil && last.ID == r.ID {
		return last.seq, nil
	}
	return 0, err
}

// write stores a receipt.
func (q *Queue) write(ctx context.Context, r Receipt, opts ...jetstream.PublishOpt) (uint64, error) {
	r.Error, r.Detail = cut(r.Error), cut(r.Detail)
	data, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("encode a receipt: %w", err)
	}
	ack, err := q.publish(ctx, &nats.Msg{Subject: q.receiptSubject(r.Notification, r.Channel, r.Key), Data: data}, opts...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// last returns the state of a job.
func (q *Queue) last(ctx context.Context, j Job) (status, error) {
	return q.lastOf(ctx, q.receiptSubject(j.Notification, j.Channel, j.Key))
}

func (q *Queue) lastOf(ctx context.Context, subj string) (status, error) {
	m, err := direct.Last(ctx, q.conn, q.receipts, subj)
	if err != nil || m == nil {
		return status{}, err
	}
	s := status{seq: direct.Sequence(m)}
	if err := json.Unmarshal(m.Data, &s.Receipt); err != nil {
		return status{}, fmt.Errorf("receipt %d: %w", s.seq, err)
	}
	return s, nil
}

// Timeline returns the receipts of a notification's jobs in the order they were stored,
// those of one job among them in order. more says that there are more than MaxTimeline;
// the newest are left out then. Errors are those of natsx.
func (q *Queue) Timeline(ctx context.Context, notification string) (list []Receipt, more bool, err error) {
	if notification == "" || len(notification) > MaxNotification {
		return nil, false, nil // no job can have it
	}
	subj := q.receiptSubject(notification, "*", "*")
	for from := uint64(1); len(list) < MaxTimeline; {
		p, err := direct.Page(ctx, q.conn, q.receipts, subj, from, MaxTimeline-len(list))
		if err != nil {
			return nil, false, err
		}
		for _, m := range p.List {
			var r Receipt
			if json.Unmarshal(m.Data, &r) == nil { // whoever wrote another one, it is no step
				list = append(list, r)
			}
		}
		if from, more = p.Next, p.More; !more {
			break
		}
	}
	return list, more, nil
}

func (q *Queue) receiptSubject(notification, channel, key string) string {
	return q.space.Receipt(subject.Escape(notification), channel, key)
}

// cut bounds a text and makes a line of it.
func cut(s string) string {
	line := make([]rune, 0, min(len(s), maxNote))
	for _, r := range s {
		if len(line) == maxNote {
			return string(line[:maxNote-1]) + "…"
		}
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		line = append(line, r)
	}
	return string(line)
}
