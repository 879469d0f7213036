package ledger

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx/direct"
	"tidings/shared/subject"
)

const (
	// MaxRecent is the most requests of one Recent.
	MaxRecent = 100
	// recentRange is how many sequences are read at a time. NATS reads forwards only, so
	// a range is read whole even if its end would do.
	recentRange = 64
	// recentSpan is how many sequences one call looks at: what is between the requests
	// are the entries about them, which can be many more.
	recentSpan = 2048
	// recentBytes ends a call early where messages are large.
	recentBytes = 8 << 20
)

// Summary is what was asked for.
type Summary struct {
	// ID is the notification's.
	ID string
	Entry
}

// Page is a part of what was asked for.
type Page struct {
	// Requests are the newest first.
	Requests []Summary
	// Next is what to continue before for older ones, if there are More. A page may hold
	// no request and still have more behind it.
	Next uint64
	More bool
}

// Recent returns what was asked for before a sequence, 0 for the newest: at most limit
// requests and MaxRecent, the newest first. It looks at a bounded part of the stream, so
// a page may be shorter than that. Errors wrap those of natsx.
func (l *Ledger) Recent(ctx context.Context, before uint64, limit int) (Page, error) {
	if limit <= 0 || limit > MaxRecent {
		limit = MaxRecent
	}
	first, last, err := l.bounds(ctx)
	if err != nil {
		return Page{}, err
	}
	if before == 0 || before > last+1 {
		before = last + 1
	}
	p := Page{Next: before}
	for looked, bytes := 0, 0; p.Next > first && len(p.Requests) < limit && looked < recentSpan && bytes < recentBytes; looked += recentRange {
		low := max(first, p.Next-min(recentRange, p.Next))
		msgs, err := l.between(ctx, low, p.Next)
		if err != nil {
			return Page{}, err
		}
		p.Next = low
		for _, m := range slices.Backward(msgs) {
			bytes += len(m.Data)
			s, ok := l.summary(m)
			if !ok {
				continue
			}
			if len(p.Requests) == limit {
				p.Next = p.Requests[limit-1].Seq // the range has more
				break
			}
			p.Requests = append(p.Requests, s)
		}
	}
	p.More = p.Next > first
	return p, nil
}

// bounds returns the first and the last sequence of the stream; first is after last if
// it is empty.
func (l *Ledger) bounds(ctx context.Context) (first, last uint64, err error) {
	err = l.call(ctx, "stream "+l.config.Name, func(ctx context.Context) error {
		s, err := l.conn.JS.Stream(ctx, l.config.Name)
		if err != nil {
			return err
		}
		state := s.CachedInfo().State
		first, last = max(state.FirstSeq, 1), state.LastSeq
		return nil
	}, "$JS.API.STREAM.INFO."+l.config.Name)
	return first, last, err
}

// between returns the messages about notifications in [low, high).
func (l *Ledger) between(ctx context.Context, low, high uint64) (list []*nats.Msg, err error) {
	for low < high {
		p, err := direct.Page(ctx, l.conn, l.config.Name, l.space.Notification("*", "*"), low, int(min(high-low, recentRange)))
		if err != nil {
			return nil, err
		}
		for _, m := range p.List {
			if direct.Sequence(m) >= high { // the range had holes
				return list, nil
			}
			list = append(list, m)
		}
		if !p.More || len(p.List) == 0 {
			break
		}
		low = p.Next
	}
	return list, nil
}

// summary reads a request; false means that it is something else.
func (l *Ledger) summary(m *nats.Msg) (Summary, bool) {
	if m.Header.Get(headerKind) != string(KindRequest) {
		return Summary{}, false
	}
	prefix, _, _ := strings.Cut(l.space.Notification("*", "*"), "*")
	tail, ok := strings.CutPrefix(m.Header.Get(jetstream.SubjectHeader), prefix)
	token, _, ok2 := strings.Cut(tail, ".")
	if !ok || !ok2 {
		return Summary{}, false
	}
	id, err := subject.Unescape(token)
	if err != nil {
		return Summary{}, false
	}
	e, err := decode(m)
	return Summary{ID: id, Entry: e}, err == nil && e.Kind == KindRequest
}
