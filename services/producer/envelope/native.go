package envelope

import (
	"time"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// maxAhead is how far "at" may lie in the future and still mean now: it covers
// clocks that differ a little.
const maxAhead = time.Second

// nativeItem gathers one native event while its members are read.
type nativeItem struct {
	ev     event.Event
	topic  string
	user   string
	faults []Fault
	now    time.Time
}

// parseNative reads one event in Tidings' own form. fallback is the topic of an
// event that names none, or "". raw must be valid JSON in UTF-8.
func parseNative(raw []byte, fallback subject.Topic, now time.Time) (Item, []Fault) {
	list, fault := members(raw)
	if fault != nil {
		return Item{}, []Fault{*fault}
	}
	n := nativeItem{ev: event.Event{Type: event.DefaultType, Data: []byte("null")}, now: now}
	for _, m := range list {
		n.read(m)
	}
	n.place(fallback)
	return keyed(n.ev, n.faults)
}

// read takes one member in. Data stays as the sender wrote it.
func (n *nativeItem) read(m member) {
	switch m.name {
	case "data":
		n.ev.Data = m.value
	case "topic":
		n.topic = n.text(m)
	case "user":
		n.user = n.text(m)
	case "type":
		if s := n.text(m); s != "" {
			n.ev.Type = s
		}
	case "id":
		n.ev.ID = n.text(m)
	case "source":
		n.ev.Source = n.text(m)
	case "time":
		n.ev.Time = n.time(m)
	case "at":
		if n.time(m).After(n.now.Add(maxAhead)) {
			n.faults = append(n.faults, Fault{
				Field: "at", Code: codeAtUnsupported,
				Reason: "lies in the future, and this version cannot publish later: it publishes now or not at all",
			})
		}
	default:
		n.faults = append(n.faults, Fault{Field: clip(m.name), Code: codeUnknownField, Reason: "is not a field of an event"})
	}
}

// text reads a string member and notes its fault.
func (n *nativeItem) text(m member) string {
	s, fault := m.text()
	if fault != nil {
		n.faults = append(n.faults, *fault)
	}
	return s
}

// time reads a time member and notes its fault; left out is the zero time.
func (n *nativeItem) time(m member) time.Time {
	s := n.text(m)
	if s == "" {
		return time.Time{}
	}
	t, fault := instant(m.name, s)
	if fault != nil {
		n.faults = append(n.faults, *fault)
	}
	return t
}

// place decides the topic from topic, user and the request's default.
func (n *nativeItem) place(fallback subject.Topic) {
	field, name := "topic", n.topic
	switch {
	case n.topic != "" && n.user != "":
		n.faults = append(n.faults, Fault{Field: "user", Code: codeBadField, Reason: "and topic are both given; name one of them"})
		return
	case n.user != "":
		field, name = "user", string(subject.User(n.user))
	case n.topic == "" && fallback != "":
		n.ev.Topic = fallback
		return
	case n.topic == "":
		for _, f := range n.faults { // one that could not be read is not missing
			if f.Field == "topic" || f.Field == "user" {
				return
			}
		}
		n.faults = append(n.faults, Fault{Field: "topic", Code: codeMissingField, Reason: "is missing: name a topic or a user"})
		return
	}
	topic, err := subject.ParseTopic(name)
	if err != nil {
		n.faults = append(n.faults, topicFault(field, err))
		return
	}
	n.ev.Topic = topic
}
