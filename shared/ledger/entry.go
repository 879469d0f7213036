package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
)

const (
	// MaxBody bounds an entry's body in bytes, so that it fits a message of NATS.
	MaxBody = 900 << 10
	// MaxID bounds a notification's id in bytes, the same as that of a job's.
	MaxID = 128
	// maxWord bounds kinds, parts, channels and reasons; maxText users, keys and details,
	// which are made of what others sent. All in bytes.
	maxWord, maxText = 128, 4 << 10
)

// headerKind says what kind an entry is, without its body being read.
const headerKind = "Tidings-Kind"

// Kind is what an entry is about.
type Kind string

// The kinds of entries.
const (
	// KindRequest is what was asked for: a notification's first entry.
	KindRequest Kind = "request"
	// KindRouted is what was decided for some users.
	KindRouted Kind = "routed"
	// KindNote is what happened otherwise; Entry.Reason says what.
	KindNote Kind = "note"
)

// Entry is one thing that is known about a notification.
type Entry struct {
	// Seq is the entry's sequence in the stream. It is set when it was stored or read.
	Seq uint64 `json:"-"`
	// At is when it was; Put fills in the present time.
	At time.Time `json:"at"`
	// Kind is what it is about, Part its name among the notification's entries.
	Kind Kind   `json:"kind"`
	Part string `json:"part"`
	// User, Channel and Key are the person, the channel and the job it is about, if any.
	User    string `json:"user,omitempty"`
	Channel string `json:"channel,omitempty"`
	Key     string `json:"key,omitempty"`
	// Reason is what a note says, for programs; Detail is the same for people.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Body is the rest, JSON of up to MaxBody bytes.
	Body json.RawMessage `json:"body,omitempty"`
}

// check returns what is wrong with an entry that is to be stored.
func (e Entry) check() error {
	switch {
	case e.Kind != KindRequest && e.Kind != KindRouted && e.Kind != KindNote:
		return fmt.Errorf("%w: kind %.40q", ErrEntry, e.Kind)
	case e.Part == "":
		return fmt.Errorf("%w: it has no part", ErrEntry)
	case len(e.Body) > MaxBody:
		return fmt.Errorf("%w: a body of %d bytes, at most %d", ErrEntry, len(e.Body), MaxBody)
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"part", e.Part, maxWord},
		{"channel", e.Channel, maxWord},
		{"reason", e.Reason, maxWord},
		{"user", e.User, maxText},
		{"key", e.Key, maxText},
		{"detail", e.Detail, maxText},
	} {
		if len(f.value) > f.most {
			return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrEntry, f.name, len(f.value), f.most)
		}
	}
	return nil
}

// message makes the message that stores an entry.
func (e Entry) message(subj string) (*nats.Msg, error) {
	data, err := natsx.Encode(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return &nats.Msg{Subject: subj, Data: data, Header: nats.Header{headerKind: {string(e.Kind)}}}, nil
}

// decode reads a stored entry.
func decode(m *nats.Msg) (Entry, error) {
	e := Entry{Seq: direct.Sequence(m)}
	if err := json.Unmarshal(m.Data, &e); err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return e, nil
}

// checkID returns what is wrong with a notification's id.
func checkID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("%w: id: use 1 to %d bytes", ErrEntry, MaxID)
	}
	return nil
}
