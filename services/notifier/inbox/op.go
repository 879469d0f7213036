package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tidings/shared/httpx"
)

const (
	// MaxOp bounds an operation's JSON in bytes.
	MaxOp = 64 << 10
	// MaxSleep is how far ahead an item may wake up: a year, and not a typing error. Its
	// waking is planned, and would be kept until then.
	MaxSleep = 366 * 24 * time.Hour
	// all is the word for every item there is.
	all = "all"
)

// ErrOp says that something is no operation. Errors that wrap it are an *OpError.
var ErrOp = errors.New("not an operation on an inbox")

// OpError names the part of an operation that is wrong, for the caller to show.
type OpError struct {
	// Field is the JSON name of the part, "" if the whole is.
	Field string
	// Reason is a clause that completes "<field> …".
	Reason string
}

// Error returns "<field> <reason>".
func (e *OpError) Error() string {
	if e.Field == "" {
		return "the operation " + e.Reason
	}
	return e.Field + " " + e.Reason
}

// Is makes every OpError an ErrOp.
func (e *OpError) Is(target error) bool { return target == ErrOp }

// Op says what a person does with their items. Its parts are done in the order of the
// fields, so where two contradict each other the later wins. Doing it again changes
// nothing more. Whatever is done with an item wakes it up, except for putting it to sleep.
type Op struct {
	// ReadAll marks every item as read that does not sleep, Read those with these ids.
	ReadAll bool
	Read    []string
	// Unread marks items as not read.
	Unread []string
	// SeenAll says that every item was seen, Seen that those up to this number were.
	SeenAll bool
	Seen    int64
	// Archived puts items away, Unarchived takes them back.
	Archived, Unarchived []string
	// Snoozed puts items to sleep, as unread and not archived ones.
	Snoozed []Sleep
}

// Sleep puts an item to sleep.
type Sleep struct {
	// ID is the notification's.
	ID string `json:"id"`
	// Until is when it wakes up, at most MaxSleep ahead; a time that has passed wakes it
	// up now.
	Until time.Time `json:"until"`
}

// ParseOp reads an operation: {"read":[ids]|"all","unread":[ids],"seen":"all"|n,
// "archived":[ids],"unarchived":[ids],"snoozed":[{"id","until"}]}. Errors wrap ErrOp.
func ParseOp(data []byte) (Op, error) {
	var raw struct {
		Read       json.RawMessage `json:"read"`
		Unread     []string        `json:"unread"`
		Seen       json.RawMessage `json:"seen"`
		Archived   []string        `json:"archived"`
		Unarchived []string        `json:"unarchived"`
		Snoozed    []Sleep         `json:"snoozed"`
	}
	if len(data) > MaxOp {
		return Op{}, &OpError{"", fmt.Sprintf("is over %d bytes", MaxOp)}
	}
	if err := httpx.DecodeJSON(bytes.NewReader(data), &raw); err != nil {
		return Op{}, opError(err)
	}
	op := Op{Unread: raw.Unread, Archived: raw.Archived, Unarchived: raw.Unarchived, Snoozed: raw.Snoozed}
	op.ReadAll = isAll(raw.Read)
	if !op.ReadAll && raw.Read != nil && json.Unmarshal(raw.Read, &op.Read) != nil {
		return Op{}, &OpError{"read", `is neither a list of ids nor "all"`}
	}
	op.SeenAll = isAll(raw.Seen)
	if !op.SeenAll && raw.Seen != nil && json.Unmarshal(raw.Seen, &op.Seen) != nil {
		return Op{}, &OpError{"seen", `is neither an item's number nor "all"`}
	}
	return op, op.Check()
}

// opError names the part that a decoder did not like.
func opError(err error) error {
	p, ok := errors.AsType[*httpx.Problem](err)
	switch {
	case !ok:
		return &OpError{"", "is not understood: " + err.Error()}
	case p.Code == httpx.CodeUnknownField:
		return &OpError{p.Param, "is no part of it"}
	case p.Code == httpx.CodeDuplicateField:
		return &OpError{p.Param, "is there twice"}
	case p.Param != "":
		return &OpError{p.Param, "has the wrong type"}
	}
	return &OpError{"", "is not understood: " + strings.TrimSuffix(p.Detail, ".")}
}

func isAll(data json.RawMessage) bool {
	var word string
	return data != nil && json.Unmarshal(data, &word) == nil && word == all
}

// Check reports what is wrong with the operation as an *OpError, or nil. It knows no
// clock: Store.Change refuses what sleeps too long.
func (o Op) Check() error {
	if o.Seen < 0 || o.Seen > maxNumber {
		return &OpError{"seen", "is out of bounds"}
	}
	for _, part := range []struct {
		field string
		ids   []string
	}{{"read", o.Read}, {"unread", o.Unread}, {"archived", o.Archived}, {"unarchived", o.Unarchived}, {"snoozed", o.sleepers()}} {
		if len(part.ids) > MaxPerUser {
			return &OpError{part.field, fmt.Sprintf("has over %d entries", MaxPerUser)}
		}
		for _, id := range part.ids {
			if checkID(id) != nil {
				return &OpError{part.field, fmt.Sprintf("has an id that is empty or over %d bytes", maxID)}
			}
		}
	}
	for _, z := range o.Snoozed {
		if y := z.Until.UTC().Year(); y < 1 || y > 9999 {
			return &OpError{"snoozed", "has a time out of bounds"}
		}
	}
	return nil
}

// near reports what sleeps too long as an *OpError, or nil.
func (o Op) near(now time.Time) error {
	for _, z := range o.Snoozed {
		if z.Until.After(now.Add(MaxSleep)) {
			return &OpError{"snoozed", fmt.Sprintf("has a time over %d days ahead", int(MaxSleep/(24*time.Hour)))}
		}
	}
	return nil
}

func (o Op) sleepers() []string {
	ids := make([]string, len(o.Snoozed))
	for k, z := range o.Snoozed {
		ids[k] = z.ID
	}
	return ids
}
