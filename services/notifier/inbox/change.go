package inbox

import (
	"errors"
	"slices"
	"time"
)

var (
	// ErrUnknown says that an operation names only ids that are not in the inbox. Errors
	// that wrap it are an *UnknownError.
	ErrUnknown = errors.New("the inbox has no such items")
	// ErrSnoozed says that MaxSnoozed items sleep already.
	ErrSnoozed = errors.New("too many items sleep")
)

// UnknownError names the ids that are not in the inbox, when an operation is about no
// others. If it is, the rest is done and they are View.Missing: they may have fallen out
// of the inbox a moment ago.
type UnknownError struct{ IDs []string }

// Error says so without the ids, which may be many.
func (e *UnknownError) Error() string { return ErrUnknown.Error() }

// Is makes every UnknownError an ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// mark is what was done with one item.
type mark struct {
	read, archived bool
	until          time.Time // zero if it is awake
}

// edit is one change of a state.
type edit struct {
	items  []Item // by number
	old    State
	now    time.Time
	before []mark // of each item, and
	marks  []mark // what they become
	seenTo int64
}

func newEdit(items []Item, old State, now time.Time) *edit {
	e := &edit{items: ordered(items), old: old, now: now, seenTo: old.SeenTo}
	e.before = make([]mark, len(e.items))
	for k, i := range e.items {
		e.before[k] = mark{read: old.read(i.N), archived: has(old.Archived, i.N), until: old.until(i.N)}
	}
	e.marks = slices.Clone(e.before)
	return e
}

// newest returns the number of the last item, 0 if there is none.
func (e *edit) newest() int64 {
	if len(e.items) == 0 {
		return 0
	}
	return e.items[len(e.items)-1].N
}

// do carries an operation out and returns what it put to sleep and which ids are missing.
func (e *edit) do(op Op) (slept []Snooze, missing []string, err error) {
	named := 0
	each := func(ids []string, do func(k int, m *mark)) {
		for at, id := range ids {
			named++
			k := slices.IndexFunc(e.items, func(i Item) bool { return i.ID == id })
			if k < 0 {
				missing = append(missing, id)
				continue
			}
			e.marks[k].until = time.Time{}
			do(at, &e.marks[k])
		}
	}
	if op.ReadAll {
		for k := range e.marks {
			e.marks[k].read = e.marks[k].read || !e.marks[k].until.After(e.now)
		}
	}
	each(op.Read, func(_ int, m *mark) { m.read = true })
	each(op.Unread, func(_ int, m *mark) { m.read = false })
	each(op.Archived, func(_ int, m *mark) { m.archived = true })
	each(op.Unarchived, func(_ int, m *mark) { m.archived = false })
	each(op.sleepers(), func(at int, m *mark) {
		// Whole seconds, and never too early, take the least room in the state.
		if until := op.Snoozed[at].Until.UTC().Add(time.Second - 1).Truncate(time.Second); until.After(e.now) {
			*m = mark{until: until}
		}
	})
	seen := min(op.Seen, e.newest())
	if op.SeenAll {
		seen = e.newest()
	}
	e.seenTo = max(e.seenTo, seen)
	whole := op.ReadAll || op.SeenAll || op.Seen > 0
	if named > 0 && len(missing) == named && !whole {
		return nil, nil, &UnknownError{missing}
	}
	for k, m := range e.marks {
		if m.until.After(e.now) && m != e.before[k] {
			slept = append(slept, Snooze{e.items[k].N, m.until})
		}
	}
	return slept, missing, nil
}

// wake ends the sleep of an item if it is over by some time.
func (e *edit) wake(n int64, by time.Time) {
	for k, i := range e.items {
		if i.N == n && !e.marks[k].until.After(by) {
			e.marks[k].until = time.Time{}
		}
	}
}

// changed reports whether there is anything to store.
func (e *edit) changed() bool { return e.seenTo != e.old.SeenTo || !slices.Equal(e.before, e.marks) }

// state returns the state with as few exceptions as can be. Numbers above the newest
// item are kept as they are: the state may be younger than the items at hand. All others
// that are no item's have fallen out of the inbox and are forgotten.
func (e *edit) state() (State, error) {
	newest := e.newest()
	s := State{Rev: max(e.old.Rev+1, e.now.UnixMicro()), SeenTo: e.seenTo, ReadTo: e.readTo()}
	for k, i := range e.items {
		switch m := e.marks[k]; {
		case i.N > s.ReadTo && m.read:
			s.Read = append(s.Read, i.N)
		case i.N <= s.ReadTo && !m.read:
			s.Unread = append(s.Unread, i.N)
		}
		if e.marks[k].archived {
			s.Archived = append(s.Archived, i.N)
		}
		if e.marks[k].until.After(e.now) {
			s.Snoozed = append(s.Snoozed, Snooze{i.N, e.marks[k].until})
		}
	}
	s.Read = append(s.Read, above(e.old.Read, newest)...)
	s.Unread = append(s.Unread, above(e.old.Unread, newest)...)
	s.Archived = append(s.Archived, above(e.old.Archived, newest)...)
	for _, z := range e.old.Snoozed {
		if z.N > newest && z.Until.After(e.now) {
			s.Snoozed = append(s.Snoozed, z)
		}
	}
	if len(s.Snoozed) > MaxSnoozed && len(s.Snoozed) > len(e.old.Snoozed) {
		return State{}, ErrSnoozed
	}
	return s.filled(), nil
}

// readTo returns the watermark that leaves the fewest exceptions, at most half of the
// items, and of equal ones the highest.
func (e *edit) readTo() int64 {
	if len(e.items) == 0 || e.old.ReadTo > e.newest() {
		return e.old.ReadTo
	}
	exceptions := 0 // of the mark in hand; at first it is below all items
	for _, m := range e.marks {
		if m.read {
			exceptions++
		}
	}
	to, fewest := e.items[0].N-1, exceptions
	for k, m := range e.marks {
		if exceptions++; m.read {
			exceptions -= 2
		}
		if exceptions <= fewest {
			to, fewest = e.items[k].N, exceptions
		}
	}
	return to
}

// above returns the end of a list that is above a number.
func above(list []int64, n int64) []int64 {
	k, _ := slices.BinarySearch(list, n+1)
	return list[k:]
}
