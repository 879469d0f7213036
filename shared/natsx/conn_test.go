package natsx_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

// wanted is a stream with little said, so that the server fills in the rest.
func wanted() jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Metadata: map[string]string{"made-by": "first"}}
}

func ensure(t *testing.T, c *natsx.Conn, want jetstream.StreamConfig) *jetstream.StreamInfo {
	t.Helper()
	info, err := c.EnsureStream(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestEnsureStreamAgain: an unchanged stream costs a look and no update.
func TestEnsureStreamAgain(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	full := jetstream.StreamConfig{
		Name: "F", Description: "all set", Subjects: []string{"f"}, MaxAge: time.Minute, MaxBytes: 1 << 20, MaxMsgs: 7,
		MaxMsgsPerSubject: 3, Duplicates: time.Second, AllowDirect: true, AllowMsgTTL: true, DenyDelete: true, Discard: jetstream.DiscardNew,
	}
	short := jetstream.StreamConfig{Name: "H", Subjects: []string{"h"}, MaxAge: time.Second}
	for _, want := range []jetstream.StreamConfig{wanted(), full, short} {
		first := ensure(t, c, want)
		// The request comes by here before its answer does, on the same connection.
		updates, err := c.NC.SubscribeSync("$JS.API.STREAM.UPDATE." + want.Name)
		if err != nil {
			t.Fatal(err)
		}
		seen := func() int {
			n, _, _ := updates.Pending()
			return n
		}
		if again := ensure(t, c, want); !again.Created.Equal(first.Created) || seen() != 0 {
			t.Errorf("%s was made again or updated without need: %+v", want.Name, again.Config)
		}
		want.Description = "changed"
		ensure(t, c, want)
		testkit.Eventually(t, want.Name+"'s update to be seen", func() bool { return seen() == 1 })
	}
}

func TestEnsureStreamConcurrently(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	var wg sync.WaitGroup
	created := make([]time.Time, 8)
	for i := range created {
		wg.Go(func() {
			want := wanted()
			want.Metadata["made-by"] = time.Duration(i).String()
			info, err := c.EnsureStream(t.Context(), want)
			if err != nil {
				t.Error(err)
				return
			}
			created[i] = info.Created
		})
	}
	wg.Wait()
	for _, at := range created {
		if !at.Equal(created[0]) {
			t.Errorf("made at %v and at %v", at, created[0])
		}
	}
}

func TestEnsureStreamUpdates(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	made := wanted()
	made.Metadata["operator"] = "kept"
	made.AllowMsgTTL, made.DenyDelete = true, true
	if _, err := c.JS.CreateStream(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	want := wanted()
	want.Metadata = map[string]string{"made-by": "second", "new": "yes"}
	want.MaxAge, want.MaxBytes, want.MaxMsgs, want.MaxMsgsPerSubject = time.Hour, 1<<20, 100, 10
	want.Subjects = []string{"s.>", "t"}
	want.Storage, want.Replicas = jetstream.MemoryStorage, 3
	got := ensure(t, c, want).Config
	for name, kept := range map[string]string{"made-by": "first", "operator": "kept", "new": "yes"} {
		if got.Metadata[name] != kept {
			t.Errorf("metadata %s = %q, want %q", name, got.Metadata[name], kept)
		}
	}
	if got.MaxAge != time.Hour || got.MaxBytes != 1<<20 || got.MaxMsgs != 100 || got.MaxMsgsPerSubject != 10 || len(got.Subjects) != 2 {
		t.Errorf("the limits are %+v", got)
	}
	if got.Storage != jetstream.FileStorage || got.Replicas != 1 || !got.AllowMsgTTL || !got.DenyDelete {
		t.Errorf("an operator's choice or a point of no return changed: %+v", got)
	}
	// And back: a limit that is not set is no limit.
	if got := ensure(t, c, wanted()).Config; got.MaxAge != 0 || got.MaxBytes != -1 || got.MaxMsgs != -1 || got.MaxMsgsPerSubject != -1 {
		t.Errorf("the limits are %+v", got)
	}
}

func TestEnsureStreamFails(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		accounts {
			A {
				jetstream { max_file: 1MB, max_streams: 1 }
				users: [
					{ user: writer, password: x }
					{ user: reader, password: x, permissions: { publish: { allow: ["$JS.API.INFO", "$JS.API.STREAM.INFO.>"] } } }
				]
			}
		}`)
	open := func(user string) *natsx.Conn {
		c, err := natsx.Open(t.Context(), natsx.Config{URL: s.With(user + ":x")}, testkit.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	writer, reader := open("writer"), open("reader")
	fails := func(c *natsx.Conn, want jetstream.StreamConfig, kind error) {
		t.Helper()
		if _, err := c.EnsureStream(t.Context(), want); !errors.Is(err, kind) {
			t.Errorf("got %v, want %v", err, kind)
		}
	}
	big := wanted()
	big.MaxBytes = 1 << 30
	fails(writer, big, natsx.ErrFull)
	fails(reader, wanted(), natsx.ErrReadOnly)
	ensure(t, writer, wanted())
	ensure(t, reader, wanted()) // there is nothing to write
	other := wanted()
	other.Description = "other"
	fails(reader, other, natsx.ErrReadOnly)
	other.Name, other.Subjects = "T", []string{"t"}
	fails(writer, other, natsx.ErrFull)
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := writer.EnsureStream(ctx, wanted()); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("got %v, want ErrAway", err)
	}
}

// TestGuard: a refused publish ends the call at once, with the server's words,
// and no other call.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		authorization { users: [ { user: u, password: x, permissions: { publish: { deny: ["no", "never.>"] } } } ] }`)
	c, err := natsx.Open(t.Context(), natsx.Config{URL: s.With("u:x")}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	publish := func(subject string) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := c.NC.Publish(subject, nil); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	other, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Guard(other, publish("noon"), "noon", "never") }()
	for subject, guarded := range map[string]string{"no": "no", "never.ever": "never.>"} {
		err := natsx.Classify(c.Guard(t.Context(), publish(subject), "yes", guarded))
		if !errors.Is(err, natsx.ErrReadOnly) {
			t.Errorf("%s: got %v, want ErrReadOnly", subject, err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was not refused got %v", err)
	}
	if err := c.Guard(t.Context(), func(context.Context) error { return nil }, "no"); err != nil {
		t.Errorf("a call that went well got %v", err)
	}
}

func TestStatsEmbedded(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	want := wanted()
	want.MaxAge, want.MaxBytes = time.Hour, 1<<20
	ensure(t, c, want)
	for range 3 {
		if _, err := c.JS.Publish(t.Context(), "s.a", []byte("12345")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Name == "" || got.Version == "" || !got.ServerKnown || got.InMsgs < 3 || got.InBytes < 15 || got.OutMsgs == 0 || got.OutBytes == 0 ||
		got.Connections != 1 || got.Subscriptions == 0 || got.MemBytes == 0 || got.SlowConsumers != 0 {
		t.Errorf("the server: %+v", got)
	}
	if len(got.Streams) != 1 {
		t.Fatalf("streams: %+v", got.Streams)
	}
	s := got.Streams[0]
	if s.Bytes == 0 {
		t.Error("three messages have no bytes")
	}
	s.Bytes = 0
	if s != (natsx.StreamStats{Name: "S", Messages: 3, First: 1, Last: 3, MaxBytes: 1 << 20, MaxAge: time.Hour}) {
		t.Errorf("the stream: %+v", s)
	}
	c.Embedded().Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got, err := c.Stats(ctx); !errors.Is(err, natsx.ErrAway) || got.ServerKnown {
		t.Errorf("of a stopped server: %+v, %v", got, err)
	}
}

func TestStatsExternal(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "server_name: outside\njetstream: enabled\nhttp: 127.0.0.1:-1")
	for name, c := range map[string]struct {
		monitor string
		known   bool
	}{
		"with a monitoring port": {s.MonitorURL(), true},
		"with a slash":           {s.MonitorURL() + "/", true},
		"without":                {"", false},
		"with a wrong one":       {"http://127.0.0.1:1", false},
		"with a wrong path":      {s.MonitorURL() + "/nowhere", false},
		"with something else":    {s.MonitorURL() + "/healthz?", false},
		"with what is no URL":    {":", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := natsx.Open(t.Context(), natsx.Config{URL: s.URL(), MonitorURL: c.monitor}, testkit.Log(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if conn.Embedded() != nil {
				t.Error("an external server is embedded")
			}
			got, err := conn.Stats(t.Context())
			if err != nil || got.Name != "outside" || got.Version == "" || got.ServerKnown != c.known || (got.MemBytes > 0) != c.known {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	want := wanted()
	want.MaxAge, want.MaxMsgsPerSubject = time.Hour, 7
	ensure(t, c, want)
	ensure(t, c, jetstream.StreamConfig{Name: "EMPTY", Subjects: []string{"e"}, Storage: jetstream.MemoryStorage})
	for range 3 {
		if _, err := c.JS.Publish(t.Context(), "s.a", []byte("12345")); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := c.JS.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	worker, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Next(); err != nil {
		t.Fatal(err)
	}
	list, err := c.Details(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%d streams, %v", len(list), err)
	}
	empty, s := list[0], list[1]
	if empty.Name == "S" {
		empty, s = s, empty
	}
	if !empty.Memory || !empty.FirstTime.IsZero() || len(empty.List) != 0 || empty.Created.IsZero() {
		t.Errorf("the empty one: %+v", empty)
	}
	if s.Memory || s.FirstTime.IsZero() || s.LastTime.Before(s.FirstTime) || s.MaxPerSubject != 7 || s.MaxMessages != -1 || s.MaxAge != time.Hour || s.Replicas != 1 || len(s.Subjects) != 1 {
		t.Errorf("the stream: %+v", s)
	}
	if len(s.List) != 1 || s.More {
		t.Fatalf("consumers: %+v", s.List)
	}
	k := s.List[0]
	if k.LastActive.IsZero() || k.Created.IsZero() {
		t.Errorf("the consumer: %+v", k)
	}
	k.LastActive, k.Created = time.Time{}, time.Time{}
	if k != (natsx.ConsumerStats{Name: "worker", Durable: true, Delivered: 1, Pending: 2, AckPending: 1}) {
		t.Errorf("the consumer: %+v", k)
	}
	c.Embedded().Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Details(ctx); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("of a stopped server: %v", err)
	}
}
