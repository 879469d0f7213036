package stream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// open returns the log behind a connection.
func open(t *testing.T, conn *natsx.Conn, limits stream.Limits) *stream.NATS {
	t.Helper()
	l, err := stream.OpenNATS(t.Context(), conn, testkit.Space(t), limits, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// connect opens a connection for the test's time.
func connect(t *testing.T, cfg natsx.Config) *natsx.Conn {
	t.Helper()
	conn, err := natsx.Open(t.Context(), cfg, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// extent asks until the log answers.
func extent(t *testing.T, l stream.Log) (x stream.Extent) {
	t.Helper()
	testkit.Eventually(t, "the log to answer", func() bool {
		var err error
		x, err = l.Epoch(t.Context())
		return err == nil
	})
	return x
}

// name is the stream's.
func name(t *testing.T) string { return testkit.Space(t).Stream(stream.Name) }

// TestLostEnd restores an old copy of the store, as after a power cut or from a
// backup. What was seen after that copy is void: with nothing written since, and
// with so much written that the log is longer than ever.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	for title, written := range map[string]int{"and is shorter": 0, "and grew on": 20} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			dir, backup := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "backup")
			conn := connect(t, natsx.Config{Dir: dir})
			l := open(t, conn, testkit.Limits())
			for n := range 5 {
				put(t, l, "room.ops", n)
			}
			conn.Embedded().Stop()
			if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			start(t, conn)
			f := follow(t, l, event.Cursor{})
			var void event.Cursor
			testkit.Eventually(t, "appending to work again", func() bool {
				ack, err := l.Append(t.Context(), numbered("room.ops", 5), "")
				void = ack.Cursor
				return err == nil
			})
			void = put(t, l, "room.ops", 6).Cursor
			f.want(0, 1, 2, 3, 4, 5, 6)

			conn.Embedded().Stop()
			if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(backup))); err != nil {
				t.Fatal(err)
			}
			start(t, conn)
			testkit.Eventually(t, "the log to answer", func() bool { return conn.Connected() })
			for n := range written {
				if _, err := conn.JS.Publish(t.Context(), "tidings.ev.room.ops", []byte(strconv.Itoa(100+n))); err != nil {
					t.Fatal(err)
				}
			}
			f.wait("a new epoch", func() bool { return len(f.starts) == 2 })
			x := extent(t, l)
			now := f.starts[1]
			if now.Epoch != x.Epoch || now.Epoch == void.Epoch || now.Seq < 5 || now.Seq > x.Last {
				t.Errorf("following goes on after %v, the log is %+v", now, x)
			}
			put(t, l, "room.ops", 7)
			want := []int{0, 1, 2, 3, 4, 5, 6}
			for seq := now.Seq + 1; seq <= x.Last; seq++ { // it was noticed amid the writing
				want = append(want, int(100+seq-6))
			}
			f.want(append(want, 7)...)
			p, err := l.Range(t.Context(), stream.Query{Pattern: "room.ops", After: void})
			if err != nil || !p.Gone || p.Next.Epoch != x.Epoch || len(p.Entries) != 5+written+1 {
				t.Errorf("after a void cursor: gone %v, next %v, %d events, %v", p.Gone, p.Next, len(p.Entries), err)
			}
		})
	}
}

func start(t *testing.T, conn *natsx.Conn) {
	t.Helper()
	if err := conn.Embedded().Start(); err != nil {
		t.Fatal(err)
	}
}

// TestStreamMadeByHand: a stream an operator made, with what is in it, becomes
// the log.
func TestStreamMadeByHand(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	_, err := conn.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: name(t), Subjects: []string{"tidings.ev.>"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.JS.Publish(t.Context(), "tidings.ev.room.ops", []byte("0")); err != nil {
		t.Fatal(err)
	}
	l := open(t, conn, testkit.Limits())
	x := extent(t, l)
	if _, err := event.ParseCursor(x.Epoch + "-0"); err != nil || x.Messages != 1 || x.Last != 1 {
		t.Errorf("the log is %+v", x)
	}
	follow(t, l, event.Cursor{}).want(0)
	if again := extent(t, open(t, conn, testkit.Limits())); again.Epoch != x.Epoch {
		t.Errorf("opening again changed the epoch from %s to %s", x.Epoch, again.Epoch)
	}
}

func TestLimitsUpdated(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	limits := testkit.Limits()
	l := open(t, conn, limits)
	for n := range 5 {
		put(t, l, "room.ops", n)
	}
	before := extent(t, l)
	limits.PerTopic, limits.Age, limits.Bytes, limits.Replicas = 2, time.Hour, 1<<20, 3
	l = open(t, conn, limits)
	s, err := conn.JS.Stream(t.Context(), name(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	if cfg.MaxMsgsPerSubject != 2 || cfg.MaxAge != time.Hour || cfg.MaxBytes != 1<<20 || cfg.Replicas != 1 {
		t.Errorf("the limits are %+v", cfg)
	}
	if after := extent(t, l); after.Epoch != before.Epoch || after.Last != 5 || after.Messages != 2 {
		t.Errorf("the log is %+v, was %+v", after, before)
	}
	// Shorter than the window in which duplicates are known is still a valid age.
	limits.Age = time.Minute
	open(t, conn, limits)
}

// TestRangeLarge reads a hundred thousand events by pages.
func TestRangeLarge(t *testing.T) {
	t.Parallel()
	const total = 100_000
	limits := testkit.Limits()
	limits.PerTopic = total
	l, conn := testkit.EventLog(t, limits)
	for n := range total {
		topic := "tidings.ev.room." + []string{"a", "b"}[n%2]
		if _, err := conn.JS.PublishAsync(topic, strconv.AppendInt(nil, int64(n), 10), jetstream.WithStallWait(testkit.Patience)); err != nil {
			t.Fatal(err)
		}
	}
	<-conn.JS.PublishAsyncComplete()
	began := time.Now()
	entries := pages(t, l, stream.Query{Pattern: "room.*"})
	t.Logf("%d events in %v", len(entries), time.Since(began))
	if len(entries) != total {
		t.Fatalf("%d events, want %d", len(entries), total)
	}
	for i, n := range numbers(entries) {
		if n != i {
			t.Fatalf("event %d is %d", i, n)
		}
	}
	began = time.Now()
	p, err := l.Range(t.Context(), stream.Query{Pattern: "room.b", Last: 3})
	if got := numbers(p.Entries); err != nil || len(got) != 3 || got[0] != total-5 || got[2] != total-1 {
		t.Errorf("the last three are %v, %v", got, err)
	}
	t.Logf("the last three in %v", time.Since(began))
}

// TestExpired: what died of age is told to be gone, whoever asks.
func TestExpired(t *testing.T) {
	t.Parallel()
	limits := testkit.Limits()
	limits.Age = time.Second
	l, conn := testkit.EventLog(t, limits)
	f := follow(t, l, event.Cursor{})
	at := put(t, l, "room.quiet", 0).Cursor
	put(t, l, "room.quiet", 1)
	f.want(0, 1)
	testkit.Eventually(t, "the events to expire", func() bool { return extent(t, l).Messages == 0 })
	last := put(t, l, "room.loud", 2).Cursor
	for who, l := range map[string]stream.Log{"a follower": l, "another node": open(t, conn, limits)} {
		for after, gone := range map[event.Cursor]bool{at: true, last: false} {
			p, err := l.Range(t.Context(), stream.Query{Pattern: "room.quiet", After: after})
			if err != nil || p.Gone != gone || len(p.Entries) != 0 {
				t.Errorf("%s, after %v: gone %v with %d events, %v; want %v", who, after, p.Gone, len(p.Entries), err, gone)
			}
		}
	}
}

// TestNoiseIsNotLoss: a noisy topic moves the log's beginning. Who followed knows
// that a quiet topic lost nothing; who did not must fear it.
func TestNoiseIsNotLoss(t *testing.T) {
	t.Parallel()
	limits := testkit.Limits()
	limits.PerTopic = 5
	l, conn := testkit.EventLog(t, limits)
	f := follow(t, l, event.Cursor{})
	at := put(t, l, "room.loud", 0).Cursor
	for n := range 20 { // one by one: what the limit drops before it is followed is no noise but a loss
		put(t, l, "room.loud", n)
		f.wait("the noise", func() bool { return len(f.entries) == n+2 })
	}
	if x := extent(t, l); x.First < 10 {
		t.Fatalf("the log begins at %d", x.First)
	}
	for pattern, gone := range map[subject.Pattern]bool{"room.quiet": false, "user.*": false, "room.loud": true, "room.*": true, ">": true} {
		p, err := l.Range(t.Context(), stream.Query{Pattern: pattern, After: at})
		if err != nil || p.Gone != gone {
			t.Errorf("%s: gone %v, %v; want %v", pattern, p.Gone, err, gone)
		}
	}
	p, err := open(t, conn, limits).Range(t.Context(), stream.Query{Pattern: "room.quiet", After: at})
	if err != nil || !p.Gone {
		t.Errorf("one that did not follow: gone %v, %v; want true", p.Gone, err)
	}
}

// TestAppendAway: an append that was refused is not stored later behind the
// caller's back.
// TestManyFullTopics: that topics have reached their limit is no loss to a reader who
// is only a little behind, however many they are.
func TestManyFullTopics(t *testing.T) {
	t.Parallel()
	const topics, perTopic = 50, 100
	limits := testkit.Limits()
	limits.PerTopic = perTopic
	l, _ := testkit.EventLog(t, limits)
	last := event.Cursor{}
	for i := range topics * (perTopic + 1) {
		ack, err := l.Append(t.Context(), event.Event{Topic: subject.Room("full", strconv.Itoa(i%topics)), Type: "n", Data: []byte("1")}, "")
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Cursor
	}
	for behind, gone := range map[uint64]bool{1: false, perTopic: false, topics*perTopic + 1: true} {
		page, err := l.Range(t.Context(), stream.Query{Pattern: "room.full.*", After: event.Cursor{Epoch: last.Epoch, Seq: last.Seq - behind}, Limit: 1})
		if err != nil || page.Gone != gone {
			t.Errorf("%d behind: gone is %v, %v; want %v", behind, page.Gone, err, gone)
		}
	}
}

func TestAppendAway(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	put(t, l, "room.ops", 0)
	conn.Embedded().Stop()
	testkit.Eventually(t, "the loss to be noticed", func() bool { return !conn.Connected() })
	began := time.Now()
	if _, err := l.Append(t.Context(), numbered("room.ops", 1), ""); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v although the connection was known to be lost", took)
	}
	start(t, conn)
	if x := extent(t, l); x.Messages != 1 {
		t.Errorf("%d events are stored, want 1", x.Messages)
	}
	testkit.Eventually(t, "appending to work again", func() bool {
		_, err := l.Append(t.Context(), numbered("room.ops", 2), "k")
		return err == nil
	})
	follow(t, l, event.Cursor{}).want(0, 2)
}

// TestCanary: followers see it, topics do not, and the log forgets it by itself.
func TestCanary(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	f := follow(t, l, event.Cursor{})
	put(t, l, "room.ops", 0)
	ack, err := l.Canary(t.Context(), "edge.1", []byte("tweet"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "room.ops", 1)
	f.wait("the canary", func() bool { return len(f.entries) == 3 })
	e := f.entries[1]
	if e.Seq != ack.Cursor.Seq || string(e.Canary) != "tweet" || e.Event.Topic != "" || f.entries[0].Canary != nil {
		t.Errorf("followed %+v", f.entries)
	}
	if got := pages(t, l, stream.Query{Pattern: ">", Limit: 1}); len(got) != 2 {
		t.Errorf("%d events, want 2", len(got))
	}
	s, err := conn.JS.Stream(t.Context(), name(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), ack.Cursor.Seq)
	if err != nil || m.Header.Get(jetstream.MsgTTLHeader) != "30m0s" || !s.CachedInfo().Config.AllowMsgTTL {
		t.Errorf("the canary lives for %q, %v", m.Header.Get(jetstream.MsgTTLHeader), err)
	}
	// A minute is too long for a test: the server is shown to heed the header.
	brief, err := conn.JS.Publish(t.Context(), testkit.Space(t).Canary("n"), nil, jetstream.WithMsgTTL(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a canary to expire", func() bool {
		_, err := s.GetMsg(t.Context(), brief.Sequence)
		return errors.Is(err, jetstream.ErrMsgNotFound)
	})
	// What is gone from the middle is no loss to a topic.
	p, err := l.Range(t.Context(), stream.Query{Pattern: "room.ops", After: f.starts[0]})
	if err != nil || p.Gone || len(p.Entries) != 2 {
		t.Errorf("gone %v, %d events, %v", p.Gone, len(p.Entries), err)
	}
}

// TestStaleEpoch: an acknowledgement does not tell the epoch. One that is out of
// date is noticed after epochFresh, or at once by asking for it.
func TestStaleEpoch(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	other := open(t, conn, testkit.Limits())
	old := put(t, l, "room.ops", 0).Cursor.Epoch
	if err := conn.JS.DeleteStream(t.Context(), name(t)); err != nil {
		t.Fatal(err)
	}
	now := extent(t, other).Epoch
	if now == old {
		t.Fatal("the epoch outlived the stream")
	}
	began := time.Now()
	testkit.Eventually(t, "the new epoch", func() bool { return put(t, l, "room.ops", 1).Cursor.Epoch == now })
	t.Logf("noticed after %v", time.Since(began))
	if ack := put(t, other, "room.ops", 2); ack.Cursor.Epoch != now {
		t.Errorf("who asked for it acknowledges %v", ack.Cursor)
	}
}

// TestAccountFull: an account without room is told from one that is away.
func TestAccountFull(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		accounts { A { jetstream { max_file: 256KB }, users: [ { user: u, password: x } ] } }`)
	conn := connect(t, natsx.Config{URL: s.With("u:x")})
	limits := testkit.Limits()
	if _, err := stream.OpenNATS(t.Context(), conn, testkit.Space(t), limits, testkit.Log(t)); !errors.Is(err, natsx.ErrFull) || !errors.Is(err, stream.ErrFull) {
		t.Errorf("a log larger than the account: %v, want ErrFull", err)
	}
	limits.Bytes = 0
	l := open(t, conn, limits)
	ev := event.Event{Topic: "room.ops", Data: []byte(strings.Repeat("x", 100<<10))}
	var err error
	for range 4 {
		if _, err = l.Append(t.Context(), ev, ""); err != nil {
			break
		}
	}
	if !errors.Is(err, stream.ErrFull) || errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

// TestStreamFull: so is a stream that an operator told to refuse new events.
func TestStreamFull(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	alter(t, conn, func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, 1 })
	put(t, l, "room.ops", 0)
	if _, err := l.Append(t.Context(), numbered("room.ops", 1), ""); !errors.Is(err, stream.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	ev := event.Event{Topic: "room.ops", Data: make([]byte, event.MaxData)}
	if _, err := l.Append(t.Context(), ev, ""); err != nil {
		t.Errorf("the largest event: %v", err)
	}
	ev.Data = make([]byte, 1<<20+1)
	if _, err := l.Append(t.Context(), ev, ""); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("over the server's limit: %v, want ErrTooLarge", err)
	}
	alter(t, conn, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 })
	ev.Data = make([]byte, 1001)
	if _, err := l.Append(t.Context(), ev, ""); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("over the stream's limit: %v, want ErrTooLarge", err)
	}
}

// alter changes the stream by an operator's hand.
func alter(t *testing.T, conn *natsx.Conn, change func(*jetstream.StreamConfig)) {
	t.Helper()
	s, err := conn.JS.Stream(t.Context(), name(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	change(&cfg)
	if _, err := conn.JS.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnly: credentials that may read and not write follow and range, and
// their append is refused at once and not after a wait for an answer.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		authorization { users: [
			{ user: writer, password: x }
			{ user: reader, password: x, permissions: { publish: { deny: ["tidings.>"] } } }
			{ user: stranger, password: x, permissions: { publish: { allow: ["$JS.API.INFO", "$JS.API.STREAM.INFO.>"] } } }
		] }`)
	writer := open(t, connect(t, natsx.Config{URL: s.With("writer:x")}), testkit.Limits())
	put(t, writer, "room.ops", 0)
	reader := open(t, connect(t, natsx.Config{URL: s.With("reader:x")}), testkit.Limits())
	follow(t, reader, event.Cursor{}).want(0)
	if got := pages(t, reader, stream.Query{Pattern: ">"}); len(got) != 1 {
		t.Errorf("%d events, want 1", len(got))
	}
	began := time.Now()
	_, err := reader.Append(t.Context(), numbered("room.ops", 1), "")
	if !errors.Is(err, stream.ErrDenied) || errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append: %v, want ErrDenied", err)
	}
	if _, err := reader.Canary(t.Context(), "n", nil); !errors.Is(err, stream.ErrDenied) {
		t.Errorf("canary: %v, want ErrDenied", err)
	}
	stranger := open(t, connect(t, natsx.Config{URL: s.With("stranger:x")}), testkit.Limits())
	if _, err := stranger.Range(t.Context(), stream.Query{Pattern: ">"}); !errors.Is(err, stream.ErrDenied) {
		t.Errorf("range: %v, want ErrDenied", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("three refusals took %v", took)
	}
	health := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = stranger.Follow(ctx, event.Cursor{}, stream.Handler{
		Epoch: func(event.Cursor) {}, Entry: func(stream.Entry) {},
		Health: func(_ uint64, err error) {
			select {
			case health <- err:
			default:
			}
			cancel()
		},
	})
	if told := <-health; !errors.Is(told, stream.ErrDenied) || !errors.Is(err, context.Canceled) {
		t.Errorf("follow: told %v, want ErrDenied; ended with %v", told, err)
	}
}
