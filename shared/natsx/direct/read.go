package direct

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// MaxPage is the most messages of one Page.
	MaxPage = 256
	// maxPageBytes is after how many bytes a page ends early: a page of the largest
	// messages would be 256 MiB otherwise.
	maxPageBytes = 4 << 20
	// readWait bounds one question: a leader election takes about five seconds.
	readWait = 5 * time.Second
	// api is the subject of the direct API, without the stream's name.
	api = "$JS.API.DIRECT.GET."
	// Words of its answers.
	headerStatus   = "Status"
	statusEOB      = "204"
	statusNotFound = "404"
	statusAway     = "503"
	headerPending  = "Nats-Num-Pending"
)

// request is what the direct API takes.
type request struct {
	Seq   uint64 `json:"seq,omitempty"`
	Next  string `json:"next_by_subj,omitempty"`
	Last  string `json:"last_by_subj,omitempty"`
	Batch int    `json:"batch,omitempty"`
	Bytes int    `json:"max_bytes,omitempty"`
}

// Messages is some messages of a stream, in order.
type Messages struct {
	// List are the messages.
	List []*nats.Msg
	// Next is the sequence to read on from, More says that there are more, and Pending
	// how many.
	Next    uint64
	More    bool
	Pending uint64
}

// At returns the message of a sequence, nil if there is none. Errors are those of natsx.
func At(ctx context.Context, conn *natsx.Conn, stream string, seq uint64) (*nats.Msg, error) {
	return one(ctx, conn, stream, request{Seq: seq})
}

// Last returns the last message that a subject selects, nil if there is none. Errors are
// those of natsx.
func Last(ctx context.Context, conn *natsx.Conn, stream, subj string) (*nats.Msg, error) {
	return one(ctx, conn, stream, request{Last: subj})
}

func one(ctx context.Context, conn *natsx.Conn, stream string, r request) (m *nats.Msg, err error) {
	err = ask(ctx, conn, api+stream, r, func(ctx context.Context, body []byte) (err error) {
		if m, err = conn.NC.RequestWithContext(ctx, api+stream, body); err != nil {
			return err
		}
		done, err := verdict(m)
		if done {
			m = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Page reads up to limit messages, at most MaxPage, that a subject selects, from a
// sequence on. Large ones make a page shorter; it holds at least one if there is one.
// Errors are those of natsx.
func Page(ctx context.Context, conn *natsx.Conn, stream, subj string, from uint64, limit int) (Messages, error) {
	p := Messages{Next: from}
	r := request{Seq: from, Next: subj, Batch: min(limit, MaxPage), Bytes: maxPageBytes}
	err := ask(ctx, conn, api+stream, r, func(ctx context.Context, body []byte) error {
		return p.collect(ctx, conn.NC, api+stream, body)
	})
	return p, err
}

// ask runs one exchange with one of NATS's APIs.
func ask(ctx context.Context, conn *natsx.Conn, subj string, r request, do func(context.Context, []byte) error) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	err = conn.Guard(ctx, func(ctx context.Context) error { return do(ctx, body) }, subj)
	if err != nil {
		return fmt.Errorf("ask %s: %w", subj, natsx.Classify(err))
	}
	return nil
}

// collect sends a request and reads until the end of the answer.
func (p *Messages) collect(ctx context.Context, nc *nats.Conn, subj string, body []byte) error {
	inbox := nc.NewInbox()
	answers := make(chan *nats.Msg, MaxPage+1)
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := nc.PublishRequest(subj, inbox, body); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-answers:
			done, err := verdict(m)
			if done || err != nil {
				p.Pending, _ = strconv.ParseUint(last(m.Header, headerPending), 10, 64)
				p.More = p.Pending > 0
				return err
			}
			p.List = append(p.List, m)
			p.Next = Sequence(m) + 1
		}
	}
}

// verdict reads an answer: a message, the end of them, or an error. A stored message may
// hold a header called "Status", but only the server adds the message's sequence. (A
// subject it adds to its word that nobody listens, too.)
func verdict(m *nats.Msg) (done bool, err error) {
	if Sequence(m) > 0 {
		return false, nil
	}
	switch s := m.Header.Get(headerStatus); s {
	case statusEOB, statusNotFound:
		return true, nil
	case statusAway:
		return false, nats.ErrNoResponders
	default:
		return false, fmt.Errorf("the direct API answered %q: %.200q", s, m.Header.Get("Description"))
	}
}

// Sequence returns the sequence of a message that was read.
func Sequence(m *nats.Msg) uint64 {
	n, _ := strconv.ParseUint(last(m.Header, jetstream.SequenceHeader), 10, 64) // the server writes it
	return n
}

// Subject returns the subject of a message that was read.
func Subject(m *nats.Msg) string { return last(m.Header, jetstream.SubjectHeader) }

// last returns the last value of a header: the server adds its own behind the message's.
func last(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}
