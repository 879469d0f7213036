// Package slots maps numbers that others remember to what they stand for. A number
// such as a descriptor's comes back soon after it was given up; the pair of an index
// and a generation never does, so that a late event cannot reach a newcomer.
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
	value      T
	generation uint32
}

// Put stores a value and returns how to find it again.
func (t *Table[T]) Put(value T) (index, generation uint32) {
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

// Set replaces the value at an index that Put returned and that was not dropped.
func (t *Table[T]) Set(index uint32, value T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list[index].value = value
}

// Drop forgets the value at an index.
func (t *Table[T]) Drop(index uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var none T
	t.list[index].value = none
	t.list[index].generation++
	t.free = append(t.free, index)
}

// At returns the value of an index and generation, the zero T if it was dropped.
func (t *Table[T]) At(index, generation uint32) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(index) < len(t.list) && t.list[index].generation == generation {
		return t.list[index].value
	}
	var none T
	return none
}

// Now returns the value that an index has now, the zero T if it has none.
func (t *Table[T]) Now(index uint32) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(index) < int64(len(t.list)) {
		return t.list[index].value
	}
	var none T
	return none
}
