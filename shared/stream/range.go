package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/subject"
)

const (
	// directGet is the API that reads without a consumer: a consumer would cost a
	// hundred times as much (measured: 50 ms against 0.5 ms for 2,000 events back).
	directGet = "$JS.API.DIRECT.GET."
	// leaderGet is the API that only the leader answers.
	leaderGet = "$JS.API.STREAM.MSG.GET."
	// rangeWait bounds the wait for one page.
	rangeWait = 5 * time.Second
	// maxSuspects bounds how many topics of one pattern are looked at one by one to
	// tell whether the per-topic limit took something.
	maxSuspects = 32
	// bytesSlack: below this part of its byte limit the log did not drop for bytes.
	bytesSlack = 0.9
)

// Status codes of the direct API.
const (
	statusEOB      = "204"
	statusNotFound = "404"
)

// getRequest is the request of both read APIs.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	Next     string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// batch is one answer of the direct API.
type batch struct {
	msgs    []*nats.Msg
	pending uint64 // matches after the last of msgs
}

// Range implements Log.
func (l *NATS) Range(ctx context.Context, q Query) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, rangeWait)
	defer cancel()
	info, err := l.info(ctx)
	if err != nil {
		return Page{}, err
	}
	x := extent(info)
	p := Page{Next: event.Cursor{Epoch: x.Epoch, Seq: x.Last}}
	after := q.After.Seq
	if q.After.Epoch != "" && q.After.Epoch != x.Epoch {
		after, p.Gone = 0, true
	}
	subj := l.space.Events(q.Pattern)
	if q.Last > 0 {
		if after, err = l.beforeLast(ctx, subj, min(q.Last, MaxPage), x); err != nil {
			return Page{}, err
		}
	}
	if err := l.fill(ctx, &p, after, getRequest{Seq: after + 1, Next: subj, Batch: q.limit(), MaxBytes: q.bytes()}); err != nil {
		return Page{}, err
	}
	if q.Last == 0 && !p.Gone {
		// Asked after reading: what was dropped meanwhile is then seen too.
		if p.Gone, err = l.gone(ctx, q.Pattern, after); err != nil {
			return Page{}, err
		}
	}
	return p, nil
}

// fill reads one page after a sequence into p, whose Next is the end of the log
// when it was asked.
func (l *NATS) fill(ctx context.Context, p *Page, after uint64, r getRequest) error {
	b, err := l.get(ctx, r)
	if err != nil {
		return err
	}
	last := after
	for _, m := range b.msgs {
		e, err := l.stored(m)
		if err != nil {
			return err
		}
		last = e.Seq
		if e.Event.Topic != "" {
			p.Entries = append(p.Entries, e)
		}
	}
	if p.More = b.pending > 0; p.More {
		p.Next.Seq = last
		return nil
	}
	// A follower of a replicated stream may answer although it lags behind. The
	// leader knows whether the page really reached the end.
	if l.config.Replicas > 1 {
		if p.More, err = l.hasNext(ctx, r.Next, last, p.Next.Seq); p.More {
			p.Next.Seq = last
		}
		return err
	}
	// What was stored between asking for the end and reading is in the page too.
	p.Next.Seq = max(p.Next.Seq, last)
	return nil
}

// stored makes an Entry of an answer of the direct API.
func (l *NATS) stored(m *nats.Msg) (Entry, error) {
	seq, ok := sequence(m.Header, jetstream.SequenceHeader)
	if !ok {
		return Entry{}, fmt.Errorf("%w: an answer without a sequence", ErrUnavailable)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Entry{}, fmt.Errorf("%w: an answer without a time", ErrUnavailable)
	}
	return l.entry(m.Header.Get(jetstream.SubjectHeader), m.Header, m.Data, seq, at), nil
}

// get asks the direct API and collects the answer's messages.
func (l *NATS) get(ctx context.Context, r getRequest) (batch, error) {
	var b batch
	body, err := json.Marshal(r)
	if err != nil {
		return b, fmt.Errorf("direct get: %w", err)
	}
	nc := l.conn.NC
	inbox := nc.NewInbox()
	// As large as the whole answer and no larger: a SubscribeSync would bring half a
	// megabyte of channel along.
	answers := make(chan *nats.Msg, r.Batch+1)
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return b, classify(fmt.Errorf("direct get: %w", err))
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := nc.PublishRequest(directGet+l.config.Name, inbox, body); err != nil {
		return b, classify(fmt.Errorf("direct get: %w", err))
	}
	for {
		var m *nats.Msg
		select {
		case <-ctx.Done():
			return b, classify(fmt.Errorf("direct get: %w", ctx.Err()))
		case m = <-answers:
		}
		switch status := m.Header.Get(headerStatus); status {
		case "":
			b.msgs = append(b.msgs, m)
		case statusEOB:
			b.pending, _ = sequence(m.Header, "Nats-Num-Pending")
			return b, nil
		case statusNotFound:
			return b, nil
		default:
			return b, fmt.Errorf("%w: direct get answered %s %s", ErrUnavailable, status, m.Header.Get("Description"))
		}
	}
}

// hasNext asks the leader whether subj has a message after one sequence and up to another.
func (l *NATS) hasNext(ctx context.Context, subj string, after, upTo uint64) (bool, error) {
	body, err := json.Marshal(getRequest{Seq: after + 1, Next: subj})
	if err != nil {
		return false, fmt.Errorf("get: %w", err)
	}
	m, err := l.conn.NC.RequestWithContext(ctx, leaderGet+l.config.Name, body)
	if err != nil {
		return false, classify(fmt.Errorf("get: %w", err))
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq uint64 `json:"seq"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return false, fmt.Errorf("get: %w", err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return false, nil
		}
		return false, classify(fmt.Errorf("get: %w", answer.Error))
	}
	return answer.Message.Seq <= upTo, nil
}

// beforeLast finds the position before the last n messages of subj by halving:
// the direct API tells how many messages follow a sequence, so about 20 questions
// of half a millisecond find it in a million.
func (l *NATS) beforeLast(ctx context.Context, subj string, n int, x Extent) (uint64, error) {
	low, high := cmp.Or(x.First, 1)-1, x.Last // invariant: at least n follow low, or low is the start; fewer than n follow high
	total, err := l.following(ctx, subj, low)
	if err != nil || total <= uint64(n) {
		return low, err
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		count, err := l.following(ctx, subj, mid)
		if err != nil {
			return 0, err
		}
		if count >= uint64(n) {
			low = mid
		} else {
			high = mid
		}
	}
	return low, nil
}

// following counts the messages of subj after a sequence.
func (l *NATS) following(ctx context.Context, subj string, after uint64) (uint64, error) {
	b, err := l.get(ctx, getRequest{Seq: after + 1, Next: subj, Batch: 1})
	return uint64(len(b.msgs)) + b.pending, err
}

// gone reports whether the store's limits may have dropped something that p
// selects after a sequence. It may err towards true only.
func (l *NATS) gone(ctx context.Context, p subject.Pattern, after uint64) (bool, error) {
	info, err := l.info(ctx)
	if err != nil {
		return false, err
	}
	s := info.State
	if after >= s.LastSeq || s.FirstSeq <= after+1 && s.NumDeleted == 0 {
		return false, nil
	}
	if s.FirstSeq > after+1 && l.mayHaveExpired(info, after) {
		return true, nil
	}
	perTopic := info.Config.MaxMsgsPerSubject
	if perTopic <= 0 {
		return false, nil
	}
	if p.Exact() {
		return l.overLimit(ctx, l.space.Events(p), after, uint64(perTopic))
	}
	return l.anyOverLimit(ctx, p, after, uint64(perTopic))
}

// anyOverLimit is overLimit for every topic of a pattern that is at its limit.
func (l *NATS) anyOverLimit(ctx context.Context, p subject.Pattern, after, limit uint64) (bool, error) {
	info, err := l.info(ctx, jetstream.WithSubjectFilter(l.space.Events(p)))
	if err != nil {
		return false, err
	}
	suspects := 0
	for subj, n := range info.State.Subjects {
		if n < limit {
			continue
		}
		if suspects++; suspects > maxSuspects {
			return true, nil
		}
		if over, err := l.overLimit(ctx, subj, after, limit); over || err != nil {
			return over, err
		}
	}
	return false, nil
}

// mayHaveExpired reports whether age or the byte limit can have dropped anything
// after a sequence.
func (l *NATS) mayHaveExpired(info *jetstream.StreamInfo, after uint64) bool {
	if limit := info.Config.MaxBytes; limit > 0 && float64(info.State.Bytes) > bytesSlack*float64(limit) {
		return true
	}
	age := info.Config.MaxAge
	if age <= 0 {
		return false
	}
	since, known := l.marks.since(after)
	return !known || time.Since(since) > age
}

// overLimit reports whether the per-topic limit may have dropped messages of one
// subject after a sequence: it is at its limit, and the first one kept is later.
func (l *NATS) overLimit(ctx context.Context, subj string, after, limit uint64) (bool, error) {
	b, err := l.get(ctx, getRequest{Seq: 1, Next: subj, Batch: 1})
	if err != nil || len(b.msgs) == 0 {
		return false, err
	}
	first, _ := sequence(b.msgs[0].Header, jetstream.SequenceHeader)
	return first > after+1 && b.pending+1 >= limit, nil
}
