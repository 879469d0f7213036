package stream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// The feeds, below the prefix: streams of people's inboxes whose messages NATS also
// stores in the log, as events of the person's own topic.
const (
	// NameInbox holds the items of all inboxes.
	NameInbox = "INBOX"
	// NameInboxState holds what each person did with theirs, the last word only. It is a
	// stream of its own because a stream has one limit for all its subjects. A roll-up
	// instead would be carried into the log, where it clears the person's whole topic on
	// the day that the log allows roll-ups.
	NameInboxState = "INBOXSTATE"
)

const (
	// anyUser stands for a person in subjects, and sameUser for the same person in what
	// such a subject is turned into.
	anyUser  = "*"
	sameUser = "user.{{wildcard(1)}}"
	// inboxItems is how many items of a person are kept until somebody says otherwise.
	inboxItems = 200
)

// Feeds returns how the feeds look, NameInbox first, without limits of age and size:
// those belong to who fills them.
func Feeds(space subject.Space) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: space.Stream(NameInbox), Description: "Tidings: the items of people's inboxes",
			Subjects: []string{space.InboxItems(anyUser)}, MaxMsgsPerSubject: inboxItems,
			Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage, AllowDirect: true, AllowMsgTTL: true,
		},
		{
			Name: space.Stream(NameInboxState), Description: "Tidings: what people did with the items of their inboxes",
			Subjects: []string{space.InboxState(anyUser)}, MaxMsgsPerSubject: 1,
			// A mark that is dropped would make items unread again: rather refuse new ones.
			Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, AllowDirect: true, AllowMsgTTL: true,
		},
	}
}

// sources are the feeds as the log sees them. NATS remembers how far it has read each;
// where it does not know, as in a new log, it begins with the first message: it would
// else begin at the time of the log's last event, and what was stored before is lost.
func sources(space subject.Space) []*jetstream.StreamSource {
	var list []*jetstream.StreamSource
	for _, feed := range Feeds(space) {
		list = append(list, &jetstream.StreamSource{
			Name: feed.Name, OptStartSeq: 1,
			SubjectTransforms: []jetstream.SubjectTransformConfig{
				{Source: feed.Subjects[0], Destination: space.Events(sameUser)},
			},
		})
	}
	return list
}

// ensureFeeds makes feeds that do not exist, because NATS tries a source that is not
// there again only after 12 seconds, and then after up to two minutes. Those that exist
// are left alone. Where these credentials may not make them, or there is no room, the log
// does without them until somebody else does.
func (l *NATS) ensureFeeds(ctx context.Context) error {
	for _, feed := range Feeds(l.space) {
		feed.Replicas = l.config.Replicas
		err := l.conn.Guard(ctx, func(ctx context.Context) error {
			_, err := l.conn.Stream(ctx, feed)
			return err
		}, "$JS.API.STREAM.INFO."+feed.Name, "$JS.API.STREAM.CREATE."+feed.Name)
		err = natsx.Classify(err)
		if errors.Is(err, natsx.ErrReadOnly) || errors.Is(err, natsx.ErrFull) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
