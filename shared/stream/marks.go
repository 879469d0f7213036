package stream

import (
	"sort"
	"sync"
	"time"
)

const (
	// markEvery is the distance of two marks.
	markEvery = time.Minute
	// maxMarks bounds them: at one a minute, more than a day and a half.
	maxMarks = 2048
)

// marks remembers roughly when sequences were stored, so that "the first events
// are gone" can be told apart from "the first events of some noisy topic are
// gone": what was stored less than the log's age ago cannot have died of age.
type marks struct {
	mu   sync.Mutex
	list []mark // ascending
}

type mark struct {
	seq uint64
	at  time.Time
}

// add notes that seq was stored at the time given.
func (m *marks) add(seq uint64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.list); n > 0 && (seq <= m.list[n-1].seq || at.Sub(m.list[n-1].at) < markEvery) {
		return
	}
	if len(m.list) == maxMarks {
		m.list = append(m.list[:0], m.list[1:]...)
	}
	m.list = append(m.list, mark{seq, at})
}

// reset forgets everything: the log is another one.
func (m *marks) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = nil
}

// since returns a time at or before which everything after seq was not yet
// stored, or false if that is not known.
func (m *marks) since(seq uint64) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := sort.Search(len(m.list), func(i int) bool { return m.list[i].seq > seq })
	if i == 0 {
		return time.Time{}, false
	}
	return m.list[i-1].at, true
}
