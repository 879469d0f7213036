package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tidings/services/producer"
	"tidings/shared/natsx"
	"tidings/shared/stream"
)

// natsFigures is the data of an event of type nats.metrics.
type natsFigures struct {
	Server, Version string
	InMsgs          *float64 `json:"in_msgs_per_s"`
	OutBytes        *float64 `json:"out_bytes_per_s"`
	Connections     *int
	MemBytes        *int64 `json:"mem_bytes"`
	Streams         []struct {
		Name     string
		Last     uint64
		MaxBytes int64 `json:"max_bytes"`
	}
}

// events is the data of every event that the log holds on a topic.
func events[T any](r *rig, topic string) []T {
	r.t.Helper()
	var list []T
	for _, s := range r.held() {
		var e struct {
			Topic string
			Data  T
		}
		if err := json.Unmarshal([]byte(s), &e); err != nil {
			r.t.Fatal(err)
		}
		if e.Topic == topic {
			list = append(list, e.Data)
		}
	}
	return list
}

// scripted answers with one Stats after the other, the last for ever.
func scripted(list ...natsx.Stats) func(context.Context) (natsx.Stats, error) {
	return func(context.Context) (natsx.Stats, error) {
		s := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		if s.Name == "" {
			return s, errors.New("no responders")
		}
		return s, nil
	}
}

// run runs the producer in a bubble for so long, then waits for its end.
func run(r *rig, d time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-time.After(d) // virtual
	cancel()
	if err := <-done; err != nil {
		r.t.Error(err)
	}
}

func TestFeedOfNATS(t *testing.T) {
	t.Parallel()
	at := func(in, out int64) natsx.Stats {
		return natsx.Stats{
			Name: "n1", Version: "2.15", ServerKnown: true, InMsgs: in, OutBytes: out, Connections: 3, MemBytes: 7,
			Streams: []natsx.StreamStats{{Name: "EVENTS", Last: 9, MaxBytes: -1}},
		}
	}
	other, unknown := at(1000, 1000), natsx.Stats{Name: "n1", Version: "2.15"}
	other.Name = "n2"
	f := func(v float64) *float64 { return &v }
	for _, tc := range []struct {
		name  string
		stats []natsx.Stats // the first is only counted from
		want  []*float64    // in_msgs_per_s of each event
	}{
		{"steady", []natsx.Stats{at(10, 0), at(15, 0), at(15, 0), at(18, 0)}, []*float64{f(5), f(0), f(3)}},
		{"reset", []natsx.Stats{at(10, 0), at(2, 0), at(4, 0)}, []*float64{f(0), f(2)}},
		{"a failed round", []natsx.Stats{at(10, 0), {}, at(20, 0)}, []*float64{f(5)}},
		{"unknown at first", []natsx.Stats{unknown, unknown, at(20, 0), at(21, 0)}, []*float64{nil, nil, f(1)}},
		{"another server", []natsx.Stats{at(10, 0), other, other}, []*float64{nil, f(0)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, producer.Config{Feed: true, Host: "h", Stats: scripted(tc.stats...)}, nil)
				run(r, time.Duration(len(tc.stats)-1)*time.Second+time.Millisecond)
				got := events[natsFigures](r, "room.nats")
				if len(got) != len(tc.want) {
					t.Fatalf("%d events, want %d", len(got), len(tc.want))
				}
				for i, want := range tc.want {
					have := got[i].InMsgs
					if (have == nil) != (want == nil) || have != nil && *have != *want {
						t.Errorf("event %d: %+v", i, got[i])
					}
				}
				last := got[len(got)-1]
				if last.Version != "2.15" || last.Connections == nil || *last.Connections != 3 || *last.MemBytes != 7 ||
					len(last.Streams) != 1 || last.Streams[0].Last != 9 || last.Streams[0].MaxBytes != -1 {
					t.Errorf("%+v", last)
				}
			})
		})
	}
}

func TestFeedOfHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, producer.Config{Feed: true}, nil)
		run(r, 3*time.Second+time.Millisecond)
		name, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		held := r.held()
		if len(held) != 3 || !strings.Contains(held[0], `"type":"host.metrics"`) || !strings.HasPrefix(string(topics(t, held)[0]), "room.host.") {
			t.Fatalf("held %v", held)
		}
		got := events[map[string]any](r, string(topics(t, held)[0]))[2]
		if got["host"] != name {
			t.Errorf("host %v, want %v", got["host"], name)
		}
		for _, field := range []string{
			"cpu_percent", "cpu_count", "mem_used", "mem_total", "load1", "load5", "load15",
			"net_rx_bytes_per_s", "net_tx_bytes_per_s", "uptime_s",
		} {
			v, given := got[field]
			if n, isNumber := v.(float64); !given || v != nil && (!isNumber || n < 0) {
				t.Errorf("%s is %v", field, v)
			}
		}
		if got["mem_total"] == nil || got["uptime_s"] == nil {
			t.Errorf("%v", got)
		}
		r.expect(map[string]float64{"feed_total stored host": 3})
	})
}

// TestFeedSourcesAreApart has one source fail, then hang, while the other goes on.
func TestFeedSourcesAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		stats := func(ctx context.Context) (natsx.Stats, error) {
			if rounds++; rounds < 3 {
				return natsx.Stats{}, errors.New("no responders")
			}
			<-ctx.Done()
			return natsx.Stats{}, ctx.Err()
		}
		r := newRig(t, producer.Config{Feed: true, Host: "h", Stats: stats}, nil)
		run(r, 5*time.Second+950*time.Millisecond)
		if n := len(events[map[string]any](r, "room.host.h")); n != 5 {
			t.Errorf("%d events of the host", n)
		}
		r.expect(map[string]float64{"feed_total stored host": 5, "feed_total failed nats": 6})
		if n := strings.Count(r.out.String(), "\n"); n != 1 {
			t.Errorf("logged %d times: %s", n, r.out)
		}
	})
}

// TestFeedSkipsWhileLogIsAway checks that what could not be stored is dropped, not
// published later.
func TestFeedSkipsWhileLogIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, producer.Config{Feed: true, Host: "h"}, nil)
		time.AfterFunc(1500*time.Millisecond, func() { r.log.SetAway(true) })
		time.AfterFunc(4500*time.Millisecond, func() { r.log.SetAway(false) })
		run(r, 6*time.Second+time.Millisecond)
		r.expect(map[string]float64{"feed_total stored host": 3, "feed_total skipped host": 3})
		if n := len(r.held()); n != 3 {
			t.Errorf("%d events", n)
		}
	})
}

// TestFeedOnASlowLog checks that a log that never answers costs one round a second.
func TestFeedOnASlowLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &blockingLog{begun: make(chan struct{}, 100)}
		r := newRig(t, producer.Config{Feed: true, Host: "h"}, slow.wrap)
		run(r, 5*time.Second+950*time.Millisecond)
		r.expect(map[string]float64{"feed_total skipped host": 5})
	})
}

// TestRunWithoutFeed checks that Run lasts as long as its context.
func TestRunWithoutFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, producer.Config{}, nil)
		start := time.Now()
		run(r, time.Hour)
		if time.Since(start) != time.Hour || len(r.held()) != 0 {
			t.Errorf("ran %v, held %v", time.Since(start), r.held())
		}
	})
}

// TestRunLeavesNothing stops the feed in the middle of a round.
func TestRunLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	reading := make(chan struct{}, 1)
	stats := func(ctx context.Context) (natsx.Stats, error) {
		reading <- struct{}{}
		<-ctx.Done()
		return natsx.Stats{}, ctx.Err()
	}
	r := newRig(t, producer.Config{Feed: true, Host: "h", Stats: stats}, func(l stream.Log) stream.Log { return l })
	go func() {
		<-reading
		cancel()
	}()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, ignore)
	if n := r.counts()["feed_total failed nats"]; n != 0 {
		t.Errorf("stopping counts as %v failures", n)
	}
}
