package people

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Words of NATS's direct API.
const (
	headerStatus   = "Status"
	statusEnd      = "204"
	statusNothing  = "404"
	statusAway     = "503"
	headerPending  = "Nats-Num-Pending"
	directRequests = api + "DIRECT.GET."
)

// atOnce is how many keys one question reads. NATS stops at 1,024 of them; this many
// largest values still are a quarter of what it sends one client at a time.
const atOnce = 250

// directRequest is what the direct API takes.
type directRequest struct {
	Seq   uint64   `json:"seq,omitempty"`
	Next  string   `json:"next_by_subj,omitempty"`
	Lasts []string `json:"multi_last,omitempty"`
	Batch int      `json:"batch,omitempty"`
}

// lasts reads what keys hold at any replica. Keys that hold nothing are left out. No key
// may be there twice.
func (b *bucket) lasts(ctx context.Context, keys []string) (map[string]entry, error) {
	found := make(map[string]entry, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), atOnce)
		if err := b.lastsOf(ctx, keys[:n], found); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return found, nil
}

// lastsOf reads what a few keys hold.
func (b *bucket) lastsOf(ctx context.Context, keys []string, found map[string]entry) error {
	subjects := make([]string, len(keys))
	for i, key := range keys {
		subjects[i] = b.prefix + key
	}
	for {
		list, more, err := b.direct(ctx, directRequest{Lasts: subjects})
		if err != nil {
			return err
		}
		for _, e := range list {
			found[e.key] = e
		}
		if !more || len(list) == 0 {
			break
		}
		// The server stopped at its own bound of bytes; what is there need not come again.
		rest := subjects[:0]
		for _, s := range subjects {
			if _, ok := found[s[len(b.prefix):]]; !ok {
				rest = append(rest, s)
			}
		}
		subjects = rest
	}
	for _, key := range keys {
		if found[key].value == nil {
			delete(found, key) // deleted, or it holds nothing
		}
	}
	return nil
}

// page reads up to limit entries whose keys a pattern selects, in the order in which they
// were written, from a revision on. Deletions are among them, without a value.
func (b *bucket) page(ctx context.Context, pattern string, from uint64, limit int) (list []entry, more bool, err error) {
	return b.direct(ctx, directRequest{Next: b.prefix + pattern, Seq: max(from, 1), Batch: min(limit, atOnce)})
}

// direct asks the direct API and reads until the end of the answer.
func (b *bucket) direct(ctx context.Context, r directRequest) (list []entry, more bool, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, false, fmt.Errorf("encode a request: %w", err)
	}
	subj := directRequests + b.stream
	err = b.call(ctx, "read "+b.config.Bucket, subj, func(ctx context.Context) error {
		list, more, err = b.collect(ctx, subj, body)
		return err
	})
	return list, more, err
}

func (b *bucket) collect(ctx context.Context, subj string, body []byte) (list []entry, more bool, err error) {
	nc := b.conn.NC
	inbox := nc.NewInbox()
	answers := make(chan *nats.Msg, atOnce+1) // as many as there are and the end: never full
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := nc.PublishRequest(subj, inbox, body); err != nil {
		return nil, false, err
	}
	for {
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case m := <-answers:
			e, stored := b.entryOf(m)
			if !stored {
				pending, _ := strconv.ParseUint(lastOf(m.Header, headerPending), 10, 64) // the server writes it
				return list, pending > 0, endOf(m, len(list))
			}
			list = append(list, e)
		}
	}
}

// entryOf reads a stored message. It may hold a header called "Status", but only the
// server adds the message's subject.
func (b *bucket) entryOf(m *nats.Msg) (e entry, stored bool) {
	key, ok := strings.CutPrefix(lastOf(m.Header, jetstream.SubjectHeader), b.prefix)
	if !ok {
		return entry{}, false
	}
	e.key = key
	e.rev, _ = strconv.ParseUint(lastOf(m.Header, jetstream.SequenceHeader), 10, 64) // the server writes it
	if m.Header.Get(headerOperation) == "" {
		e.value = append([]byte{}, m.Data...)
	}
	return e, true
}

// endOf reads the message that ends an answer of n entries.
func endOf(m *nats.Msg, n int) error {
	switch s := m.Header.Get(headerStatus); {
	case s == statusEnd, s == statusNothing && n == 0:
		return nil
	case s == statusAway:
		return nats.ErrNoResponders
	default:
		return fmt.Errorf("the direct API answered %q: %.200q", s, m.Header.Get("Description"))
	}
}

// lastOf returns the last value of a header: the server adds its own behind the message's.
func lastOf(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}
