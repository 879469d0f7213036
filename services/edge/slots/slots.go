// Package slots maps numbers that the kernel remembers to what they stand for. A
// descriptor's number comes back soon after it is closed; the pair of an index and
// a generation never does, so that a late event cannot reach a newcomer.
package slots

import "sync"

// Table holds values by index and generation. The zero Table is empty and safe for
// concurrent use.
type Table[T any] struct {
	mu   sync.Mutex
	list []slot[T]
	free []uint32
}

type slot[T any] struct {
	value      *T
	generation uint32
}

// Put stores a value and returns how to find it again.
func (t *Table[T]) Put(value *T) (index, generation uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		index, t.free = t.free[n-1], t.free[:n-1]
	} else {
		index = uint32(len(t.list))
		t.list = append(t.list, slot[T]{})
	}
	t.list[index].value = value
	return index, t.list[index].generation
}

// Drop forgets the value at an index.
func (t *Table[T]) Drop(index uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list[index].value = nil
	t.list[index].generation++
	t.free = append(t.free, index)
}

// At returns the value of an index and generation, nil if it was dropped.
func (t *Table[T]) At(index, generation uint32) *T {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(index) < len(t.list) && t.list[index].generation == generation {
		return t.list[index].value
	}
	return nil
}
