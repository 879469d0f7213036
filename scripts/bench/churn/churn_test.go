package churn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench/churn"
	"tidings/scripts/bench/load"
	"tidings/scripts/bench/protocol"
)

// crowd is one so restless that a second is enough for everything to happen.
func crowd(s *server, transports ...protocol.Transport) churn.Config {
	return churn.Config{
		Addr: s.addr, Transports: transports, Conns: 40, Wide: 3, Deaf: 2, Rest: 60 * time.Millisecond, Away: 200 * time.Millisecond, Rate: 400,
		Token:  func(user int) (string, error) { return fmt.Sprintf("good-%d", user), nil },
		Forged: []string{"forged", "good"},
	}
}

// soak runs a crowd for a second at a server with a fault.
func soak(t *testing.T, fault string, transports ...protocol.Transport) churn.Result {
	t.Helper()
	s := start(t, fault)
	l := churn.NewLedger(0xabc, 4, 100, s)
	if err := l.Fill(t.Context(), 50, 1e5); err != nil {
		t.Fatal(err)
	}
	r, err := churn.Run(t.Context(), crowd(s, transports...), l, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExact: the books of a faultless server are exact, whatever the crowd does.
func TestExact(t *testing.T) {
	t.Parallel()
	for _, transports := range [][]protocol.Transport{{protocol.SSE}, {protocol.WebSocket}, {protocol.SSE, protocol.WebSocket}} {
		t.Run(fmt.Sprint(transports), func(t *testing.T) {
			t.Parallel()
			r := soak(t, "", transports...)
			if !r.Counts.Exact() || r.Counts.Delivered < 1000 {
				t.Errorf("got %+v: %v", r.Counts, r.CutBy)
			}
			d := r.Deeds
			if d.Joined < 40 || d.Left == 0 || d.Cut == 0 || d.Closed == 0 || d.Returned == 0 || d.Stalled == 0 || d.Deaf < 2 || d.Refused == 0 || d.Abandoned == 0 {
				t.Errorf("the crowd was idle: %+v", d)
			}
			if d.Admitted != 0 || d.AdmittedAs != nil {
				t.Errorf("%d strangers were admitted: %v", d.Admitted, d.AdmittedAs)
			}
			if r.Latency.Count() == 0 || r.Late.Count() < 300 {
				t.Errorf("%d latencies of %d events", r.Latency.Count(), r.Late.Count())
			}
		})
	}
}

// TestFaults makes each mistake a server can make. Each must be in the books, and
// nothing else.
func TestFaults(t *testing.T) {
	t.Parallel()
	for fault, of := range map[string]func(load.Counts) (uint64, load.Counts){
		"loses": func(c load.Counts) (uint64, load.Counts) {
			n := c.Lost
			c.Lost, c.Delivered = 0, c.Expected
			return n, c
		},
		"forgets": func(c load.Counts) (uint64, load.Counts) {
			n := c.Lost
			c.Lost, c.Delivered = 0, c.Expected
			return n, c
		},
		"doubles": func(c load.Counts) (uint64, load.Counts) { n := c.Doubled; c.Doubled = 0; return n, c },
		"gaps":    func(c load.Counts) (uint64, load.Counts) { n := c.Gaps; c.Gaps = 0; return n, c },
		"cuts":    func(c load.Counts) (uint64, load.Counts) { n := c.Cut; c.Cut = 0; return n, c },
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := soak(t, fault, protocol.SSE, protocol.WebSocket)
			if n, rest := of(r.Counts); n == 0 || !rest.Exact() || r.Counts.Exact() {
				t.Errorf("a server that %s: %+v, %v", fault, r.Counts, r.CutBy)
			}
		})
	}
}

// TestMixedFaults are those of which one leads to another: a stray takes the place of
// another event, and what is repeated may be what nobody was to have.
func TestMixedFaults(t *testing.T) {
	t.Parallel()
	for fault, of := range map[string]func(load.Counts) uint64{
		"swaps":   func(c load.Counts) uint64 { return c.Disordered },
		"repeats": func(c load.Counts) uint64 { return c.Doubled },
		"strays":  func(c load.Counts) uint64 { return c.Strays + c.Disordered },
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := soak(t, fault, protocol.SSE, protocol.WebSocket)
			if of(r.Counts) == 0 || r.Counts.Exact() {
				t.Errorf("a server that %s: %+v, %v", fault, r.Counts, r.CutBy)
			}
		})
	}
}

func TestAdmitted(t *testing.T) {
	t.Parallel()
	r := soak(t, "admits", protocol.SSE)
	if d := r.Deeds; d.Admitted == 0 || d.AdmittedAs == nil || !r.Counts.Exact() {
		t.Errorf("got %+v, %+v", d, r.Counts)
	}
}

// TestUnacknowledged: events that may be in the log are expected, and said to be in
// doubt.
func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	s := start(t, "unacknowledged")
	l := churn.NewLedger(1, 4, 100, s)
	if err := l.Fill(t.Context(), 10, 1e5); err != nil {
		t.Fatal(err)
	}
	if l.Failed != 1 || l.FailedBy == nil {
		t.Errorf("%d failed, %v", l.Failed, l.FailedBy)
	}
}

// TestEnds: a run ends with its context, and when nobody can come in.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	l := churn.NewLedger(1, 4, 100, s)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := churn.Run(ctx, crowd(s, protocol.SSE), l, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	cfg := crowd(s, protocol.SSE)
	cfg.Token = func(int) (string, error) { return "", errors.New("no key") }
	if _, err := churn.Run(t.Context(), cfg, l, time.Minute); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("got %v", err)
	}
}
