package tail

import (
	"errors"

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

// View reads the frames of a set of topics and patterns. Make one with Join; it
// must be left.
type View struct {
	t         *Tail
	reader    Reader
	interests []*Interest
	seats     []*seat
	rest      [][]*Frame // scratch of Read: what each interest still has
	offered   uint64     // guarded by Tail.offering: the last ephemeral frame it got
}

// Join makes a view of the patterns and wakes r from now on. Equal patterns must
// be given once.
func (t *Tail) Join(r Reader, patterns []subject.Pattern) *View {
	v := &View{t: t, reader: r, interests: make([]*Interest, len(patterns)), seats: make([]*seat, len(patterns))}
	t.mu.Lock()
	for n, p := range patterns {
		v.interests[n] = t.join(p)
	}
	t.mu.Unlock()
	for n, i := range v.interests {
		v.seats[n] = i.sit(v)
	}
	return v
}

// Leave ends the view. Its reader is not called after Leave returns.
func (v *View) Leave() {
	for n, i := range v.interests {
		i.leave(v.seats[n])
	}
	v.t.mu.Lock()
	defer v.t.mu.Unlock()
	for _, i := range v.interests {
		i.views--
		v.t.release(i)
	}
}

// Read fills buf with the frames after a position, in stream order, and returns
// how many there were and the position reached: that of the last frame if buf is
// full, else the head of the log. Errors are ErrBehind and ErrEpoch. A position
// beyond the head reads nothing and stays; so does any with an empty buf.
func (v *View) Read(after event.Cursor, buf []*Frame) (int, event.Cursor, error) {
	t := v.t
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
	v.rest = v.rest[:0]
	for _, i := range v.interests {
		if i.frames.last() > after.Seq {
			v.rest = append(v.rest, i.frames.after(after.Seq))
		}
	}
	n := merge(v.rest, buf)
	clear(v.rest) // keep no dropped frame alive
	if n == len(buf) {
		return n, event.Cursor{Epoch: t.epoch, Seq: buf[n-1].Seq}, nil
	}
	return n, event.Cursor{Epoch: t.epoch, Seq: t.head}, nil
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
