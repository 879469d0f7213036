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
	for name, values := range header {
		if len(values) == 0 || len(values[0]) > MaxAttribute || !printable(values[0]) {
			continue
		}
		e.setAttribute(name, values[0])
	}
	return e
}

// setAttribute applies one header line.
func (e *Event) setAttribute(name, value string) {
	switch {
	case strings.EqualFold(name, HeaderType):
		if value != "" && len(value) <= MaxType && !strings.HasPrefix(value, ReservedPrefix) {
			e.Type = value
		}
	case strings.EqualFold(name, HeaderID):
		e.ID = value
	case strings.EqualFold(name, HeaderSource):
		e.Source = value
	case strings.EqualFold(name, HeaderExcept):
		e.Except = value
	case strings.EqualFold(name, HeaderContentType):
		e.ContentType = value
	case strings.EqualFold(name, HeaderTime):
		if t, err := time.Parse(time.RFC3339Nano, value); err == nil {
			e.Time = t.UTC()
		}
	}
}
