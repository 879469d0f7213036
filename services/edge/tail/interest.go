package tail

import (
	"slices"
	"sync"

	"tidings/shared/subject"
)

// Reader is who wants to know that something is there to read. Its methods are
// called from the follower's goroutine and must not block.
type Reader interface {
	// Wake says that View.Read may now return something.
	Wake()
	// Offer hands over an ephemeral frame. A reader that is busy drops it.
	Offer(f *Frame)
}

// Interest is everything the tail knows about one topic or pattern.
type Interest struct {
	pattern subject.Pattern

	// Guarded by Tail.mu.
	frames queue
	wild   []*Interest // of a topic: the patterns that select it
	views  int         // views that read this interest

	// Guarded by mu, not by Tail.mu: waking many readers must not keep others from
	// reading or the log from going on.
	mu      sync.Mutex
	readers []*seat
}

// seat is a view's place in an interest; index makes leaving cheap.
type seat struct {
	view  *View
	index int
}

func (i *Interest) sit(v *View) *seat {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := &seat{view: v, index: len(i.readers)}
	i.readers = append(i.readers, s)
	return s
}

func (i *Interest) leave(s *seat) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.readers) - 1
	moved := i.readers[n]
	i.readers[s.index], moved.index = moved, s.index
	i.readers[n] = nil
	i.readers = i.readers[:n]
	if n < cap(i.readers)/4 {
		i.readers = slices.Clip(slices.Clone(i.readers)) // a room that emptied gives its memory back
	}
}

// wake tells every reader that there is something to read.
func (i *Interest) wake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.readers {
		s.view.reader.Wake()
	}
}

// offer hands an ephemeral frame to every reader whose view did not get it yet.
// number is the frame's; the caller holds Tail.offering.
func (i *Interest) offer(f *Frame, number uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.readers {
		if v := s.view; v.offered != number {
			v.offered = number
			v.reader.Offer(f)
		}
	}
}
