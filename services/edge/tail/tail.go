package tail

import (
	"slices"
	"sync"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// DefaultBytes holds about two minutes of 2,000 events of 200 B a second: longer
// than browsers take to come back after a deploy.
const DefaultBytes = 64 << 20

// indexSlot is what one more pattern that selects a frame costs.
const indexSlot = 8

// Tail is the recent past of the log. Make one with New.
type Tail struct {
	limit int64

	mu        sync.RWMutex
	epoch     string // "" until the first Reset
	start     uint64 // everything after start up to head is held
	head      uint64 // the last sequence seen
	size      int64
	frames    queue
	interests map[subject.Pattern]*Interest
	wild      []*Interest // those of interests that are patterns

	woken []*Interest // owned by the follower: who to wake, reused

	announced uint64 // see Announced; guarded by mu

	offering sync.Mutex // held while an ephemeral frame is handed over
}

// New returns an empty tail that holds about limit bytes.
func New(limit int64) *Tail {
	return &Tail{limit: limit, interests: map[subject.Pattern]*Interest{}}
}

// Extent is what a tail holds.
type Extent struct {
	Epoch string // "" before the log was reached for the first time
	// Start is the position after which everything is held; Head is the last
	// sequence seen.
	Start, Head uint64
	Frames      int
	Bytes       int64
	Topics      int // topics and patterns in the index
}

// Extent returns what the tail holds now.
func (t *Tail) Extent() Extent {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return Extent{t.epoch, t.start, t.head, t.frames.len(), t.size, len(t.interests)}
}

// Reset empties the tail: the log goes on after another position, or has dropped
// something before that one. Readers are woken and find out when they read.
func (t *Tail) Reset(start event.Cursor) {
	t.mu.Lock()
	t.epoch, t.start, t.head, t.size, t.frames = start.Epoch, start.Seq, start.Seq, 0, queue{}
	t.announced = 0 // of the new epoch nothing yet
	all := make([]*Interest, 0, len(t.interests))
	for p, i := range t.interests {
		i.frames, i.newest = queue{}, 0
		if i.seats == 0 {
			delete(t.interests, p)
			continue
		}
		all = append(all, i)
	}
	t.mu.Unlock()
	for _, i := range all {
		i.wake(nil)
	}
	t.announce(start.Seq)
}

// Skip notes that the log has an entry that is nobody's event.
func (t *Tail) Skip(seq uint64) {
	t.mu.Lock()
	t.head, t.announced = seq, seq
	t.mu.Unlock()
}

// Append adds the newest frame, drops the oldest ones over the limit, and wakes
// the readers of its topic and of the patterns that select it.
func (t *Tail) Append(f *Frame) {
	t.mu.Lock()
	i := t.topic(f.Topic)
	if i.frames.len() == 0 {
		t.size += topicOverhead
	}
	t.frames.push(f)
	i.push(f)
	t.size += f.cost()
	for _, w := range i.wild {
		w.push(f)
		t.size += indexSlot
	}
	t.head = f.Seq
	t.woken = append(append(t.woken[:0], i), i.wild...)
	for t.size > t.limit && t.frames.len() > 1 {
		t.drop()
	}
	t.mu.Unlock()
	for _, i := range t.woken {
		i.wake(f)
	}
	t.announce(f.Seq)
}

// drop forgets the oldest frame.
func (t *Tail) drop() {
	f := t.frames.pop()
	i := t.interests[subject.Pattern(f.Topic)]
	i.frames.pop()
	t.size -= f.cost()
	if i.frames.len() == 0 {
		t.size -= topicOverhead
	}
	for _, w := range i.wild {
		w.frames.pop()
		t.size -= indexSlot
	}
	t.start = f.Seq
	t.release(i)
}

// Offer hands an ephemeral frame to the readers of its topic, once to each view
// even if several of its patterns select the topic.
func (t *Tail) Offer(f *Frame) {
	t.offering.Lock()
	defer t.offering.Unlock()
	t.mu.RLock()
	var list []*Interest
	if i := t.interests[subject.Pattern(f.Topic)]; i != nil {
		list = append(append(list, i), i.wild...)
	} else {
		for _, w := range t.wild {
			if w.pattern.Match(f.Topic) {
				list = append(list, w)
			}
		}
	}
	t.mu.RUnlock()
	for _, i := range list {
		i.offer(f)
	}
}

// Announced returns the position up to which every reader has been woken. A reader
// that has worked through what it was told by then may count itself as having seen
// everything up to there.
func (t *Tail) Announced() event.Cursor {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return event.Cursor{Epoch: t.epoch, Seq: t.announced}
}

func (t *Tail) announce(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.announced = seq
}

// Last returns the position before the last n frames p selects, n being at least 1.
// It returns false when the tail holds fewer, or has no index for p.
func (t *Tail) Last(p subject.Pattern, n int) (uint64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := t.interests[p]
	if i == nil || n < 1 || i.frames.len() < n {
		return 0, false
	}
	list := i.frames.all()
	return list[len(list)-n].Seq - 1, true
}

// topic returns the interest of a topic, made if needed.
func (t *Tail) topic(topic subject.Topic) *Interest {
	p := subject.Pattern(topic)
	i := t.interests[p]
	if i == nil {
		i = &Interest{pattern: p}
		t.interests[p] = i
		for _, w := range t.wild {
			if w.pattern.Match(topic) {
				i.wild = append(i.wild, w)
			}
		}
	}
	return i
}

// join returns the interest of a pattern and counts a seat in.
func (t *Tail) join(p subject.Pattern) *Interest {
	if p.Exact() {
		i := t.topic(subject.Topic(p))
		i.seats++
		return i
	}
	i := t.interests[p]
	if i == nil {
		i = &Interest{pattern: p}
		t.interests[p] = i
		t.wild = append(t.wild, i)
		t.fill(i)
	}
	i.seats++
	return i
}

// fill gives a new pattern its place at the topics it selects, and their frames.
func (t *Tail) fill(w *Interest) {
	var list []*Frame
	for p, i := range t.interests {
		if p.Exact() && w.pattern.Covers(p) {
			i.wild = append(i.wild, w)
			list = append(list, i.frames.all()...)
		}
	}
	slices.SortFunc(list, func(a, b *Frame) int {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	})
	w.frames.list = list
	w.newest = w.frames.last()
	t.size += indexSlot * int64(len(list))
}

// release removes an interest nobody needs any more.
func (t *Tail) release(i *Interest) {
	if i.seats > 0 || i.pattern.Exact() && i.frames.len() > 0 {
		return
	}
	delete(t.interests, i.pattern)
	if i.pattern.Exact() {
		return
	}
	same := func(w *Interest) bool { return w == i }
	t.size -= indexSlot * int64(i.frames.len())
	t.wild = slices.DeleteFunc(t.wild, same)
	for p, topic := range t.interests {
		if p.Exact() {
			topic.wild = slices.DeleteFunc(topic.wild, same)
		}
	}
}
