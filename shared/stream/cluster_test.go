package stream_test

import (
	"context"
	"testing"
	"time"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/stream"
	"tidings/shared/testkit"
)

// TestCluster loses the stream's leader and gets it back, with a follower and a
// writer who repeats what was not acknowledged: everything arrives once, in order.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := natsxtest.RunCluster(t, 3)
	conn := connect(t, natsx.Config{URL: c.URL()})
	limits := testkit.Limits()
	limits.Replicas = 3
	l := open(t, conn, limits)
	epoch := extent(t, l).Epoch
	f := follow(t, l, event.Cursor{})
	n := 0
	write := func(count int) {
		t.Helper()
		for range count {
			testkit.Eventually(t, "an append to be acknowledged", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := l.Append(ctx, numbered("room.ops", n), "key"+string(rune('a'+n)))
				return err == nil
			})
			n++
		}
	}
	write(5)
	s, err := conn.JS.Stream(t.Context(), name(t))
	if err != nil {
		t.Fatal(err)
	}
	leader := s.CachedInfo().Cluster.Leader
	c.Stop(leader)
	write(5)
	c.Start(leader)
	write(5)
	f.want(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
	f.wait("following to be healthy", func() bool { return f.health == nil })
	if len(f.starts) != 1 || extent(t, l).Epoch != epoch {
		t.Errorf("the epoch changed: %v", f.starts)
	}
	p, err := l.Range(t.Context(), stream.Query{Pattern: "room.ops"})
	if err != nil || len(p.Entries) > n || p.Gone {
		t.Errorf("%d events, gone %v, %v", len(p.Entries), p.Gone, err)
	}
	// A replica that lags may answer with less, and says so.
	testkit.Eventually(t, "the whole of it", func() bool {
		p, err := l.Range(t.Context(), stream.Query{Pattern: "room.ops"})
		return err == nil && len(p.Entries) == n && !p.More
	})
}
