package event

import (
	"strings"
	"time"

	"tidings/shared/subject"
)

// Header names of the CloudEvents NATS binding, as Tidings writes them.
const (
	HeaderType        = "ce-type"
	HeaderID          = "ce-id"
	HeaderSource      = "ce-source"
	HeaderTime        = "ce-time"
	HeaderContentType = "Content-Type"
	// HeaderExcept is Tidings' own: a connection that must not get the event.
	HeaderExcept = "Tidings-Except"
)

// Header returns the NATS headers of e, nil when every attribute is at its
// default. The map has the shape of nats.Header.
func (e Event) Header() map[string][]string {
	h := map[string][]string{}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	if e.Type != DefaultType {
		set(HeaderType, e.Type)
	}
	set(HeaderID, e.ID)
	set(HeaderSource, e.Source)
	set(HeaderContentType, e.ContentType)
	set(HeaderExcept, e.Except)
	if !e.Time.IsZero() {
		set(HeaderTime, e.Time.UTC().Format(time.RFC3339Nano))
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// FromMessage makes an event of a stored NATS message. It never fails: anyone
// who may publish to NATS may have written the message, so an attribute that
// breaks a rule is replaced by its default instead of losing the event. Header
// names are matched without regard to case. stored is the time of storing.
func FromMessage(topic subject.Topic, header map[string][]string, data []byte, stored time.Time) Event {
	e := Event{Topic: topic, Type: DefaultType, Time: stored.UTC(), Data: data}
	if len(header) == 0 {
		return e
	}
	if v := attribute(header, HeaderType); v != "" && len(v) <= MaxType && !strings.HasPrefix(v, ReservedPrefix) {
		e.Type = v
	}
	e.ID = attribute(header, HeaderID)
	e.Source = attribute(header, HeaderSource)
	e.Except = attribute(header, HeaderExcept)
	e.ContentType = attribute(header, HeaderContentType)
	if t, err := time.Parse(time.RFC3339Nano, attribute(header, HeaderTime)); err == nil {
		// A zone can push a time out of the years that RFC 3339 can write down.
		if t = t.UTC(); t.Year() >= 0 && t.Year() <= 9999 {
			e.Time = t
		}
	}
	return e
}

// attribute returns a header's first value, "" if there is none or it breaks the
// rules of all attributes. Of several spellings of the name ours wins, then the
// least one: a map has no order, and every node must make the same event of a message.
func attribute(header map[string][]string, name string) string {
	values, ok := header[name]
	if !ok {
		least := ""
		for spelling, v := range header {
			if len(spelling) == len(name) && strings.EqualFold(spelling, name) && (least == "" || spelling < least) {
				least, values = spelling, v
			}
		}
	}
	if len(values) == 0 || len(values[0]) > MaxAttribute || !printable(values[0]) {
		return ""
	}
	return values[0]
}
