package route

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tidings/services/notifier/route/wall"
)

// Bounds of a notification. They keep it, with its recipients, in one message of
// NATS and its title in the headers of a mail.
const (
	// MaxNotification bounds its JSON in bytes, below NATS's default max_payload.
	MaxNotification = 512 << 10
	// MaxRecipients bounds "to"; more people than that are a topic.
	MaxRecipients = 1000
	// MaxActions bounds the buttons: no device shows more.
	MaxActions = 4
	// MaxAhead is how far in the future "at" may lie: a year, and not a typing error.
	MaxAhead = 366 * 24 * time.Hour

	maxTitle   = 512      // bytes; a header, and a line on a lock screen
	maxBody    = 32 << 10 // bytes
	maxData    = 64 << 10 // bytes, for the template
	maxToken   = 128      // bytes of an id or a collapse key
	maxCaption = 64       // bytes of an action's label
	maxURL     = 2048     // bytes, what all browsers take
)

// Notification is what somebody wants to be told to somebody.
type Notification struct {
	// To are the recipients. Route is called once for each person they come to.
	To []Recipient `json:"to"`
	// Category names the rules; empty is DefaultCategory.
	Category string `json:"category,omitempty"`
	// Title is one line. It may be empty if there is a Template.
	Title string `json:"title,omitempty"`
	// Body is plain text of any number of lines.
	Body string `json:"body,omitempty"`
	// Template names the template that makes title and body of Data.
	Template string `json:"template,omitempty"`
	// Data is a JSON object for the template and the application, or nil.
	Data json.RawMessage `json:"data,omitempty"`
	// Severity is Normal unless given.
	Severity Severity `json:"severity,omitempty"`
	// Actions are the buttons.
	Actions []Action `json:"actions,omitempty"`
	// Collapse is a key: a later notification of the same category with it replaces
	// an earlier one that was not delivered yet, and its entry in the inbox.
	Collapse string `json:"collapse,omitempty"`
	// At is when it shall be delivered, zero for at once.
	At time.Time `json:"at,omitzero"`
	// Repeat has it told again and again, from At on and until Expires; nil is once.
	Repeat *wall.Schedule `json:"repeat,omitempty"`
	// Expires is when it is worthless, zero for never.
	Expires time.Time `json:"expires,omitzero"`
	// ID identifies it for ever and makes it idempotent. Whoever accepts a
	// notification without one has to give it one before Route, since job keys are
	// made of it.
	ID string `json:"id,omitempty"`
}

// Action is a button.
type Action struct {
	// ID names the action to the application; optional.
	ID string `json:"id,omitempty"`
	// Label is what the button says.
	Label string `json:"label"`
	// URL is where it leads: https, or a path of the application.
	URL string `json:"url"`
}

// request is a notification before it is checked. Times and recipients are kept as
// they are, so that each of their faults can be named.
type request struct {
	To       []json.RawMessage `json:"to"`
	Category string            `json:"category"`
	Title    string            `json:"title"`
	Body     string            `json:"body"`
	Template string            `json:"template"`
	Data     json.RawMessage   `json:"data"`
	Severity Severity          `json:"severity"`
	Actions  []Action          `json:"actions"`
	Collapse string            `json:"collapse"`
	Repeat   *wall.Schedule    `json:"repeat"`
	At       string            `json:"at"`
	Expires  string            `json:"expires"`
	ID       string            `json:"id"`
}

// ParseNotification reads the JSON of a notification, strictly: unknown fields are
// refused, and one wrong recipient refuses the whole. now decides what is expired.
// Errors are *FaultsError, or *httpx.Problem where the JSON itself is broken.
func ParseNotification(data []byte, now time.Time) (Notification, error) {
	var r request
	if err := decode(data, MaxNotification, &r); err != nil {
		return Notification{}, err
	}
	var f faults
	n := Notification{
		To: f.recipients(r.To), Category: r.Category, Title: r.Title, Body: r.Body, Template: r.Template,
		Severity: r.Severity, Actions: r.Actions, Collapse: r.Collapse, Repeat: r.Repeat, ID: r.ID,
	}
	if n.Severity == "" {
		n.Severity = Normal
	}
	n.Data = f.object("data", r.Data)
	n.content(&f)
	n.At, n.Expires = f.moment("at", r.At), f.moment("expires", r.Expires)
	n.times(&f, now)
	if err := f.err("notification"); err != nil {
		return Notification{}, err
	}
	return n, nil
}

// object checks that raw is a JSON object and returns it without white space.
func (f *faults) object(param string, raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var b bytes.Buffer
	switch {
	case raw[0] != '{':
		f.add(param, CodeBadValue, "must be an object")
	case json.Compact(&b, raw) != nil:
		f.add(param, CodeBadValue, "cannot be read")
	case b.Len() > maxData:
		f.add(param, CodeTooLong, "is over %d bytes", maxData)
	default:
		return b.Bytes()
	}
	return nil
}

// content checks everything but recipients and times.
func (n *Notification) content(f *faults) {
	if n.Category != "" {
		f.name("category", n.Category)
	}
	if strings.TrimSpace(n.Title) == "" && n.Template == "" {
		f.add("title", CodeMissing, "is needed where there is no template")
	}
	f.line("title", n.Title, maxTitle)
	f.text("body", n.Body, maxBody)
	if n.Template != "" {
		f.name("template", n.Template)
	}
	if !n.Severity.known() {
		f.add("severity", CodeBadValue, "must be low, normal, high or critical")
	}
	if len(n.Actions) > MaxActions {
		f.add("actions", CodeTooMany, "has over %d entries", MaxActions)
	} else {
		for i, a := range n.Actions {
			a.check(f, "actions["+strconv.Itoa(i)+"].")
		}
	}
	f.line("collapse", n.Collapse, maxToken)
	f.token("id", n.ID, maxToken)
	if n.Repeat != nil {
		if err := n.Repeat.Check(); err != nil {
			f.add("repeat", CodeBadValue, "is not sound: %s", err)
		}
	}
}

// check notes the faults of an action.
func (a Action) check(f *faults, prefix string) {
	if a.ID != "" {
		f.name(prefix+"id", a.ID)
	}
	if strings.TrimSpace(a.Label) == "" {
		f.add(prefix+"label", CodeMissing, "is needed")
	}
	f.line(prefix+"label", a.Label, maxCaption)
	switch {
	case a.URL == "":
		f.add(prefix+"url", CodeMissing, "is needed")
	case len(a.URL) > maxURL:
		f.add(prefix+"url", CodeTooLong, "is over %d bytes", maxURL)
	case !isLink(a.URL):
		f.add(prefix+"url", CodeBadURL, "must be an https address or a path that begins with one '/'")
	}
}

// isLink reports whether a button may lead to s: https with a host and no password,
// or a path, which browsers must not take for another host's.
func isLink(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || breaks(r) }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if u.Scheme == "https" {
		return u.Hostname() != "" && u.User == nil && u.Opaque == ""
	}
	return u.Scheme == "" && u.Host == "" && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
}

// times checks when the notification is to be told.
func (n *Notification) times(f *faults, now time.Time) {
	switch {
	case n.At.After(now.Add(MaxAhead)):
		f.add("at", CodeBadTime, "is over %d days ahead", int(MaxAhead/(24*time.Hour)))
	case n.Expires.IsZero():
	case !n.Expires.After(now):
		f.add("expires", CodeExpired, "is not in the future")
	case !n.Expires.After(n.At):
		f.add("expires", CodeExpired, "is not after \"at\"")
	}
}
