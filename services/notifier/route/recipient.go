package route

import (
	"bytes"
	"encoding/json"
	"strconv"

	"tidings/shared/httpx"
	"tidings/shared/subject"
)

// Recipient is one entry of a notification's "to": a person or everyone who follows
// a topic. Its JSON is a plain user id, {"user":…} with addresses, or {"topic":…}.
type Recipient struct {
	// Topic is set for a topic, and then nothing else is.
	Topic subject.Topic `json:"topic,omitempty"`
	// Person is the user and what the sender gave of their addresses.
	Person
}

// recipients reads the list. It is all or nothing: every fault is noted.
func (f *faults) recipients(raw []json.RawMessage) []Recipient {
	switch n := len(raw); {
	case n == 0:
		f.add("to", CodeMissing, "names nobody")
		return nil
	case n > MaxRecipients:
		f.add("to", CodeTooMany, "has over %d entries", MaxRecipients)
		return nil
	}
	list := make([]Recipient, 0, len(raw))
	seen := map[string]string{}
	for i, r := range raw {
		param := "to[" + strconv.Itoa(i) + "]"
		before := f.count()
		to := f.recipient(param, r)
		if f.count() > before {
			continue
		}
		id := to.User + "\x00" + string(to.Topic)
		if first, twice := seen[id]; twice {
			f.add(param, CodeDuplicate, "is the same as %s", first)
			continue
		}
		seen[id] = param
		list = append(list, to)
	}
	return list
}

// recipient reads one entry.
func (f *faults) recipient(param string, raw json.RawMessage) Recipient {
	if bytes.HasPrefix(raw, []byte{'"'}) {
		var user string
		if err := json.Unmarshal(raw, &user); err != nil {
			f.add(param, CodeBadRecipient, "cannot be read")
			return Recipient{}
		}
		if user == "" {
			f.add(param, CodeBadRecipient, "is an empty user id")
			return Recipient{}
		}
		f.user(param, user)
		return Recipient{Person: Person{User: user}}
	}
	if !bytes.HasPrefix(raw, []byte{'{'}) {
		f.add(param, CodeBadRecipient, "must be a user id, {\"user\":…} or {\"topic\":…}")
		return Recipient{}
	}
	// Decoded apart, for encoding/json names a field of an embedded struct "Person.email".
	var who struct {
		Topic  subject.Topic `json:"topic"`
		User   string        `json:"user"`
		Email  string        `json:"email"`
		Phone  string        `json:"phone"`
		Name   string        `json:"name"`
		Locale string        `json:"locale"`
		TZ     string        `json:"tz"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(raw), &who); err != nil {
		f.problem(param, err)
		return Recipient{}
	}
	to := Recipient{who.Topic, Person{who.User, who.Email, who.Phone, who.Name, who.Locale, who.TZ}}
	switch {
	case to.Topic != "" && to.Person != Person{}:
		f.add(param, CodeBadRecipient, "is both a person and a topic")
	case to.Topic != "":
		if _, err := subject.ParseTopic(string(to.Topic)); err != nil {
			f.add(param+".topic", CodeBadRecipient, "%s", err)
		}
	case to.User == "":
		f.add(param, CodeBadRecipient, "has neither a user nor a topic")
	default:
		to.check(f, param+".")
	}
	return to
}
