package churn

import (
	"bytes"
	"errors"
	"fmt"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/protocol"
	"tidings/shared/event"
)

// maxMissing bounds how many events of a hole are remembered by their numbers, in case
// they come later. Those beyond count as lost, and again if they come.
const maxMissing = 1 << 16

// errBye says that the server ended the stream in its own words.
var errBye = errors.New("the server said goodbye")

// books are what one visitor was sent, over all its connections.
type books struct {
	lane   lane
	began  event.Cursor // the first greeting's
	cursor event.Cursor // of the last message that had one
	resume []byte       // its text, with which to come back

	got         uint64
	first, next uint32              // of the lane: everything from first to before next came
	missing     map[uint32]struct{} // but for these
	forgotten   uint64              // and for so many more

	doubled, disordered, strays, gaps uint64
	gap                               error // what the first gap was
}

// message enters one message.
func (b *books) message(coder load.Coder, cursor, body []byte) (load.Stamp, bool, error) {
	var at event.Cursor
	if len(cursor) > 0 {
		var err error
		if at, err = event.ParseCursor(string(cursor)); err != nil {
			return load.Stamp{}, false, fmt.Errorf("%w: %w", protocol.ErrBroken, err)
		}
	}
	stamp, ok := coder.Find(body)
	if ok {
		b.event(stamp.Seq, at)
	} else if err := b.control(body, at); err != nil {
		return stamp, false, err
	}
	if at.Epoch != "" {
		if at.Epoch != b.cursor.Epoch && b.cursor.Epoch != "" {
			b.lack(fmt.Errorf("at %s: another log, %s", b.cursor, cursor)) // what was in the old one is gone
		}
		b.cursor, b.resume = at, append(b.resume[:0], cursor...)
	}
	return stamp, ok, nil
}

// control takes a message that is no event of ours.
func (b *books) control(body []byte, at event.Cursor) error {
	switch protocol.ControlOf(body) {
	case protocol.Hello:
		if at.Epoch == "" {
			return fmt.Errorf("%w: a greeting without a cursor", protocol.ErrBroken)
		}
		if b.began.Epoch == "" {
			b.began = at
		}
	case protocol.Gap:
		b.lack(fmt.Errorf("at %s: %s", b.cursor, bytes.TrimSpace(body)))
	case protocol.Bye:
		return fmt.Errorf("%w: %s", errBye, bytes.TrimSpace(body))
	case protocol.None: // a heartbeat, or tidings.live
	}
	return nil
}

// lack enters a gap.
func (b *books) lack(gap error) {
	if b.gaps++; b.gap == nil {
		b.gap = gap
	}
}

// event enters one event.
func (b *books) event(n uint32, at event.Cursor) {
	if !b.lane.holds(n) {
		b.strays++
		return
	}
	_, late := b.missing[n]
	switch {
	case b.got == 0:
		b.first, b.next = n, n
	case late:
		delete(b.missing, n)
		b.disordered++
		b.got++
		return
	case n < b.first: // before the first one, after it
		b.disordered++
		b.miss(n+b.lane.stride, b.first)
		b.first = n
		b.got++
		return
	case n < b.next:
		b.doubled++
		return
	case at.Seq <= b.cursor.Seq:
		b.disordered++ // a new event with an old cursor: who resumes there gets it again
	}
	b.miss(b.next, n)
	b.next = n + b.lane.stride
	b.got++
}

// miss enters a hole.
func (b *books) miss(from, to uint32) {
	for n := from; n < to; n += b.lane.stride {
		if len(b.missing) == maxMissing {
			b.forgotten += b.lane.count(n, to)
			return
		}
		if b.missing == nil {
			b.missing = map[uint32]struct{}{}
		}
		b.missing[n] = struct{}{}
	}
}

// settle compares the books with the ledger. stayed says that the visitor was there
// to the end, so that it should have the last event.
func (b *books) settle(l *Ledger, stayed bool) load.Counts {
	from, to := l.behind(b.began.Seq), l.behind(b.cursor.Seq)
	if stayed {
		to = l.published
	}
	if b.began.Epoch == "" { // it was never greeted
		return load.Counts{}
	}
	c := load.Counts{
		Expected: b.lane.count(from, to), Doubled: b.doubled, Disordered: b.disordered, Strays: b.strays, Gaps: b.gaps,
	}
	outside := uint64(0) // what came although it is not within from and to
	if b.got > 0 {
		outside = b.lane.count(b.first, min(from, b.next)) + b.lane.count(max(to, b.first), b.next)
		for n := range b.missing {
			if n < from || n >= to {
				outside--
			}
		}
	}
	outside = min(outside, b.got) // those forgotten are in neither
	c.Strays += outside
	c.Delivered = b.got - outside
	c.Lost = c.Expected - min(c.Delivered, c.Expected)
	return c
}
