package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tidings/scripts/bench/line"
	"tidings/scripts/bench/protocol"
)

// errBye says that the server ended the stream in its own words.
var errBye = errors.New("the server said goodbye")

// subscriber is one client: its books live on while its lines come and go. It owns
// each of them.
type subscriber struct {
	fleet *Fleet
	index int
	rooms []int // sorted
	token string

	line *line.Line // nil while there is none

	// The books, owned by the line's goroutine.
	seen   []uint64 // one bit for each event
	next   uint32   // one more than the highest sequence seen
	cursor []byte
	round  *Tally // that got counts for
	got    int
	opened time.Duration
	now    time.Duration // of the present piece
	fresh  uint64        // new events in the present piece
}

// open connects, at the subscriber's cursor if it has one, and waits for the greeting.
func (s *subscriber) open(ctx context.Context) error {
	f := s.fleet
	s.opened = f.Now()
	l, err := line.Open(ctx, line.Config{
		Addr: f.cfg.Addr, Dialer: f.dialer(s.index), Pump: f.pump, Transport: f.cfg.Transport,
		Request: protocol.Request{Query: f.query(s.rooms), Token: s.token, Cursor: string(s.cursor)},
	}, s)
	if err != nil {
		return err
	}
	s.line = l
	return nil
}

// close ends the connection and waits until the books rest.
func (s *subscriber) close() {
	if s.line != nil {
		s.line.Close()
		s.line = nil
	}
}

// Begin implements line.Owner.
func (s *subscriber) Begin() { s.now = s.fleet.Now() }

// End implements line.Owner: the shared counters are added to once for each piece.
func (s *subscriber) End() {
	if s.fresh > 0 {
		s.round.delivered.Add(s.fresh)
		s.round.reads.Add(1)
		s.round.last.Store(int64(s.now))
		s.fresh = 0
	}
}

// Cut implements line.Owner.
func (s *subscriber) Cut(err error) {
	s.fleet.tally.Load().cut.Add(1)
	s.fleet.firstCut.CompareAndSwap(nil, &err)
}

// Message implements line.Owner.
func (s *subscriber) Message(cursor, body []byte) error {
	if stamp, ok := s.fleet.coder.Find(body); ok {
		s.book(stamp)
	} else if err := s.control(body); err != nil {
		return err
	}
	if len(cursor) > 0 {
		s.cursor = append(s.cursor[:0], cursor...)
	}
	return nil
}

// control takes a message that is no event of ours.
func (s *subscriber) control(body []byte) error {
	switch protocol.ControlOf(body) {
	case protocol.Gap:
		s.fleet.tally.Load().gaps.Add(1)
	case protocol.Bye:
		return fmt.Errorf("%w: %s", errBye, bytes.TrimSpace(body))
	case protocol.Hello, protocol.None: // the line looks out for the one, the other says nothing
	}
	return nil
}

// book enters one event in the books.
func (s *subscriber) book(stamp Stamp) {
	t := s.fleet.tally.Load()
	if t != s.round {
		if s.fresh > 0 { // belongs to the round before
			s.round.delivered.Add(s.fresh)
			s.fresh = 0
		}
		s.round, s.got = t, 0
	}
	word, bit := stamp.Seq/64, uint64(1)<<(stamp.Seq%64)
	_, mine := slices.BinarySearch(s.rooms, int(stamp.Room))
	switch {
	case !mine, int(word) >= len(s.seen):
		t.strays.Add(1)
		return
	case s.seen[word]&bit != 0:
		t.doubled.Add(1)
		return
	}
	s.seen[word] |= bit
	if stamp.Seq < t.first {
		t.strays.Add(1)
		return
	}
	if stamp.Seq < s.next {
		t.disordered.Add(1)
	}
	s.next = max(s.next, stamp.Seq+1)
	if stamp.Sent > s.opened && s.index >= s.fleet.cfg.Narrow {
		t.Latency.Add(s.now - stamp.Sent)
	}
	s.fresh++
	if s.got++; s.got == t.each {
		t.Completion.Add(s.now - s.opened)
		t.complete.Add(1)
	}
}
