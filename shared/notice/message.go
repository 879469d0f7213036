package notice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Bounds of a Message. Those of texts are the ones a notification is accepted with.
const (
	// MaxPayload is the most bytes of an encoded Message: as much as a job may carry.
	MaxPayload = 256 << 10
	// MaxTitle bounds a title in bytes, which is a header of a mail.
	MaxTitle = 512
	// MaxBody bounds a body in bytes: a long letter.
	MaxBody = 32 << 10
	// MaxData bounds Data in bytes.
	MaxData = 64 << 10
	// MaxName bounds names and ids in bytes, such as the user's.
	MaxName = 256
	// MaxEmail is what SMTP allows for an address, in bytes.
	MaxEmail = 254
	// MaxPhone bounds a number in bytes: fifteen digits by E.164, and room for spaces.
	MaxPhone = 32
	// MaxLocale bounds the tag of a language in bytes.
	MaxLocale = 64
	// MaxTZ bounds the name of a time zone in bytes.
	MaxTZ = 64
	// MaxURL bounds links in bytes; it is what all browsers take.
	MaxURL = 2048
	// MaxActions bounds the buttons: no device shows more than four.
	MaxActions = 4
	// MaxItems bounds a digest. Nobody reads a mail with more, and MaxPayload would
	// end it soon after.
	MaxItems = 500
)

// ErrMessage says that a message breaks a rule; errors of Parse, Check and Encode wrap
// it. Trying again doesn't help.
var ErrMessage = errors.New("invalid message")

// Message is what one delivery says to one person.
type Message struct {
	// Notification is the id of the notification, or of the digest. It is needed.
	Notification string `json:"notification"`
	// Category and Severity are the notification's; empty means there was none.
	Category string `json:"category,omitempty"`
	Severity string `json:"severity,omitempty"`
	// Title is one line, Body plain text. Either may be empty if there is a Template.
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	// Template names what renders the message; empty means the default template.
	Template string `json:"template,omitempty"`
	// Data is a JSON object for the template and the application, or nil.
	Data json.RawMessage `json:"data,omitempty"`
	// Actions are the buttons.
	Actions []Action `json:"actions,omitempty"`
	// Collapse is a key: a later message of the same category with it replaces this
	// one on a device that can do so.
	Collapse string `json:"collapse,omitempty"`
	// Person is who is told.
	Person Person `json:"person"`
	// Items are the notifications of a digest, oldest first; nil for a single one.
	Items []Item `json:"items,omitempty"`
	// At is when it was said, not when it is delivered.
	At time.Time `json:"at,omitzero"`
	// Transactional says that the person asked for it by what they did, such as a
	// password reset: it passes a general unsubscription.
	Transactional bool `json:"transactional,omitempty"`
	// Duplicates says that twice is better than not at all, so that another provider
	// may be tried when it is unknown whether the first got through.
	Duplicates bool `json:"duplicates,omitempty"`
}

// Person is who a message is for.
type Person struct {
	// User is the id. It is needed.
	User string `json:"user"`
	// Name is what they are called, or empty.
	Name string `json:"name,omitempty"`
	// Email and Phone are where they are reached; empty means they are not.
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Locale is a BCP 47 tag such as "de-AT", TZ the name of a time zone such as
	// "Europe/Vienna"; empty means unknown.
	Locale string `json:"locale,omitempty"`
	TZ     string `json:"tz,omitempty"`
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

// Item is one notification of a digest.
type Item struct {
	// Notification is its id.
	Notification string `json:"notification,omitempty"`
	// Title and Body are what it says.
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	// URL is where it leads; optional.
	URL string `json:"url,omitempty"`
	// At is when it was said.
	At time.Time `json:"at,omitzero"`
}

// Parse reads a message. The payload isn't kept. Errors wrap ErrMessage.
func Parse(payload []byte) (Message, error) {
	if len(payload) > MaxPayload {
		return Message{}, fmt.Errorf("%w: %d bytes, at most %d", ErrMessage, len(payload), MaxPayload)
	}
	var m Message
	d := json.NewDecoder(bytes.NewReader(payload))
	if err := d.Decode(&m); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Message{}, fmt.Errorf("%w: something follows it", ErrMessage)
	}
	if string(m.Data) == "null" {
		m.Data = nil // as Encode would write it
	}
	if err := m.Check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Encode checks the message and returns its JSON, a job's payload. Errors wrap
// ErrMessage.
func (m Message) Encode() (json.RawMessage, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	// It never stands in a page, and escaping would make '<' six times as long.
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxPayload {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMessage, len(out), MaxPayload)
	}
	return out, nil
}
