package notice

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Check returns the first thing that is wrong with the message, or nil. Errors wrap
// ErrMessage; they name fields and never what is in them, since that is private.
func (m Message) Check() error {
	switch {
	case m.Notification == "":
		return fault("notification", "is needed")
	case m.Person.User == "":
		return fault("person.user", "is needed")
	case len(m.Actions) > MaxActions:
		return fault("actions", "has %d entries, at most %d", len(m.Actions), MaxActions)
	case len(m.Items) > MaxItems:
		return fault("items", "has %d entries, at most %d", len(m.Items), MaxItems)
	case len(m.Data) > MaxData:
		return fault("data", "is over %d bytes", MaxData)
	case len(m.Data) > 0 && !isObject(m.Data):
		return fault("data", "must be an object")
	}
	if err := check(m.fields()); err != nil {
		return err
	}
	for i, a := range m.Actions {
		if err := check(a.fields(fmt.Sprintf("actions[%d].", i))); err != nil {
			return err
		}
	}
	for i, it := range m.Items {
		if err := check(it.fields(fmt.Sprintf("items[%d].", i))); err != nil {
			return err
		}
	}
	return nil
}

// field is a text and what it is checked for.
type field struct {
	name, value string
	most        int  // bytes
	lines       bool // it may have more than one
}

func (m Message) fields() []field {
	p := m.Person
	return []field{
		{"notification", m.Notification, MaxName, false},
		{"category", m.Category, MaxName, false},
		{"severity", m.Severity, MaxName, false},
		{"title", m.Title, MaxTitle, false},
		{"body", m.Body, MaxBody, true},
		{"template", m.Template, MaxName, false},
		{"collapse", m.Collapse, MaxName, false},
		{"person.user", p.User, MaxName, false},
		{"person.name", p.Name, MaxName, false},
		{"person.email", p.Email, MaxEmail, false},
		{"person.phone", p.Phone, MaxPhone, false},
		{"person.locale", p.Locale, MaxLocale, false},
		{"person.tz", p.TZ, MaxTZ, false},
	}
}

func (a Action) fields(prefix string) []field {
	return []field{
		{prefix + "id", a.ID, MaxName, false},
		{prefix + "label", a.Label, MaxName, false},
		{prefix + "url", a.URL, MaxURL, false},
	}
}

func (i Item) fields(prefix string) []field {
	return []field{
		{prefix + "notification", i.Notification, MaxName, false},
		{prefix + "title", i.Title, MaxTitle, false},
		{prefix + "body", i.Body, MaxBody, true},
		{prefix + "url", i.URL, MaxURL, false},
	}
}

// check returns the first fault of some fields.
func check(fields []field) error {
	for _, f := range fields {
		switch {
		case len(f.value) > f.most:
			return fault(f.name, "is over %d bytes", f.most)
		case !utf8.ValidString(f.value):
			return fault(f.name, "is no valid UTF-8")
		case !f.lines && strings.ContainsFunc(f.value, breaks):
			return fault(f.name, "must be one line without control characters")
		case f.lines && strings.ContainsRune(f.value, 0):
			return fault(f.name, "holds a zero byte")
		}
	}
	return nil
}

// breaks reports whether r could end a line of a header, a frame or a log.
func breaks(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isObject reports whether data is a JSON object. A Message may have been made without
// Parse, hence it is looked at as a whole.
func isObject(data json.RawMessage) bool {
	return strings.HasPrefix(strings.TrimLeft(string(data), " \t\r\n"), "{") && json.Valid(data)
}

func fault(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s", ErrMessage, name, fmt.Sprintf(format, args...))
}
