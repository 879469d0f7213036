package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// greetTime bounds the wait for a stream's first word.
const greetTime = 30 * time.Second

// errBye says that the server ended the stream in its own words.
var errBye = errors.New("the server said goodbye")

// subscriber is one client: its books live on while its connections come and go.
type subscriber struct {
	fleet *Fleet
	index int
	rooms []int // sorted
	token string

	// Of the present connection; changed only while nobody reads.
	conn  *net.TCPConn
	key   string
	ready chan error // takes one value: nil for a greeting, or why there is none
	done  chan struct{}

	// The books, owned by the goroutine that reads.
	seen    []uint64 // one bit for each event
	next    uint32   // one more than the highest sequence seen
	cursor  []byte
	round   *Tally // that got counts for
	got     int
	opened  time.Duration
	now     time.Duration // of the present piece
	fresh   uint64        // new events in the present piece
	greeted bool
	head    head
	decoder decoder // nil until the head is complete

	leaving atomic.Bool
	gate    atomic.Pointer[chan struct{}] // if set, reading waits until it is closed
}

// open connects, at the subscriber's cursor if it has one, and waits for the greeting.
func (s *subscriber) open(ctx context.Context) error {
	f := s.fleet
	s.opened, s.greeted, s.decoder, s.head = f.Now(), false, nil, head{}
	s.leaving.Store(false)
	conn, err := f.dialer(s.index).Dial(ctx, f.cfg.Addr)
	if err != nil {
		return err
	}
	if f.cfg.Transport == WebSocket {
		s.key = newKey()
	}
	head := f.cfg.Transport.request(f.cfg.Addr, f.query(s.rooms), s.token, string(s.cursor), s.key)
	if _, err := conn.Write(head); err != nil {
		_ = conn.Close()
		return fmt.Errorf("send the request: %w", err)
	}
	s.conn, s.ready, s.done = conn, make(chan error, 1), make(chan struct{})
	go s.read(conn)
	timer := time.NewTimer(greetTime)
	defer timer.Stop()
	select {
	case err = <-s.ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("no greeting within %v", greetTime)
	}
	if err != nil {
		s.close()
	}
	return err
}

// read owns the books until the connection ends.
func (s *subscriber) read(conn *net.TCPConn) {
	defer close(s.done)
	err := s.fleet.pump.Run(conn, s.take)
	_ = conn.Close() // nothing is lost with it
	switch {
	case !s.greeted:
		s.ready <- err
	case !s.leaving.Load():
		s.fleet.tally.Load().cut.Add(1)
		s.fleet.firstCut.CompareAndSwap(nil, &err)
	}
}

// close ends the connection and waits until the books rest.
func (s *subscriber) close() {
	if s.conn == nil {
		return
	}
	s.leaving.Store(true)
	s.release()
	_ = s.conn.Close()
	<-s.done
	s.conn = nil
}

// stall makes the subscriber stop reading; release lets it go on.
func (s *subscriber) stall() {
	gate := make(chan struct{})
	s.gate.Store(&gate)
}

func (s *subscriber) release() {
	if gate := s.gate.Swap(nil); gate != nil {
		close(*gate)
	}
}

// take reads one piece off the connection.
func (s *subscriber) take(piece []byte) error {
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
	s.now = s.fleet.Now()
	err := s.parse(piece)
	if s.fresh > 0 {
		s.round.delivered.Add(s.fresh)
		s.round.reads.Add(1)
		s.round.last.Store(int64(s.now))
		s.fresh = 0
	}
	return err
}

func (s *subscriber) parse(piece []byte) error {
	if s.decoder == nil {
		rest, done, err := s.head.take(piece)
		if err != nil || !done {
			return err
		}
		if s.decoder, err = s.head.decoder(s.fleet.cfg.Transport, s.key, rest); err != nil {
			return err
		}
		s.head.text = nil
		piece = rest
	}
	return s.decoder.decode(piece, s)
}

// message implements inbox.
func (s *subscriber) message(cursor, body []byte) error {
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

// reply implements inbox.
func (s *subscriber) reply(b []byte) error {
	if _, err := s.conn.Write(b); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}

// control takes a message that is no event of ours.
func (s *subscriber) control(body []byte) error {
	switch {
	case bytes.Contains(body, []byte("tidings.hello")):
		if !s.greeted {
			s.greeted = true
			s.ready <- nil
		}
	case bytes.Contains(body, []byte("tidings.gap")):
		s.fleet.tally.Load().gaps.Add(1)
	case bytes.Contains(body, []byte("tidings.bye")):
		return fmt.Errorf("%w: %s", errBye, bytes.TrimSpace(body))
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
