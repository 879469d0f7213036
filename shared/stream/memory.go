package stream

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Memory is a Log in this process's memory, for tests and for trying things. It
// keeps the same promises as the NATS log, except the one across restarts.
type Memory struct {
	perTopic int

	mu      sync.Mutex
	epoch   string
	last    uint64
	entries []Entry           // in order; sequences have holes after trimming
	dropped map[uint64]string // sequence → topic of what perTopic dropped
	counts  map[string]int    // entries held per topic
	keys    map[string]uint64 // key → sequence
	away    bool
	changed chan struct{} // closed and replaced whenever anything above changes
}

// NewMemory returns an empty log that keeps the newest perTopic events of each
// topic; 0 keeps all.
func NewMemory(perTopic int) *Memory {
	m := &Memory{perTopic: perTopic, changed: make(chan struct{})}
	m.reset()
	return m
}

// newEpoch makes a random epoch: 60 bits are plenty to never meet twice.
func newEpoch() string { return rand.Text()[:12] }

func (m *Memory) reset() {
	m.epoch, m.last, m.entries = newEpoch(), 0, nil
	m.dropped, m.counts, m.keys = map[uint64]string{}, map[string]int{}, map[string]uint64{}
}

// Recreate throws everything away and begins a new epoch, as deleting a stream does.
func (m *Memory) Recreate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset()
	m.wake()
}

// SetAway makes every call fail with ErrUnavailable until it is called with false.
func (m *Memory) SetAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
	m.wake()
}

func (m *Memory) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Append implements Log.
func (m *Memory) Append(ctx context.Context, ev event.Event, key string) (Ack, error) {
	if err := ctx.Err(); err != nil {
		return Ack{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return Ack{}, ErrUnavailable
	}
	if len(ev.Data) > event.MaxData {
		return Ack{}, ErrTooLarge
	}
	if seq, ok := m.keys[key]; ok && key != "" {
		return Ack{Cursor: event.Cursor{Epoch: m.epoch, Seq: seq}, Duplicate: true}, nil
	}
	m.last++
	if key != "" {
		m.keys[key] = m.last
	}
	// What is stored is what a NATS message would carry, so that both homes lose
	// the same (a time zone, say) on the way.
	stored := event.FromMessage(ev.Topic, ev.Header(), slices.Clone(ev.Data), time.Now())
	m.entries = append(m.entries, Entry{Seq: m.last, Event: stored})
	m.trim(string(ev.Topic))
	m.wake()
	return Ack{Cursor: event.Cursor{Epoch: m.epoch, Seq: m.last}}, nil
}

// Canary stores an entry that every follower sees as Entry.Canary and no topic
// selects, like NATS.Canary.
func (m *Memory) Canary(_ context.Context, _ string, payload []byte) (Ack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return Ack{}, ErrUnavailable
	}
	m.last++
	m.entries = append(m.entries, Entry{Seq: m.last, Canary: slices.Clone(payload)})
	m.wake()
	return Ack{Cursor: event.Cursor{Epoch: m.epoch, Seq: m.last}}, nil
}

// trim drops the oldest event of a topic that is over its limit.
func (m *Memory) trim(topic string) {
	m.counts[topic]++
	if m.perTopic == 0 || m.counts[topic] <= m.perTopic {
		return
	}
	i := slices.IndexFunc(m.entries, func(e Entry) bool { return string(e.Event.Topic) == topic })
	m.dropped[m.entries[i].Seq] = topic
	m.entries = slices.Delete(m.entries, i, i+1)
	m.counts[topic]--
}

// Follow implements Log.
func (m *Memory) Follow(ctx context.Context, after event.Cursor, h Handler) error {
	at, started, healthy := after, false, false
	for {
		m.mu.Lock()
		changed, away, epoch := m.changed, m.away, m.epoch
		var batch []Entry
		if !away {
			if epoch != at.Epoch {
				at, started = event.Cursor{Epoch: epoch}, false
			}
			batch = slices.Clone(m.entries[m.search(at.Seq):])
		}
		m.mu.Unlock()
		switch {
		case away:
			healthy = false
			h.Health(0, ErrUnavailable)
		default:
			if !started {
				started = true
				h.Epoch(at)
			}
			for _, e := range batch {
				h.Entry(e)
				at.Seq = e.Seq
			}
			if !healthy || len(batch) > 0 {
				healthy = true
				h.Health(0, nil)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// search returns the index of the first entry after seq.
func (m *Memory) search(seq uint64) int {
	i, _ := slices.BinarySearchFunc(m.entries, seq+1, func(e Entry, s uint64) int {
		switch {
		case e.Seq < s:
			return -1
		case e.Seq > s:
			return 1
		}
		return 0
	})
	return i
}

// Range implements Log.
func (m *Memory) Range(ctx context.Context, q Query) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return Page{}, ErrUnavailable
	}
	p := Page{Next: event.Cursor{Epoch: m.epoch, Seq: m.last}}
	after := q.After.Seq
	if q.After.Epoch != "" && q.After.Epoch != m.epoch {
		after, p.Gone = 0, true
	}
	if q.Last > 0 {
		after = m.lastBefore(q)
	} else {
		p.Gone = p.Gone || m.gone(q, after)
	}
	bytes := 0
	for _, e := range m.entries[m.search(after):] {
		if e.Event.Topic == "" || !q.Pattern.Match(e.Event.Topic) {
			continue
		}
		if len(p.Entries) == q.limit() || bytes >= q.bytes() {
			p.More = true
			p.Next.Seq = p.Entries[len(p.Entries)-1].Seq
			break
		}
		p.Entries = append(p.Entries, e)
		bytes += len(e.Event.Data)
	}
	return p, nil
}

// lastBefore returns the position before the last q.Last matches.
func (m *Memory) lastBefore(q Query) uint64 {
	want := min(q.Last, MaxPage)
	for _, e := range slices.Backward(m.entries) {
		if e.Event.Topic != "" && q.Pattern.Match(e.Event.Topic) {
			if want == 0 {
				return e.Seq
			}
			want--
		}
	}
	return 0
}

func (m *Memory) gone(q Query, after uint64) bool {
	for seq, topic := range m.dropped {
		if seq > after && q.Pattern.Match(subject.Topic(topic)) {
			return true
		}
	}
	return false
}

// Epoch implements Log.
func (m *Memory) Epoch(ctx context.Context) (Extent, error) {
	if err := ctx.Err(); err != nil {
		return Extent{}, fmt.Errorf("epoch: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return Extent{}, ErrUnavailable
	}
	x := Extent{Epoch: m.epoch, First: m.last + 1, Last: m.last, Messages: uint64(len(m.entries))}
	if len(m.entries) > 0 {
		x.First = m.entries[0].Seq
	}
	for _, e := range m.entries {
		x.Bytes += uint64(len(e.Event.Data))
	}
	return x, nil
}
