package event

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings/shared/subject"
)

const (
	// DefaultType is the type of an event that names none.
	DefaultType = "message"
	// ReservedPrefix begins the types of control events (tidings.hello, tidings.gap …),
	// which only an edge may send.
	ReservedPrefix = "tidings."
	// MaxType bounds Type in bytes: it is a line of every frame.
	MaxType = 128
	// MaxAttribute bounds ID, Source and ContentType in bytes.
	MaxAttribute = 256
	// MaxData bounds Data in bytes. It stays below NATS's default max_payload of
	// 1 MiB with room for headers.
	MaxData = 768 << 10
)

// ErrInvalid says that an attribute of an event breaks a rule; errors of Check wrap it.
var ErrInvalid = errors.New("invalid event")

// Event is one thing that happened on a topic.
type Event struct {
	// Topic says where it happened.
	Topic subject.Topic
	// Type says what happened, "message" if the publisher named none. CloudEvents "type".
	Type string
	// ID identifies the event for its publisher; empty means the log's cursor serves as id.
	ID string
	// Source names the publisher, empty if unknown. CloudEvents "source".
	Source string
	// Time is when it happened, UTC; zero means when it was stored.
	Time time.Time
	// ContentType is the media type of Data; empty means JSON if it parses, else text.
	ContentType string
	// Except is a connection that must not get the event, usually its publisher's
	// own, or empty. It is not shown to subscribers.
	Except string
	// Data is the body. It is shared: never write to it.
	Data []byte
}

// FieldError names the attribute that is wrong, for the caller to show.
type FieldError struct {
	// Field is the JSON name of the attribute: "type", "id", "source", "datacontenttype", "except", "data".
	Field string
	// Reason is a clause that completes "<field> …".
	Reason string
}

// Error returns "<field> <reason>".
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Is makes every FieldError an ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// Check reports the first attribute that may not be published, as a *FieldError.
// The topic is checked by its parser.
func (e Event) Check() error {
	switch {
	case strings.HasPrefix(e.Type, ReservedPrefix):
		return &FieldError{"type", fmt.Sprintf("may not begin with %q: those are Tidings' own events", ReservedPrefix)}
	case len(e.Type) > MaxType:
		return &FieldError{"type", fmt.Sprintf("is over %d bytes", MaxType)}
	case len(e.Data) > MaxData:
		return &FieldError{"data", fmt.Sprintf("is over %d bytes", MaxData)}
	}
	for _, a := range [...]struct{ field, value string }{
		{"type", e.Type}, {"id", e.ID}, {"source", e.Source}, {"datacontenttype", e.ContentType}, {"except", e.Except},
	} {
		if len(a.value) > MaxAttribute {
			return &FieldError{a.field, fmt.Sprintf("is over %d bytes", MaxAttribute)}
		}
		if !printable(a.value) {
			return &FieldError{a.field, "holds a control character or broken UTF-8"}
		}
	}
	return nil
}

// printable reports whether s may stand in a header line and a frame line.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, unicode.IsControl)
}
