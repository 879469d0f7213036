package suppress

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of an entry.
const (
	// MaxEntries is how many reasons one address may have. A person unsubscribes from
	// categories one at a time, and an installation has at most 200 of them.
	MaxEntries = 256
	// MaxCategory is the longest category in bytes.
	MaxCategory = 128
	// MaxDetail is the most bytes of a detail that are kept: a line of a mail server.
	MaxDetail = 256
)

// What can be wrong with a call.
var (
	// ErrEntry says that an entry can't be stored as it is.
	ErrEntry = errors.New("invalid suppression")
	// ErrFull says that the address has MaxEntries reasons already.
	ErrFull = errors.New("too many reasons for one address")
)

// Cause is why an address must not be used.
type Cause string

// The causes. The values are stored and never change; they are those of the notifier's
// routing.
const (
	// Bounced: the address does not exist, or has not taken a message for long.
	Bounced Cause = "bounced"
	// Complained: the person called it spam.
	Complained Cause = "complained"
	// Unsubscribed: the person used the link to unsubscribe.
	Unsubscribed Cause = "unsubscribed"
	// OptedOut: the person withdrew consent in a way the law protects, such as STOP.
	OptedOut Cause = "opted_out"
	// Blocked: an operator put it on the list.
	Blocked Cause = "blocked"
)

// Known reports whether c is one of the causes.
func (c Cause) Known() bool {
	switch c {
	case Bounced, Complained, Unsubscribed, OptedOut, Blocked:
		return true
	}
	return false
}

// Entry is one reason not to use an address.
type Entry struct {
	// Cause is why.
	Cause Cause `json:"cause"`
	// Category limits it to one category; empty is all.
	Category string `json:"category,omitempty"`
	// At is since when; Add fills it in if it is zero.
	At time.Time `json:"at"`
	// Detail is a sentence for operators. It must not hold the address; what is over
	// MaxDetail is cut off.
	Detail string `json:"detail,omitempty"`
}

// Stops returns the first of an address's entries that forbids a message of a
// category, if one does. A general Unsubscribed does not stop what is transactional,
// such as a receipt or a new password; any other entry that fits the category stops
// everything, also one with a cause that a later release has stored.
func Stops(entries []Entry, category string, transactional bool) (Entry, bool) {
	for _, e := range entries {
		if e.Category != "" && e.Category != category {
			continue
		}
		if e.Cause == Unsubscribed && e.Category == "" && transactional {
			continue
		}
		return e, true
	}
	return Entry{}, false
}

// filled returns the entry as it is stored, or an error that wraps ErrEntry.
func (e Entry) filled(now time.Time) (Entry, error) {
	switch {
	case !e.Cause.Known():
		return Entry{}, fmt.Errorf("%w: the cause is none of bounced, complained, unsubscribed, opted_out and blocked", ErrEntry)
	case len(e.Category) > MaxCategory || !utf8.ValidString(e.Category):
		return Entry{}, fmt.Errorf("%w: the category is over %d bytes or not UTF-8", ErrEntry, MaxCategory)
	}
	if e.At.IsZero() {
		e.At = now
	}
	e.At = e.At.UTC().Truncate(time.Second)
	e.Detail = cut(strings.ToValidUTF8(e.Detail, "\uFFFD"), MaxDetail)
	return e, nil
}

// cut shortens valid UTF-8 to at most limit bytes, between two characters.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
