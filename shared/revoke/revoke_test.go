package revoke_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/shared/auth"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/revoke"
	"tidings/shared/testkit"
)

// TestMain fails the run if a list or a listener leaves something running.
func TestMain(m *testing.M) { testkit.Main(m) }

// watch opens a list, runs it until the test ends and waits until it is read.
func watch(t *testing.T, c *natsx.Conn) *revoke.List {
	t.Helper()
	l, err := revoke.Open(t.Context(), c, testkit.Space(t), 1, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	testkit.Eventually(t, "the list to be read", func() bool { return l.Check(t.Context()) == nil })
	return l
}

func grant(id string) *auth.Grant { return &auth.Grant{User: "ann", TokenID: id} }

// TestEveryoneKnows: what is revoked at one process is refused at all, also at those
// that begin later and after a restart of NATS.
func TestEveryoneKnows(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	here, there := watch(t, testkit.Connect(t, s.URL())), watch(t, testkit.Connect(t, s.URL()))
	if here.Revoked(grant("t1")) || here.Revoked(grant("")) || here.Revoked(nil) {
		t.Error("something is revoked that was not")
	}
	if err := here.Publish(t.Context(), revoke.Order{Token: "t1"}); err != nil {
		t.Fatal(err)
	}
	if !here.Revoked(grant("t1")) {
		t.Error("who revokes does not know it at once")
	}
	testkit.Eventually(t, "the other to know", func() bool { return there.Revoked(grant("t1")) })
	if there.Revoked(grant("t2")) || there.Revoked(grant("")) {
		t.Error("too much is revoked")
	}
	if !watch(t, testkit.Connect(t, s.URL())).Revoked(grant("t1")) {
		t.Error("a newcomer does not know")
	}
	s.Stop()
	if !there.Revoked(grant("t1")) {
		t.Error("forgotten while NATS is away")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := here.Publish(ctx, revoke.Order{Token: "t2"}); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("publish while NATS is away: %v", err)
	}
	s.Start()
	testkit.Eventually(t, "the list to go on", func() bool {
		return here.Publish(t.Context(), revoke.Order{Token: "t3"}) == nil && there.Revoked(grant("t3"))
	})
}

// TestItEnds: a token need not be known longer than it lives.
func TestItEnds(t *testing.T) {
	t.Parallel()
	l := watch(t, testkit.NATS(t))
	soon := time.Now().Add(200 * time.Millisecond)
	if err := l.Publish(t.Context(), revoke.Order{Token: "t1", Until: &soon}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the revocation to end", func() bool { return !l.Revoked(grant("t1")) })
}

// TestTakenBack: an operator who deletes an entry has taken the revocation back, and
// one who writes garbage has not.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	l := watch(t, c)
	if err := l.Publish(t.Context(), revoke.Order{Token: "t1"}); err != nil {
		t.Fatal(err)
	}
	kv, err := c.JS.KeyValue(t.Context(), "tidings_revoked")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := kv.Keys(t.Context())
	if err != nil || len(keys) != 1 || strings.Contains(keys[0], "t1") {
		t.Fatalf("keys %q, %v", keys, err)
	}
	if _, err := kv.Put(t.Context(), keys[0], []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the revocation to be taken back", func() bool { return !l.Revoked(grant("t1")) })
	if _, err := kv.Put(t.Context(), keys[0], []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "garbage to be taken for a revocation", func() bool { return l.Revoked(grant("t1")) })
}

func TestListen(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	c, sender := testkit.Connect(t, s.URL()), watch(t, testkit.Connect(t, s.URL()))
	var mu sync.Mutex
	var got []revoke.Order
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := revoke.Listen(ctx, c, testkit.Space(t), func(_ context.Context, o revoke.Order) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, o)
	})
	if err != nil {
		t.Fatal(err)
	}
	other := watch(t, c)
	if err := c.NC.Publish("tidings.ctl.revoke", []byte(`{"token":"by hand"}`)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "an order by hand to be heeded", func() bool { return sender.Revoked(grant("by hand")) && other.Revoked(grant("by hand")) })
	for _, garbage := range []string{"", "{", "[]", "{}", `{"user":"a","token":"b"}`, `{"user":"` + strings.Repeat("x", 2000) + `"}`} {
		if err := c.NC.Publish("tidings.ctl.revoke", []byte(garbage)); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "an order to come", func() bool {
		if err := sender.Publish(t.Context(), revoke.Order{User: "ann"}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return len(got) > 1 && got[1] == revoke.Order{User: "ann"}
	})
	cancel()
	wait()
	for _, bad := range []revoke.Order{{}, {User: "a", Token: "b"}, {Token: strings.Repeat("x", 2000)}} {
		if err := sender.Publish(t.Context(), bad); !errors.Is(err, revoke.ErrOrder) {
			t.Errorf("%.40v: %v", bad, err)
		}
	}
	closed := testkit.Connect(t, s.URL())
	closed.Close()
	if _, err := revoke.Listen(t.Context(), closed, testkit.Space(t), nil); err == nil {
		t.Error("somebody listens without NATS")
	}
}
