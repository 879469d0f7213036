package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of a job. They keep a job, and a letter that quotes one, below what NATS
// carries in its default configuration.
const (
	// MaxPayload is the most bytes of Job.Payload: a rendered mail without attachments.
	MaxPayload = 256 << 10
	// MaxToken is the most bytes of a key and of a channel's name.
	MaxToken = 64
	// MaxNotification is the most bytes of a notification's id. Escaped it may grow
	// threefold and still makes a handy subject.
	MaxNotification = 128
	// MaxRecipient is the most bytes of a recipient: an e-mail address has at most 320,
	// and the endpoint of a web push is a URL.
	MaxRecipient = 2048
	// maxJobBytes bounds the message of a job. The letter about one that can't be read
	// holds it in base64, which must fit into a message too.
	maxJobBytes = 512 << 10
)

// ErrJob says that a job can't be stored as it is.
var ErrJob = errors.New("invalid job")

// Job is one message to one recipient over one channel.
type Job struct {
	// Key names the job: it is what makes Enqueue idempotent and what a Sender tells its
	// provider, so that the same job sent twice is seen to be the same. Letters, digits,
	// '-' and '_'. It must differ between jobs; Enqueue fills it in with KeyOf.
	Key string `json:"key"`
	// Notification is the id of the notification that the job is part of.
	Notification string `json:"notification"`
	// Channel says which worker takes it, such as "mail". Letters, digits, '-' and '_'.
	Channel string `json:"channel"`
	// Recipient is an address in the channel's own form.
	Recipient string `json:"recipient"`
	// Payload is what to send, in the channel's own form.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Queued is when the job was first stored, and stays so however often it is tried.
	// Enqueue fills it in.
	Queued time.Time `json:"queued"`
	// Expires is when the job is not worth sending any more; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Critical is for the Sender: such a job passes whatever holds others back.
	Critical bool `json:"critical,omitempty"`
	// Once says that it is better not to send the job than to send it twice. When it is
	// not known whether an attempt got through, it becomes a dead letter.
	Once bool `json:"once,omitempty"`
}

// KeyOf returns the key of the job of a notification for a recipient over a channel.
// It is always the same for the same three, and says nothing about them.
func KeyOf(notification, channel, recipient string) string {
	h := sha256.New()
	for _, s := range []string{notification, channel, recipient} {
		// The length goes first, so that no two triples read the same.
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Check returns what is wrong with the job, or nil. Errors wrap ErrJob.
func (j Job) Check() error {
	switch {
	case !isToken(j.Key):
		return fmt.Errorf("%w: key: use 1 to %d letters, digits, '-' and '_'", ErrJob, MaxToken)
	case !isToken(j.Channel):
		return fmt.Errorf("%w: channel: use 1 to %d letters, digits, '-' and '_'", ErrJob, MaxToken)
	case j.Notification == "" || len(j.Notification) > MaxNotification:
		return fmt.Errorf("%w: notification: use 1 to %d bytes", ErrJob, MaxNotification)
	case j.Recipient == "" || len(j.Recipient) > MaxRecipient:
		return fmt.Errorf("%w: recipient: use 1 to %d bytes", ErrJob, MaxRecipient)
	case len(j.Payload) > MaxPayload:
		return fmt.Errorf("%w: payload: %d bytes, at most %d", ErrJob, len(j.Payload), MaxPayload)
	case len(j.Payload) > 0 && !json.Valid(j.Payload):
		return fmt.Errorf("%w: payload: not JSON", ErrJob)
	case j.Queued.IsZero():
		return fmt.Errorf("%w: queued: no time", ErrJob)
	}
	return nil
}

// expired reports whether the job is not worth sending at a time.
func (j Job) expired(at time.Time) bool { return !j.Expires.IsZero() && !at.Before(j.Expires) }

// filled returns the job with what Enqueue fills in.
func (j Job) filled(now time.Time) Job {
	if j.Key == "" {
		j.Key = KeyOf(j.Notification, j.Channel, j.Recipient)
	}
	if j.Queued.IsZero() {
		j.Queued = now.UTC()
	}
	return j
}

// readJob reads a stored job.
func readJob(data []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(data, &j); err != nil {
		return Job{}, fmt.Errorf("%w: not the JSON of a job", ErrJob)
	}
	return j, j.Check()
}

// isToken reports whether s is a token of a subject that needs no escape.
func isToken(s string) bool {
	if s == "" || len(s) > MaxToken {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
