package subject

import (
	"fmt"
	"strings"
)

// DefaultPrefix is the first token of every subject unless configured otherwise.
const DefaultPrefix = "tidings"

// Space maps names to NATS subjects, all below one prefix. Two Tidings with
// different prefixes share a NATS account without meeting. Make one with NewSpace.
type Space struct{ prefix string }

// NewSpace returns the space below prefix, one literal token such as "tidings".
func NewSpace(prefix string) (Space, error) {
	if err := checkToken(prefix); err != nil || strings.Contains(prefix, "=") {
		return Space{}, fmt.Errorf("prefix %q: %w: use letters, digits, '_' and '-'", clip(prefix), ErrSyntax)
	}
	return Space{prefix: prefix}, nil
}

// Prefix returns the first token of every subject in the space.
func (s Space) Prefix() string { return s.prefix }

// Stream returns the NATS name of a stream or bucket, such as "tidings_EVENTS".
// NATS names cannot hold dots, hence the underscore.
func (s Space) Stream(name string) string { return s.prefix + "_" + name }

// Events returns the subject of the events a pattern selects: "tidings.ev.room.ops".
func (s Space) Events(p Pattern) string { return s.prefix + ".ev." + string(p) }

// Ephemeral returns the subject of ephemeral events: "tidings.eph.room.ops".
func (s Space) Ephemeral(p Pattern) string { return s.prefix + ".eph." + string(p) }

// Canary returns the subject on which a node proves that the log reaches it.
// It lies in the stream's space and outside the topics', so no browser can see it.
func (s Space) Canary(node string) string { return s.prefix + ".ev.sys.canary." + Escape(node) }

// Control returns a control subject: "tidings.ctl.revoke".
func (s Space) Control(name string) string { return s.prefix + ".ctl." + name }

// Service returns the subject on which one instance of a service answers a question:
// "tidings.svc.edge.<tag>.connections". Each part is one literal token.
func (s Space) Service(service, tag, question string) string {
	return s.prefix + ".svc." + service + "." + tag + "." + question
}

// AnyService returns the subject on which whichever instance of a service is free answers
// a question: "tidings.svc.notifier.notify".
func (s Space) AnyService(service, question string) string {
	return s.prefix + ".svc." + service + "." + question
}

// Notify returns the subject on which plain publishes of notifications are stored until
// the notifier reads them: "tidings.notify".
func (s Space) Notify() string { return s.prefix + ".notify" }

// Notification returns the subject of one part of what is known about a notification:
// "tidings.notifications.<id>.request". Here and below each part is one token, or a wildcard.
func (s Space) Notification(id, part string) string {
	return s.prefix + ".notifications." + id + "." + part
}

// InboxItems returns the subject of the items of a user's inbox: "tidings.inbox.<user>.items".
func (s Space) InboxItems(user string) string { return s.prefix + ".inbox." + user + ".items" }

// InboxState returns the subject of what a user did with them: "tidings.inbox.<user>.state".
func (s Space) InboxState(user string) string { return s.prefix + ".inbox." + user + ".state" }

// Plan returns the subject of what shall happen at a time, to whom and for which
// notification: "tidings.schedule.<key>.<user>.<notification>".
func (s Space) Plan(key, user, notification string) string {
	return s.prefix + ".schedule." + key + "." + user + "." + notification
}

// Digest returns the subject of what a digest collected: "tidings.digests.<digest>.<key>".
func (s Space) Digest(digest, key string) string { return s.prefix + ".digests." + digest + "." + key }

// Job returns the subject of a job that waits for a channel's worker:
// "tidings.jobs.mail.<key>".
func (s Space) Job(channel, key string) string { return s.prefix + ".jobs." + channel + "." + key }

// Dead returns the subject of a job that was given up: "tidings.dead.mail.<key>".
func (s Space) Dead(channel, key string) string { return s.prefix + ".dead." + channel + "." + key }

// Receipt returns the subject of what became of a job: "tidings.receipts.<notification>.mail.<key>".
func (s Space) Receipt(notification, channel, key string) string {
	return s.prefix + ".receipts." + notification + "." + channel + "." + key
}

// EventTopic returns the topic of an event subject, or false when the subject is
// not one or its tail is not a canonical topic.
func (s Space) EventTopic(subj string) (Topic, bool) { return s.topic(subj, ".ev.") }

// EphemeralTopic is EventTopic for ephemeral subjects.
func (s Space) EphemeralTopic(subj string) (Topic, bool) { return s.topic(subj, ".eph.") }

func (s Space) topic(subj, kind string) (Topic, bool) {
	tail, ok := strings.CutPrefix(subj, s.prefix)
	if !ok {
		return "", false
	}
	if tail, ok = strings.CutPrefix(tail, kind); !ok {
		return "", false
	}
	if check(tail, false) != nil {
		return "", false
	}
	return Topic(tail), true
}
