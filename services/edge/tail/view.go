package tail

import (
	"errors"
	"slices"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Reasons why a position cannot be read from the tail.
var (
	// ErrBehind: the position is older than what is held; read on from the stream.
	ErrBehind = errors.New("the position is behind the tail")
	// ErrEpoch: the position belongs to another log.
	ErrEpoch = errors.New("the position belongs to another log")
)

// Seat is a reader's place at one topic or pattern. Make one with Sit; it must be
// left.
type Seat struct {
	t        *Tail
	interest *Interest
	reader   Reader
	index    int // in Interest.readers; makes leaving cheap
	stands   int // for how many connections
}

// Sit wakes r for the topics of a pattern from now on.
func (t *Tail) Sit(r Reader, p subject.Pattern) *Seat {
	t.mu.Lock()
	s := &Seat{t: t, interest: t.join(p), reader: r}
	t.mu.Unlock()
	s.interest.sit(s)
	s.StandFor(1)
	return s
}

// StandFor says for how many connections the reader has the seat, one unless told. It
// belongs to whoever has the seat.
func (s *Seat) StandFor(n int) {
	s.interest.subscribers.Add(int32(n - s.stands))
	s.stands = n
}

// Leave gives the place up. The reader is not called after Leave returns.
func (s *Seat) Leave() {
	s.StandFor(0)
	s.interest.leave(s)
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.interest.seats--
	s.t.release(s.interest)
}

// View is a set of seats of one reader, which gets an ephemeral frame once even if
// several of its patterns select it. Make one with Join; it must be left.
type View struct {
	t       *Tail
	reader  Reader
	seats   []*Seat
	offered *Frame // the last ephemeral frame; guarded by Tail.offering
}

// Join takes a seat for each of the patterns. Equal patterns must be given once.
func (t *Tail) Join(r Reader, patterns []subject.Pattern) *View {
	v := &View{t: t, reader: r, seats: make([]*Seat, len(patterns))}
	for n, p := range patterns {
		v.seats[n] = t.Sit(v, p)
	}
	return v
}

// Add takes a seat for one more pattern, which the view does not have yet. Like Drop
// and Read it is called from the goroutine that reads.
func (v *View) Add(p subject.Pattern) { v.seats = append(v.seats, v.t.Sit(v, p)) }

// Drop gives the seat of a pattern up.
func (v *View) Drop(p subject.Pattern) {
	v.seats = slices.DeleteFunc(v.seats, func(s *Seat) bool {
		if s.interest.pattern != p {
			return false
		}
		s.Leave()
		return true
	})
}

// Wake implements Reader for the seats.
func (v *View) Wake(f *Frame) { v.reader.Wake(f) }

// Offer implements Reader for the seats.
func (v *View) Offer(f *Frame) {
	if v.offered != f {
		v.offered = f
		v.reader.Offer(f)
	}
}

// Leave gives all seats up.
func (v *View) Leave() {
	for _, s := range v.seats {
		s.Leave()
	}
}

// Read is Tail.Read of all seats.
func (v *View) Read(after event.Cursor, buf []*Frame) (int, event.Cursor, error) {
	return v.t.Read(after, buf, v.seats...)
}

// Read fills buf with the frames of the seats' topics after a position, in stream
// order and each once, and returns how many there were and the position reached:
// that of the last frame if buf is full, else the head of the log. Errors are
// ErrBehind and ErrEpoch. A position beyond the head reads nothing and stays; so does
// any with an empty buf.
func (t *Tail) Read(after event.Cursor, buf []*Frame, seats ...*Seat) (int, event.Cursor, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch {
	case after.Epoch != t.epoch:
		return 0, after, ErrEpoch
	case after.Seq < t.start:
		return 0, after, ErrBehind
	case after.Seq >= t.head, len(buf) == 0:
		return 0, after, nil
	}
	var few [8][]*Frame // enough for most connections without allocating
	rest := few[:0]     // what each interest still has
	for _, s := range seats {
		if i := s.interest; i.frames.last() > after.Seq {
			rest = append(rest, i.frames.after(after.Seq))
		}
	}
	n := merge(rest, buf)
	reached := event.Cursor{Epoch: t.epoch, Seq: t.head}
	if n == len(buf) {
		reached.Seq = buf[n-1].Seq
	}
	return n, reached, nil
}

// merge fills buf with the smallest frames of the lists, each once even if
// several lists hold it, and returns how many there were.
func merge(lists [][]*Frame, buf []*Frame) int {
	if len(lists) == 1 {
		return copy(buf, lists[0])
	}
	n := 0
	for n < len(buf) {
		var least *Frame
		for _, l := range lists {
			if len(l) > 0 && (least == nil || l[0].Seq < least.Seq) {
				least = l[0]
			}
		}
		if least == nil {
			break
		}
		for i, l := range lists {
			if len(l) > 0 && l[0] == least {
				lists[i] = l[1:]
			}
		}
		buf[n] = least
		n++
	}
	return n
}
