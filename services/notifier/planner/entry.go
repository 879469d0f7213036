package planner

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// MaxBody bounds an entry's body in bytes, the same as a job's payload.
	MaxBody = 256 << 10
	// MaxName bounds keys, notifications, channels, kinds and digests in bytes. Escaped
	// they may be three times as long, and all in a subject must fit a line of NATS's
	// protocol, 4 KiB.
	MaxName = 128
	// MaxUser bounds users in bytes, for the same reason.
	MaxUser = 256
	// headerDue is an entry's time in microseconds, so that followers need no bodies.
	headerDue = "Tidings-Due"
	// nobody stands for an empty user or notification in a subject: it is a token that
	// no name is escaped to.
	nobody = "="
)

// ErrEntry says that an entry cannot be planned as it is, now or later.
var ErrEntry = errors.New("the entry is malformed")

// Entry is something that shall happen at a time.
type Entry struct {
	// Key names the entry, among all there are.
	Key string `json:"key"`
	// Due is when it shall happen, to the microsecond.
	Due time.Time `json:"due"`
	// Notification and User are those it is about, if any; CancelAll and CancelUser go by
	// them.
	Notification string `json:"notification,omitempty"`
	User         string `json:"user,omitempty"`
	// Channel is the channel it is about, if any.
	Channel string `json:"channel,omitempty"`
	// Kind tells whoever fires it what to do.
	Kind string `json:"kind"`
	// Collapse says that entries about other notifications may have the same key: this
	// one replaces them.
	Collapse bool `json:"collapse,omitempty"`
	// Body is the rest, JSON of up to MaxBody bytes.
	Body json.RawMessage `json:"body,omitempty"`
}

// check returns what is wrong with an entry.
func (e Entry) check() error {
	for _, f := range []struct {
		name, value string
		least, most int
	}{
		{"key", e.Key, 1, MaxName},
		{"notification", e.Notification, 0, MaxName},
		{"user", e.User, 0, MaxUser},
		{"channel", e.Channel, 0, MaxName},
		{"kind", e.Kind, 1, MaxName},
	} {
		if len(f.value) < f.least || len(f.value) > f.most {
			return fmt.Errorf("%w: %s of %d bytes: use %d to %d", ErrEntry, f.name, len(f.value), f.least, f.most)
		}
	}
	if len(e.Body) > MaxBody {
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrEntry, len(e.Body), MaxBody)
	}
	if y := e.Due.Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("%w: due in the year %d", ErrEntry, y)
	}
	return nil
}

// message makes the message that stores an entry.
func (e Entry) message(space subject.Space) (*nats.Msg, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	e.Due = e.Due.UTC().Truncate(time.Microsecond)
	data, err := natsx.Encode(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return &nats.Msg{
		Subject: space.Plan(subject.Escape(e.Key), token(e.User), token(e.Notification)), Data: data,
		Header: nats.Header{headerDue: {strconv.FormatInt(e.Due.UnixMicro(), 10)}},
	}, nil
}

// decode reads a stored entry.
func decode(data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return e, e.check()
}

// due reads an entry's time in microseconds from its header. One that cannot be read is
// due at once, so that whoever reads the entry finds out.
func due(h nats.Header) int64 {
	n, err := strconv.ParseInt(h.Get(headerDue), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// token makes a token of a name that may be empty.
func token(name string) string {
	if name == "" {
		return nobody
	}
	return subject.Escape(name)
}
