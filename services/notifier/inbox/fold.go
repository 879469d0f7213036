package inbox

import (
	"slices"
	"time"
)

const (
	// DefaultPage is how many entries a page has if nobody says how many.
	DefaultPage = 50
	// MaxPage is how many entries a page has at most: a whole inbox, if they are short.
	MaxPage = MaxPerUser
	// MaxPageBytes bounds the JSON of a page's entries, in bytes. With the longest state
	// it is half of what a message of NATS carries. A page has one entry even if that is
	// longer, which no item is that a Store has put.
	MaxPageBytes = 400 << 10
)

// View is an inbox as a person sees it at one moment.
type View struct {
	// State is what it was derived from.
	State State
	// Unread counts the items that are neither read nor archived, and do not sleep.
	// Unseen counts those of them that came after the last that was seen.
	Unread, Unseen int
	// Entries are all items that neither have expired nor are replaced, the newest first.
	Entries []Entry
	// Missing are ids that a change named and that are not in the inbox.
	Missing []string
	// Snoozed are the items that a change has put to sleep, to be woken in time.
	Snoozed []Snooze
}

// Entry is an item with what was done with it.
type Entry struct {
	Item
	Read     bool `json:"read"`
	Seen     bool `json:"seen"`
	Archived bool `json:"archived"`
	// SnoozedUntil is when it wakes up, zero if it is awake.
	SnoozedUntil time.Time `json:"snoozed_until,omitzero"`
}

// unread reports whether it counts.
func (e Entry) unread() bool { return !e.Read && !e.Archived && e.SnoozedUntil.IsZero() }

// size returns how many bytes it takes in a page: as JSON without escapes for HTML, as
// answers are written (package mesh), and a comma.
func (e Entry) size() int {
	data, err := encode(e)
	if err != nil {
		return MaxPageBytes // none that was read from a store; it must not hide others
	}
	return len(data) + 1
}

// Fold derives a View. Of items with the same number it takes the first; their order
// does not matter.
func Fold(items []Item, state State, now time.Time) View {
	items = ordered(items)
	v := View{State: state.filled(), Entries: make([]Entry, 0, len(items))}
	var replaced map[string]bool // the collapse keys met so far
	for _, i := range slices.Backward(items) {
		if i.Collapse != "" {
			if replaced[i.Collapse] {
				continue
			}
			if replaced == nil {
				replaced = map[string]bool{}
			}
			replaced[i.Collapse] = true
		}
		if i.expired(now) {
			continue
		}
		e := Entry{Item: i, Read: state.read(i.N), Seen: i.N <= state.SeenTo, Archived: has(state.Archived, i.N)}
		if until := state.until(i.N); until.After(now) {
			e.SnoozedUntil = until
		}
		if e.unread() {
			v.Unread++
			if !e.Seen {
				v.Unseen++
			}
		}
		v.Entries = append(v.Entries, e)
	}
	return v
}

// Filter selects entries by what was done with them.
type Filter string

// The filters.
const (
	// FilterInbox is the usual one: not archived, not asleep.
	FilterInbox Filter = ""
	// FilterUnread selects what View.Unread counts.
	FilterUnread Filter = "unread"
	// FilterArchived selects what was put away.
	FilterArchived Filter = "archived"
	// FilterSnoozed selects what sleeps.
	FilterSnoozed Filter = "snoozed"
	// FilterAll selects everything. It is what somebody needs who folds on.
	FilterAll Filter = "all"
)

// Known reports whether it is one of the filters.
func (f Filter) Known() bool {
	return slices.Contains([]Filter{FilterInbox, FilterUnread, FilterArchived, FilterSnoozed, FilterAll}, f)
}

func (f Filter) selects(e Entry) bool {
	switch f {
	case FilterUnread:
		return e.unread()
	case FilterArchived:
		return e.Archived
	case FilterSnoozed:
		return !e.SnoozedUntil.IsZero()
	case FilterAll:
		return true
	default:
		return !e.Archived && e.SnoozedUntil.IsZero()
	}
}

// Query selects a page.
type Query struct {
	// Limit is the most entries wanted, 0 for DefaultPage; at most MaxPage.
	Limit int
	// Before selects items with lower numbers, 0 for all: it is Page.Next of the page
	// before.
	Before int64
	// Category selects items of one category, "" of all.
	Category string
	// Filter selects by what was done with them.
	Filter Filter
}

// Page is some entries, the newest first.
type Page struct {
	// Entries may be fewer than the limit although more follow.
	Entries []Entry
	// Next is Before of the next page, 0 if this is the last.
	Next int64
}

// Page selects entries of the view, as many as were asked for and MaxPageBytes hold.
func (v View) Page(q Query) Page {
	limit := min(q.Limit, MaxPage)
	if limit <= 0 {
		limit = DefaultPage
	}
	p := Page{Entries: []Entry{}}
	room := MaxPageBytes
	for _, e := range v.Entries {
		if q.Before > 0 && e.N >= q.Before || q.Category != "" && e.Category != q.Category || !q.Filter.selects(e) {
			continue
		}
		room -= e.size()
		if n := len(p.Entries); n == limit || n > 0 && room < 0 {
			p.Next = p.Entries[n-1].N
			break
		}
		p.Entries = append(p.Entries, e)
	}
	return p
}
