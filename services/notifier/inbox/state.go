package inbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	// maxState bounds a state's JSON in bytes. What is written is far below: about 8 KiB
	// for the worst inbox of MaxPerUser items.
	maxState = 64 << 10
	// MaxSnoozed bounds the items that sleep in one inbox, because each takes more room
	// in the state than any other exception.
	MaxSnoozed = 50
)

// State is what a person did with their items. It is the data of an event of TypeState.
// The lists are in ascending order and hold no number twice.
type State struct {
	// Rev orders the states of a person, 0 is before the first.
	Rev int64 `json:"rev"`
	// SeenTo is the number of the last item that was seen, ReadTo of the last that was
	// read, but for the exceptions.
	SeenTo int64 `json:"seen_to"`
	ReadTo int64 `json:"read_to"`
	// Read are items above ReadTo that were read, Unread those up to it that were not.
	Read   []int64 `json:"read"`
	Unread []int64 `json:"unread"`
	// Archived are items that were put away.
	Archived []int64 `json:"archived"`
	// Snoozed are items that sleep.
	Snoozed []Snooze `json:"snoozed"`
}

// Snooze is an item that sleeps.
type Snooze struct {
	N int64 `json:"n"`
	// Until is when it wakes up, and is unread then.
	Until time.Time `json:"until"`
}

// ParseState reads the data of an event of TypeState. It fails on what no Store writes.
func ParseState(data []byte) (State, error) {
	var s State
	if len(data) > maxState {
		return State{}, fmt.Errorf("%w: over %d bytes", errState, maxState)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("%w: %w", errState, err)
	}
	if !numbers([]int64{s.Rev}) || !numbers([]int64{s.SeenTo}) || !numbers([]int64{s.ReadTo}) ||
		!numbers(s.Read) || !numbers(s.Unread) || !numbers(s.Archived) || !numbers(s.sleepers()) {
		return State{}, fmt.Errorf("%w: its numbers are out of bounds or order", errState)
	}
	return s.filled(), nil
}

// numbers reports whether a list is ascending and within bounds.
func numbers(list []int64) bool {
	for k, n := range list {
		if n < 0 || n > maxNumber || k > 0 && n <= list[k-1] {
			return false
		}
	}
	return true
}

func (s State) sleepers() []int64 {
	list := make([]int64, len(s.Snoozed))
	for k, z := range s.Snoozed {
		list[k] = z.N
	}
	return list
}

// filled makes empty lists of absent ones: clients are told [] and not null.
func (s State) filled() State {
	for _, list := range []*[]int64{&s.Read, &s.Unread, &s.Archived} {
		if *list == nil {
			*list = []int64{}
		}
	}
	if s.Snoozed == nil {
		s.Snoozed = []Snooze{}
	}
	return s
}

// read reports whether an item was read.
func (s State) read(n int64) bool {
	if n <= s.ReadTo {
		return !has(s.Unread, n)
	}
	return has(s.Read, n)
}

// until returns when a sleeping item wakes up, zero if it does not sleep.
func (s State) until(n int64) time.Time {
	k, ok := slices.BinarySearchFunc(s.Snoozed, n, func(z Snooze, n int64) int {
		switch {
		case z.N < n:
			return -1
		case z.N > n:
			return 1
		}
		return 0
	})
	if !ok {
		return time.Time{}
	}
	return s.Snoozed[k].Until
}

func has(list []int64, n int64) bool {
	_, ok := slices.BinarySearch(list, n)
	return ok
}
