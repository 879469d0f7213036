package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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
	// maxMended bounds how many messages with unreadable headers one page mends.
	maxMended = 16
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
	at, err := storedAt(m.Header)
	if err != nil {
		return Entry{}, err
	}
	return l.entry(last(m.Header, jetstream.SubjectHeader), m.Header, m.Data, seq, at), nil
}

// storedAt reads when a message was stored out of the server's headers.
func storedAt(h nats.Header) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, last(h, jetstream.TimeStampHeaer))
	if err != nil {
		return at, fmt.Errorf("%w: an answer without a time", ErrUnavailable)
	}
	return at, nil
}

// get asks the direct API and collects the answer's messages.
func (l *NATS) get(ctx context.Context, r getRequest) (batch, error) {
	subj := directGet + l.config.Name
	var b batch
	err := l.conn.Guard(ctx, func(ctx context.Context) (err error) {
		b, err = l.ask(ctx, subj, r)
		return err
	}, subj)
	if err != nil {
		return batch{}, classify(fmt.Errorf("direct get: %w", err))
	}
	return l.mend(ctx, r, b)
}

// mend asks the leader for the messages whose headers cannot be read and which
// so do not tell their sequence. Whoever may publish may have written them.
func (l *NATS) mend(ctx context.Context, r getRequest, b batch) (batch, error) {
	good, mended := b.msgs[:0], 0
	for i, m := range b.msgs {
		if m.Header == nil {
			if mended++; mended > maxMended {
				b.pending += uint64(len(b.msgs) - i) // the next page begins with it
				break
			}
			var err error
			if m, err = l.next(ctx, r.Next, r.Seq); err != nil {
				return batch{}, err
			}
		}
		if m == nil {
			continue // it was deleted meanwhile
		}
		if seq, ok := sequence(m.Header, jetstream.SequenceHeader); ok && seq >= r.Seq {
			good, r.Seq = append(good, m), seq+1
		}
	}
	b.msgs = good
	return b, nil
}

// ask sends a request to the direct API and reads until the end of the answer.
func (l *NATS) ask(ctx context.Context, subj string, r getRequest) (batch, error) {
	var b batch
	body, err := json.Marshal(r)
	if err != nil {
		return b, err
	}
	nc := l.conn.NC
	inbox := nc.NewInbox()
	// As large as the whole answer and no larger: a SubscribeSync would bring half a
	// megabyte of channel along.
	answers := make(chan *nats.Msg, r.Batch+1)
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return b, err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := nc.PublishRequest(subj, inbox, body); err != nil {
		return b, err
	}
	for {
		var m *nats.Msg
		select {
		case <-ctx.Done():
			return b, ctx.Err()
		case m = <-answers:
		}
		// Anyone may have stored a header "Status"; only the server adds a subject.
		if m.Header == nil || last(m.Header, jetstream.SubjectHeader) != "" {
			b.msgs = append(b.msgs, m)
			continue
		}
		switch status := m.Header.Get(headerStatus); status {
		case statusEOB:
			b.pending, _ = sequence(m.Header, "Nats-Num-Pending")
			return b, nil
		case statusNotFound:
			return b, nil
		default:
			return b, fmt.Errorf("%w: answered %s %s", ErrUnavailable, status, m.Header.Get("Description"))
		}
	}
}

// hasNext asks the leader whether subj has a message after one sequence and up to another.
func (l *NATS) hasNext(ctx context.Context, subj string, after, upTo uint64) (bool, error) {
	m, err := l.next(ctx, subj, after+1)
	if m == nil || err != nil {
		return false, err
	}
	seq, _ := sequence(m.Header, jetstream.SequenceHeader)
	return seq <= upTo, nil
}

// next asks the leader for the first message of subj from a sequence on, nil if
// there is none. Its headers are what the server says about it, not its own.
func (l *NATS) next(ctx context.Context, subj string, from uint64) (*nats.Msg, error) {
	body, err := json.Marshal(getRequest{Seq: from, Next: subj})
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	var m *nats.Msg
	err = l.conn.Guard(ctx, func(ctx context.Context) (err error) {
		m, err = l.conn.NC.RequestWithContext(ctx, leaderGet+l.config.Name, body)
		return err
	}, leaderGet+l.config.Name)
	if err != nil {
		return nil, classify(fmt.Errorf("get: %w", err))
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Time    time.Time `json:"time"`
			Data    []byte    `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, nil
		}
		return nil, classify(fmt.Errorf("get: %w", answer.Error))
	}
	return &nats.Msg{Data: answer.Message.Data, Header: nats.Header{
		jetstream.SubjectHeader:  {answer.Message.Subject},
		jetstream.SequenceHeader: {strconv.FormatUint(answer.Message.Seq, 10)},
		jetstream.TimeStampHeaer: {answer.Message.Time.Format(time.RFC3339Nano)},
	}}, nil
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
	// What the limit of a topic dropped has as many newer ones of its topic behind it: of
	// a short distance it cannot have been any.
	if perTopic <= 0 || s.LastSeq-after <= uint64(perTopic) {
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
