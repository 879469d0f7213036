package tail

import "sort"

// queue is a list of frames in ascending order of Seq that grows at the end and
// shrinks at the front. It keeps its array, so a steady tail does not allocate.
type queue struct {
	list []*Frame
	head int // index of the first frame
}

func (q *queue) len() int { return len(q.list) - q.head }

func (q *queue) all() []*Frame { return q.list[q.head:] }

// last returns the sequence of the newest frame, 0 if there is none.
func (q *queue) last() uint64 {
	if q.len() == 0 {
		return 0
	}
	return q.list[len(q.list)-1].Seq
}

func (q *queue) push(f *Frame) {
	// Half of the array is free in front: move down instead of growing.
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, f)
}

func (q *queue) pop() *Frame {
	f := q.list[q.head]
	q.list[q.head] = nil
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
	return f
}

// after returns the frames after a sequence.
func (q *queue) after(seq uint64) []*Frame {
	list := q.all()
	// A reader that keeps up wants the newest frame or none: look there first.
	if n := len(list); n == 0 || list[n-1].Seq <= seq {
		return nil
	} else if n == 1 || list[n-2].Seq <= seq {
		return list[n-1:]
	}
	return list[sort.Search(len(list), func(i int) bool { return list[i].Seq > seq }):]
}
