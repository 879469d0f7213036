package tail

import (
	"slices"
	"sync"
	"sync/atomic"

	"tidings/shared/subject"
)

// Reader is who wants to know that something is there to read. Its methods are
// called from the follower's goroutine and must not block.
type Reader interface {
	// Wake says that View.Read may now return something: f, or, if f is nil, that
	// the reader must look where it stands: the tail was reset.
	Wake(f *Frame)
	// Offer hands over an ephemeral frame. A reader that is busy drops it.
	Offer(f *Frame)
}

// Interest is everything the tail knows about one topic or pattern.
type Interest struct {
	pattern subject.Pattern

	// Guarded by Tail.mu.
	frames queue
	wild   []*Interest // of a topic: the patterns that select it
	seats  int         // seats at this interest
	count  uint64      // frames so far
	newest uint64      // the last one's sequence, even if it is not held any more

	subscribers atomic.Int32 // connections at its seats

	// Guarded by mu, not by Tail.mu: waking many readers must not keep others from
	// reading or the log from going on.
	mu      sync.Mutex
	readers []*Seat
}

// push adds the newest frame.
func (i *Interest) push(f *Frame) {
	i.frames.push(f)
	i.count++
	i.newest = f.Seq
}

func (i *Interest) sit(s *Seat) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s.index = len(i.readers)
	i.readers = append(i.readers, s)
}

func (i *Interest) leave(s *Seat) {
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
func (i *Interest) wake(f *Frame) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.readers {
		s.reader.Wake(f)
	}
}

// offer hands an ephemeral frame to every reader.
func (i *Interest) offer(f *Frame) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.readers {
		s.reader.Offer(f)
	}
}
