package planner

// heap is a list whose least element comes out first. It is container/heap without an
// allocation per element: what is in it by the hundred thousand is two words long.
type heap[T any] struct {
	list []T
	less func(a, b T) bool
}

// order makes a heap of what the list holds.
func (h *heap[T]) order() {
	for i := len(h.list)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *heap[T]) push(v T) {
	h.list = append(h.list, v)
	for i := len(h.list) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.less(h.list[i], h.list[parent]) {
			return
		}
		h.list[i], h.list[parent] = h.list[parent], h.list[i]
		i = parent
	}
}

// pop takes the least element out. The heap must not be empty.
func (h *heap[T]) pop() T {
	least, end := h.list[0], len(h.list)-1
	h.list[0] = h.list[end]
	clear(h.list[end:])
	h.list = h.list[:end]
	h.down(0)
	return least
}

func (h *heap[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.list); child++ {
			if h.less(h.list[child], h.list[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.list[i], h.list[least] = h.list[least], h.list[i]
		i = least
	}
}
