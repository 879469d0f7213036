package suppress_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/suppress"
	"tidings/shared/testkit"
)

// TestMain fails the run if a list leaves something running.
func TestMain(m *testing.M) { testkit.Main(m) }

func open(t *testing.T, c *natsx.Conn) *suppress.List {
	t.Helper()
	l, err := suppress.Open(t.Context(), c, testkit.Space(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// of returns the reasons for an address of mail as "cause/category …".
func of(t *testing.T, l *suppress.List, address string) string {
	t.Helper()
	entries, err := l.Of(t.Context(), "mail", address)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, string(e.Cause)+"/"+e.Category)
	}
	return strings.Join(s, " ")
}

func add(t *testing.T, l *suppress.List, address string, e suppress.Entry) {
	t.Helper()
	if err := l.Add(t.Context(), "mail", address, e); err != nil {
		t.Fatal(err)
	}
}

// remove takes a general reason back.
func remove(t *testing.T, l *suppress.List, address string, cause suppress.Cause) error {
	t.Helper()
	hash, err := suppress.Hash("mail", address)
	if err != nil {
		t.Fatal(err)
	}
	return l.RemoveHashed(t.Context(), "mail", hash, cause, "")
}

func TestList(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	if got := of(t, l, "ann@example.com"); got != "" {
		t.Errorf("a new list has %q", got)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	add(t, l, "Ann@Example.com", suppress.Entry{Cause: suppress.Bounced, At: at, Detail: "first"})
	add(t, l, "ann@example.com ", suppress.Entry{Cause: suppress.Bounced, Detail: "second"})
	add(t, l, "ann@example.com", suppress.Entry{Cause: suppress.Unsubscribed, Category: "orders"})
	add(t, l, "ann@example.com", suppress.Entry{Cause: suppress.Unsubscribed})
	if got := of(t, open(t, c), "ANN@example.com"); got != "bounced/ unsubscribed/orders unsubscribed/" {
		t.Errorf("another list has %q", got)
	}
	entries, err := l.Of(t.Context(), "mail", "ann@example.com")
	if err != nil || !entries[0].At.Equal(at) || entries[0].Detail != "first" {
		t.Errorf("adding twice changed the entry: %+v, %v", entries, err)
	}
	if sms, err := l.Of(t.Context(), "sms", "ann@example.com"); err != nil || len(sms) != 0 {
		t.Errorf("another channel has %v, %v", sms, err)
	}
	if err := remove(t, l, "ann@example.com", suppress.Unsubscribed); err != nil {
		t.Fatal(err)
	}
	if got := of(t, l, "ann@example.com"); got != "bounced/ unsubscribed/orders" {
		t.Errorf("after lifting one: %q", got)
	}
	if err := remove(t, l, "nobody@example.com", suppress.Bounced); err != nil {
		t.Errorf("lift nothing: %v", err)
	}
	for range 2 {
		if err := l.Clear(t.Context(), "mail", "ann@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	if got := of(t, l, "ann@example.com"); got != "" {
		t.Errorf("after clearing: %q", got)
	}
	add(t, l, "ann@example.com", suppress.Entry{Cause: suppress.Blocked})
	if got := of(t, l, "ann@example.com"); got != "blocked/" {
		t.Errorf("put back: %q", got)
	}
	if err := remove(t, l, "ann@example.com", suppress.Blocked); err != nil || of(t, l, "ann@example.com") != "" {
		t.Errorf("lift the last: %v", err)
	}
}

// TestHashed: a link holds the hash only.
func TestHashed(t *testing.T) {
	t.Parallel()
	l := open(t, testkit.NATS(t))
	hash, err := suppress.Hash("mail", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddHashed(t.Context(), "mail", hash, suppress.Entry{Cause: suppress.Unsubscribed, Category: "news"}); err != nil {
		t.Fatal(err)
	}
	entries, err := l.OfHashed(t.Context(), "mail", hash)
	if got := of(t, l, "ann@example.com"); err != nil || got != "unsubscribed/news" || len(entries) != 1 {
		t.Errorf("got %q, %v", got, err)
	}
	if err := l.RemoveHashed(t.Context(), "mail", hash, suppress.Unsubscribed, "news"); err != nil || of(t, l, "ann@example.com") != "" {
		t.Errorf("removed: %v", err)
	}
}

// TestNoAddress: who reads the buckets learns no address.
func TestNoAddress(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	add(t, l, "ann@example.com", suppress.Entry{Cause: suppress.Complained})
	hash, err := suppress.Hash("mail", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Strike(t.Context(), "mail", hash, "k", time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tidings_suppressed", "tidings_strikes"} {
		kv, err := c.JS.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := kv.Keys(t.Context())
		if err != nil || len(keys) != 1 || keys[0] != "mail."+hash {
			t.Fatalf("%s: keys %q, %v", name, keys, err)
		}
		e, err := kv.Get(t.Context(), keys[0])
		if err != nil || strings.Contains(string(e.Value()), "ann") {
			t.Errorf("%s: %s, %v", name, e.Value(), err)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ channel, a, b string }{
		{"mail", "ann@example.com", " ANN@Example.COM\n"},
		{"mail", "ann@bücher.example", "ann@xn--bcher-kva.example"},
		{"mail", "jose\u0301@example.com", "jos\u00e9@example.com"},
		{"mail", "a@b@example.com", "A@b@example.com"},
		{"sms", "+4915112345678", "+4915112345678"},
	} {
		a, errA := suppress.Hash(c.channel, c.a)
		b, errB := suppress.Hash(c.channel, c.b)
		if a != b || a == "" || errA != nil || errB != nil {
			t.Errorf("%q and %q differ: %v %v", c.a, c.b, errA, errB)
		}
	}
	for _, c := range []struct{ channel, a, b string }{
		{"mail", "ann@example.com", "an.n@example.com"},
		{"mail", "ann_@ex_ample.com", "ann_@ex_ample.co"},
		{"push", "https://example.com/A", "https://example.com/a"},
	} {
		a, errA := suppress.Hash(c.channel, c.a)
		b, errB := suppress.Hash(c.channel, c.b)
		if a == b || errA != nil || errB != nil {
			t.Errorf("%q and %q are one: %v %v", c.a, c.b, errA, errB)
		}
	}
	for _, c := range []struct{ channel, address string }{
		{"mail", ""},
		{"mail", "  "},
		{"", "a@b"},
		{"ma.il", "a@b"},
		{"mail>", "a@b"},
		{"mäil", "a@b"},
		{strings.Repeat("m", 65), "a@b"},
		{"mail", strings.Repeat("a", 2049)},
	} {
		if _, err := suppress.Hash(c.channel, c.address); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("%.20q %.20q: %v", c.channel, c.address, err)
		}
	}
}

// FuzzHash: every address has a hash that can be used as a key, or an error; and
// writing it in capitals changes nothing.
func FuzzHash(f *testing.F) {
	for _, s := range []string{"ann@example.com", "@", "a@", "ann@bücher.example", "\xff@\xff", "İ@İ.example", "a@xn--\xff", "ß@ẞ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := suppress.Hash("mail", s)
		if (err == nil) != (len(h) == 64) {
			t.Errorf("%q: %q, %v", s, h, err)
		}
		again, err2 := suppress.Hash("mail", " "+s+" ")
		if len(s) < 1000 && (h != again || (err == nil) != (err2 == nil)) {
			t.Errorf("%q: %q and %q", s, h, again)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	l := open(t, testkit.NATS(t))
	for _, e := range []suppress.Entry{{}, {Cause: "angry"}, {Cause: suppress.Bounced, Category: strings.Repeat("c", 129)}, {Cause: suppress.Bounced, Category: "\xff"}} {
		if err := l.Add(t.Context(), "mail", "a@b", e); !errors.Is(err, suppress.ErrEntry) {
			t.Errorf("%.40v: %v", e, err)
		}
	}
	for _, hash := range []string{"", "ann@example.com", strings.Repeat("A", 64), strings.Repeat("a", 63) + "*"} {
		if err := l.AddHashed(t.Context(), "mail", hash, suppress.Entry{Cause: suppress.Bounced}); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("add %q: %v", hash, err)
		}
		if err := l.RemoveHashed(t.Context(), "mail", hash, suppress.Bounced, ""); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("remove %q: %v", hash, err)
		}
		if _, err := l.OfHashed(t.Context(), "mail", hash); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("of %q: %v", hash, err)
		}
		if _, err := l.Strike(t.Context(), "mail", hash, "k", time.Hour); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("strike %q: %v", hash, err)
		}
	}
	_, ofErr := l.Of(t.Context(), "mail", "")
	for i, err := range []error{
		ofErr,
		l.Add(t.Context(), "mail", "", suppress.Entry{Cause: suppress.Bounced}),
		l.Clear(t.Context(), "", "a@b"),
	} {
		if !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestBounds: details are cut between characters, and an address has so many reasons
// at most.
func TestBounds(t *testing.T) {
	t.Parallel()
	l := open(t, testkit.NATS(t))
	add(t, l, "a@b", suppress.Entry{Cause: suppress.Bounced, Detail: strings.Repeat("ä", 200) + "\xff"})
	entries, err := l.Of(t.Context(), "mail", "a@b")
	if err != nil || entries[0].Detail != strings.Repeat("ä", 128) {
		t.Errorf("detail %q, %v", entries[0].Detail, err)
	}
	for i := range suppress.MaxEntries {
		add(t, l, "full@b", suppress.Entry{Cause: suppress.Unsubscribed, Category: fmt.Sprint("c", i)})
	}
	if err := l.Add(t.Context(), "mail", "full@b", suppress.Entry{Cause: suppress.Unsubscribed, Category: "one more"}); !errors.Is(err, suppress.ErrFull) {
		t.Errorf("one more: %v", err)
	}
	add(t, l, "full@b", suppress.Entry{Cause: suppress.Unsubscribed, Category: "c0"})
}

// TestConcurrent: who changes the same address at the same time loses nothing.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	lists := []*suppress.List{open(t, c), open(t, c)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := lists[i%2].Add(t.Context(), "mail", "a@b", suppress.Entry{Cause: suppress.Unsubscribed, Category: fmt.Sprint(i)}); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if entries, err := lists[0].Of(t.Context(), "mail", "a@b"); err != nil || len(entries) != 8 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	unsubscribed, orders := suppress.Entry{Cause: suppress.Unsubscribed}, suppress.Entry{Cause: suppress.Unsubscribed, Category: "orders"}
	for _, c := range []struct {
		name          string
		entries       []suppress.Entry
		category      string
		transactional bool
		want          suppress.Cause
	}{
		{"nothing", nil, "orders", false, ""},
		{"general", []suppress.Entry{unsubscribed}, "orders", false, suppress.Unsubscribed},
		{"general, transactional", []suppress.Entry{unsubscribed}, "orders", true, ""},
		{"category", []suppress.Entry{orders}, "orders", false, suppress.Unsubscribed},
		{"category, transactional", []suppress.Entry{orders}, "orders", true, suppress.Unsubscribed},
		{"another category", []suppress.Entry{orders}, "news", false, ""},
		{"no category", []suppress.Entry{orders}, "", false, ""},
		{"bounced", []suppress.Entry{{Cause: suppress.Bounced}}, "orders", true, suppress.Bounced},
		{"complained", []suppress.Entry{unsubscribed, {Cause: suppress.Complained}}, "orders", true, suppress.Complained},
		{"opted out", []suppress.Entry{{Cause: suppress.OptedOut}}, "", true, suppress.OptedOut},
		{"unknown", []suppress.Entry{{Cause: "later"}}, "", true, "later"},
	} {
		got, ok := suppress.Stops(c.entries, c.category, c.transactional)
		if got.Cause != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", c.name, got.Cause, ok)
		}
	}
}

func TestStrike(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	hash, err := suppress.Hash("mail", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	strike := func(id string, window time.Duration, want int) {
		t.Helper()
		if n, err := l.Strike(t.Context(), "mail", hash, id, window); n != want || err != nil {
			t.Errorf("strike %s: %d, %v; want %d", id, n, err, want)
		}
	}
	strike("a", time.Hour, 1)
	strike("a", time.Hour, 1)
	strike("b", time.Hour, 2)
	strike("c", -time.Hour, 1) // all before are too old
	strike("d", 1<<62, 2)
	if err := l.Clear(t.Context(), "mail", "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	strike("e", time.Hour, 1)
	for i := range suppress.MaxStrikes {
		strike(fmt.Sprint(i), time.Hour, i+2)
	}
	strike("more", time.Hour, suppress.MaxStrikes+1)
	kv, err := c.JS.KeyValue(t.Context(), "tidings_strikes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "mail."+hash, "garbage"); err != nil {
		t.Fatal(err)
	}
	strike("f", time.Hour, 1)
}

// TestGarbage: what nobody can read stops everything, and can be removed.
func TestGarbage(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	hash, err := suppress.Hash("mail", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	kv, err := c.JS.KeyValue(t.Context(), "tidings_suppressed")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "mail."+hash, "garbage"); err != nil {
		t.Fatal(err)
	}
	if got := of(t, l, "ann@example.com"); got != "blocked/" {
		t.Errorf("got %q", got)
	}
	if err := l.Clear(t.Context(), "mail", "ann@example.com"); err != nil || of(t, l, "ann@example.com") != "" {
		t.Errorf("cleared: %v", err)
	}
}

// TestBucketDeleted: the list works on when its buckets are deleted underneath.
func TestBucketDeleted(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	hash, err := suppress.Hash("mail", "a@b")
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"of":     func() error { _, err := l.Of(t.Context(), "mail", "a@b"); return err },
		"add":    func() error { return l.Add(t.Context(), "mail", "a@b", suppress.Entry{Cause: suppress.Bounced}) },
		"remove": func() error { return l.RemoveHashed(t.Context(), "mail", hash, suppress.Bounced, "") },
		"strike": func() error { _, err := l.Strike(t.Context(), "mail", hash, "k", time.Hour); return err },
	} {
		for _, bucket := range []string{"tidings_suppressed", "tidings_strikes"} {
			if err := c.JS.DeleteKeyValue(t.Context(), bucket); err != nil {
				t.Fatal(err)
			}
			if err := do(); err != nil {
				t.Errorf("%s without %s: %v", name, bucket, err)
			}
			open(t, c) // the other bucket may be gone still
		}
	}
}

// TestRestart: after a restart of NATS everything is there, and while it is away a
// caller learns that.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	c, err := natsx.Open(t.Context(), natsx.Config{URL: s.URL()}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := open(t, c)
	add(t, l, "a@b", suppress.Entry{Cause: suppress.Complained})
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := l.Of(ctx, "mail", "a@b"); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("of while NATS is away: %v", err)
	}
	if err := l.Add(ctx, "mail", "a@b", suppress.Entry{Cause: suppress.Bounced}); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("add while NATS is away: %v", err)
	}
	s.Start()
	testkit.Eventually(t, "the list to answer", func() bool {
		_, err := l.Of(t.Context(), "mail", "a@b")
		return err == nil
	})
	add(t, l, "a@b", suppress.Entry{Cause: suppress.Bounced})
	if got := of(t, l, "a@b"); got != "complained/ bounced/" {
		t.Errorf("got %q", got)
	}
}

// TestReadOnly: credentials that may not write are told so at once.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `jetstream: enabled
		authorization { users: [
			{user: all, password: all},
			{user: reader, password: reader, permissions: {publish: {allow: ["_INBOX.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.>", "$JS.API.DIRECT.GET.>"]}}},
		] }`)
	dial := func(user string) *natsx.Conn {
		c, err := natsx.Open(t.Context(), natsx.Config{URL: s.With(user + ":" + user)}, testkit.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	add(t, open(t, dial("all")), "a@b", suppress.Entry{Cause: suppress.Bounced})
	l := open(t, dial("reader"))
	if got := of(t, l, "a@b"); got != "bounced/" {
		t.Errorf("a reader sees %q", got)
	}
	if err := l.Add(t.Context(), "mail", "a@b", suppress.Entry{Cause: suppress.Blocked}); !errors.Is(err, natsx.ErrReadOnly) {
		t.Errorf("a reader writes: %v", err)
	}
}

// TestForgotten: nothing is left of an address that was cleared, once the marker ends.
func TestForgotten(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := open(t, c)
	add(t, l, "a@b", suppress.Entry{Cause: suppress.Bounced})
	if err := l.Clear(t.Context(), "mail", "a@b"); err != nil {
		t.Fatal(err)
	}
	s, err := c.JS.Stream(t.Context(), "KV_tidings_suppressed")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq)
	if err != nil || m.Header.Get("KV-Operation") != "PURGE" || m.Header.Get(jetstream.MsgTTLHeader) != "1h0m0s" {
		t.Errorf("the marker is %v, %v", m.Header, err)
	}
}
