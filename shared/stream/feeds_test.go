package stream_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// feed stores a numbered message in a person's inbox, again and again if it must.
func feed(t *testing.T, conn *natsx.Conn, token string, n int) {
	t.Helper()
	testkit.Eventually(t, "a feed to take a message", func() bool {
		m := &nats.Msg{
			Subject: testkit.Space(t).InboxItems(token), Data: []byte(strconv.Itoa(n)),
			Header: nats.Header{event.HeaderType: {"inbox.item"}},
		}
		_, err := conn.JS.PublishMsg(t.Context(), m, jetstream.WithRetryAttempts(0))
		return err == nil
	})
}

// events returns the numbers of a topic's events.
func events(t *testing.T, l stream.Log, topic subject.Topic) []int {
	t.Helper()
	var list []stream.Entry
	testkit.Eventually(t, "the log to answer", func() bool {
		p, err := l.Range(t.Context(), stream.Query{Pattern: subject.Pattern(topic)})
		list = p.Entries
		return err == nil
	})
	return numbers(list)
}

func wantEvents(t *testing.T, l stream.Log, topic subject.Topic, want ...int) {
	t.Helper()
	testkit.Eventually(t, "the feed to be in the log", func() bool { return len(events(t, l, topic)) >= len(want) })
	if got := events(t, l, topic); !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", topic, got, want)
	}
}

// makeFeeds makes the feeds as who fills them would.
func makeFeeds(t *testing.T, conn *natsx.Conn) {
	t.Helper()
	for _, c := range stream.Feeds(testkit.Space(t)) {
		if _, err := conn.EnsureStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFeed: what is stored in an inbox is an event of its owner, between other events and
// without disturbing them.
func TestFeed(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	l := open(t, conn, testkit.Limits())
	f := follow(t, l, event.Cursor{})
	put(t, l, "user.ann=40example", 0)
	feed(t, conn, "ann=40example", 1)
	f.wait("the item", func() bool { return len(f.entries) == 2 })
	if e := f.entries[1].Event; e.Topic != "user.ann=40example" || e.Type != "inbox.item" {
		t.Errorf("the item is %+v", e)
	}
	feed(t, conn, "~", 2) // nobody: an entry, and no event
	f.wait("an entry that is no event", func() bool { return len(f.entries) == 3 })
	if e := f.entries[2]; e.Event.Topic != "" || e.Canary != nil {
		t.Errorf("what is nobody's is %+v", e)
	}
	for range 2 { // a key is a key, whatever came between
		if _, err := l.Append(t.Context(), numbered("user.ann=40example", 3), "key"); err != nil {
			t.Fatal(err)
		}
	}
	m := &nats.Msg{Subject: testkit.Space(t).InboxItems("bob"), Data: []byte("4")}
	if _, err := conn.JS.PublishMsg(t.Context(), m, jetstream.WithMsgTTL(time.Second), jetstream.WithExpectLastSequencePerSubject(0)); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, l, "user.bob", 4)
	testkit.Eventually(t, "it to expire in the log too", func() bool { return len(events(t, l, "user.bob")) == 0 })
	wantEvents(t, l, "user.ann=40example", 0, 1, 3)
	// A roll-up would be taken into the log as one.
	m.Header = nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}
	if _, err := conn.JS.PublishMsg(t.Context(), m); err == nil {
		t.Error("a feed takes roll-ups")
	}
}

// TestFeedsOfOldLog: a log from before there were feeds gets them in place, also when it
// has lost its beginning and has newer events than the feeds; opening it again changes
// nothing.
func TestFeedsOfOldLog(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	_, err := conn.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: name(t), Subjects: []string{"tidings.ev.>"}, MaxMsgsPerSubject: 1})
	if err != nil {
		t.Fatal(err)
	}
	makeFeeds(t, conn)
	for n := range 3 {
		feed(t, conn, "ann", n)
		if _, err := conn.JS.Publish(t.Context(), "tidings.ev.room.ops", []byte("7")); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, conn, testkit.Limits())
	x := extent(t, l)
	wantEvents(t, l, "user.ann", 0, 1, 2)
	updates, err := conn.NC.SubscribeSync("$JS.API.STREAM.UPDATE.>")
	if err != nil {
		t.Fatal(err)
	}
	again := extent(t, open(t, conn, testkit.Limits()))
	feed(t, conn, "ann", 3)
	wantEvents(t, l, "user.ann", 0, 1, 2, 3)
	if n, _, _ := updates.Pending(); n != 0 || again.Epoch != x.Epoch {
		t.Errorf("opening again took %d updates, epoch %s after %s", n, again.Epoch, x.Epoch)
	}
}

// TestFeedReplay restarts NATS when the log has nothing of a feed any more. It knows how
// far it was from a file that servers before 2.15 don't have; without it, only what the
// log still has of the feed keeps the feed from being played from its beginning again.
func TestFeedReplay(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		forget, tick bool
		replayed     int
	}{
		"with the file":         {false, false, 0},
		"without it":            {true, false, 5},
		"without it, a tick":    {true, true, 0},
		"with the file, a tick": {false, true, 0},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			conn := connect(t, natsx.Config{Dir: dir})
			l := open(t, conn, testkit.Limits())
			for n := range 5 {
				feed(t, conn, "ann", n)
			}
			wantEvents(t, l, "user.ann", 0, 1, 2, 3, 4)
			purge(t, conn, "user.ann") // as age does
			if c.tick {
				before := extent(t, l)
				feed(t, conn, "~", 0)
				testkit.Eventually(t, "the tick", func() bool { return extent(t, l).Last > before.Last })
			}
			put(t, l, "room.ops", 0)
			conn.Embedded().Stop()
			if found := forget(t, dir, c.forget); found != 1 {
				t.Errorf("%d files remember sources", found)
			}
			start(t, conn)
			feed(t, conn, "bob", 1)
			wantEvents(t, l, "user.bob", 1)
			if got := events(t, l, "user.ann"); len(got) != c.replayed {
				t.Errorf("%v came again, want %d", got, c.replayed)
			}
		})
	}
}

// purge removes a topic's events.
func purge(t *testing.T, conn *natsx.Conn, topic subject.Topic) {
	t.Helper()
	s, err := conn.JS.Stream(t.Context(), name(t))
	if err == nil {
		err = s.Purge(t.Context(), jetstream.WithPurgeSubject(testkit.Space(t).Events(subject.Pattern(topic))))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forget finds the files in which a stopped server remembers sources, and removes them.
func forget(t *testing.T, dir string, remove bool) (found int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "sources.db" {
			return err
		}
		found++
		if remove {
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFeedsNotAllowed: credentials that may make the log and nothing else make it.
func TestFeedsNotAllowed(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		authorization { users: [
			{ user: all, password: x }
			{ user: edge, password: x, permissions: { publish: { deny: [
				"$JS.API.STREAM.*.tidings_INBOX", "$JS.API.STREAM.*.tidings_INBOXSTATE" ] } } }
		] }`)
	l := open(t, connect(t, natsx.Config{URL: s.With("edge:x")}), testkit.Limits())
	put(t, l, "room.ops", 0)
	conn := connect(t, natsx.Config{URL: s.With("all:x")})
	if _, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(stream.NameInbox)); err == nil {
		t.Error("the feed was made")
	}
	makeFeeds(t, conn)
	feed(t, conn, "ann", 1)
	wantEvents(t, l, "user.ann", 1)
}
