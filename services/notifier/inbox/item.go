package inbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	// TypeItem is the type of the event that is an item.
	TypeItem = "inbox.item"
	// TypeState is the type of the event that is a state.
	TypeState = "inbox.state"
	// MaxItem bounds an item's JSON in bytes: the largest that a notification can become,
	// and small enough for an inbox full of them to be read at once.
	MaxItem = 192 << 10
	// maxID bounds an id in bytes: that of a notification.
	maxID = 128
	// maxNumber is the largest number that JavaScript can tell from the next one.
	maxNumber = 1<<53 - 1
)

var (
	// ErrItem says that an item cannot be stored. Errors that wrap it say why.
	ErrItem = errors.New("not an item of an inbox")
	// errState says that bytes are no state.
	errState = errors.New("not the state of an inbox")
)

// Item is one notification in an inbox. It is the data of an event of TypeItem.
type Item struct {
	// N orders the items of a person. Put sets it.
	N int64 `json:"n"`
	// ID is the notification's id. A person has at most one item of it.
	ID string `json:"id"`
	// At is when the notification was made; Put sets it if it is zero.
	At time.Time `json:"at"`
	// Category and Severity are the notification's.
	Category string `json:"category,omitempty"`
	Severity string `json:"severity,omitempty"`
	// Title is one line, Body is plain text.
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	// Actions are the buttons.
	Actions []Action `json:"actions,omitempty"`
	// Data is for the application that shows the item; JSON.
	Data json.RawMessage `json:"data,omitempty"`
	// Collapse names a group of items of which only the latest shows.
	Collapse string `json:"collapse,omitempty"`
	// Expires is when it stops to show, zero for never.
	Expires time.Time `json:"expires,omitzero"`
}

// Action is one button of an item.
type Action struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	URL   string `json:"url,omitempty"`
}

// expired reports whether the item has stopped to show.
func (i Item) expired(now time.Time) bool { return !i.Expires.IsZero() && !i.Expires.After(now) }

// vanishes reports whether the item goes away when it expires. One that replaces others
// must stay, or they would come back.
func (i Item) vanishes() bool { return !i.Expires.IsZero() && i.Collapse == "" }

// ParseItem reads the data of an event of TypeItem. Errors wrap ErrItem. The store keeps
// what anyone stored who may publish to NATS, so what comes of it has to be checked.
func ParseItem(data []byte) (Item, error) {
	var i Item
	if len(data) > MaxItem {
		return Item{}, fmt.Errorf("%w: over %d bytes", ErrItem, MaxItem)
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrItem, err)
	}
	if i.N <= 0 || i.N > maxNumber {
		return Item{}, fmt.Errorf("%w: n is %d", ErrItem, i.N)
	}
	return i, checkID(i.ID)
}

func checkID(id string) error {
	if id == "" || len(id) > maxID || !utf8.ValidString(id) {
		return fmt.Errorf("%w: the id is empty, over %d bytes or no UTF-8", ErrItem, maxID)
	}
	return nil
}

// encode returns the item as JSON.
func (i Item) encode() ([]byte, error) {
	data, err := encode(i)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrItem, err)
	}
	if len(data) > MaxItem {
		return nil, fmt.Errorf("%w: over %d bytes", ErrItem, MaxItem)
	}
	return data, nil
}

// encode is json.Marshal without escapes for HTML, which would triple some texts.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ordered returns the items by number, each once.
func ordered(items []Item) []Item {
	byNumber := func(a, b Item) int { return cmp.Compare(a.N, b.N) }
	if !slices.IsSortedFunc(items, byNumber) {
		items = slices.Clone(items)
		slices.SortStableFunc(items, byNumber)
	}
	for k := 1; k < len(items); k++ {
		if items[k].N == items[k-1].N {
			return slices.CompactFunc(slices.Clone(items), func(a, b Item) bool { return a.N == b.N })
		}
	}
	return items
}
