package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tidings/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTally: what is counted is read here and by Prometheus alike, and tallies of one
// name are one metric.
func TestTally(t *testing.T) {
	t.Parallel()
	var good, bad telemetry.Tally
	reg := prometheus.NewRegistry()
	for result, tally := range map[string]*telemetry.Tally{"good": &good, "bad": &bad} {
		if err := reg.Register(tally.Collector("things_total", "Things.", prometheus.Labels{"result": result})); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				good.Add(2)
			}
		})
	}
	wg.Wait()
	bad.Add(0)
	if good.Value() != 8000 || bad.Value() != 0 {
		t.Errorf("counted %d and %d", good.Value(), bad.Value())
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d metrics, %v", len(families), err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	if want := map[string]float64{"good": 8000, "bad": 0}; !maps.Equal(got, want) {
		t.Errorf("gathered %v, want %v", got, want)
	}
}

func TestSecretHides(t *testing.T) {
	t.Parallel()
	const text = "hunter2-hunter2"
	type settings struct {
		Key  telemetry.Secret
		Keys []telemetry.Secret
		Map  map[string]telemetry.Secret
	}
	s := settings{Key: text, Keys: []telemetry.Secret{text}, Map: map[string]telemetry.Secret{"a": text}}

	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T %v"} {
		shown = append(
			shown, fmt.Sprintf(verb, s.Key, s.Key), fmt.Sprintf(verb, s, s), fmt.Sprintf(verb, &s, &s), fmt.Sprintf(verb, s.Keys, s.Keys),
		)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	shown = append(shown, string(data), fmt.Sprint(s.Key), fmt.Sprintln(s))
	for _, format := range []string{telemetry.FormatText, telemetry.FormatJSON} {
		var b bytes.Buffer
		log, err := telemetry.NewLogger(&b, format, "debug")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("m", "key", s.Key, "all", s, "keys", s.Keys, slog.Group("g", "key", &s.Key))
		shown = append(shown, b.String())
	}
	hex := fmt.Sprintf("%x", text)
	for _, out := range shown {
		if strings.Contains(out, "hunter2") || strings.Contains(strings.ToLower(out), hex) {
			t.Errorf("the secret shows in %s", out)
		}
	}
	if s.Key.Reveal() != text {
		t.Error("Reveal must give the text")
	}
	if got := fmt.Sprintf("%v|%q", telemetry.Secret(""), telemetry.Secret("")); got != `|""` {
		t.Errorf("an empty secret shows as %q", got)
	}
}

func TestNewLogger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format, level string
		want          string // in the output of an info and a debug record
		not           string
		err           string
	}{
		{format: "text", level: "info", want: "msg=hello", not: "detail"},
		{format: "json", level: "debug", want: `"msg":"detail"`},
		{format: "json", level: "error", not: "hello"},
		{format: "xml", level: "info", err: "log format"},
		{format: "text", level: "INFO+2", err: "log level"},
		{format: "text", level: "", err: "log level"},
	}
	for _, tt := range tests {
		t.Run(tt.format+"/"+tt.level, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			log, err := telemetry.NewLogger(&b, tt.format, tt.level)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want one about %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			log.Info("hello")
			log.Debug("detail")
			if !strings.Contains(b.String(), tt.want) {
				t.Errorf("%q misses %q", b.String(), tt.want)
			}
			if tt.not != "" && strings.Contains(b.String(), tt.not) {
				t.Errorf("%q has %q", b.String(), tt.not)
			}
		})
	}
}

func TestHealthReport(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth()
	if r := h.Check(t.Context()); !r.OK || r.Checks == nil {
		t.Fatalf("no checks must be healthy and not nil: %+v", r)
	}
	h.Add("good", func(context.Context) error { return nil })
	h.Add("bad", func(context.Context) error { return errors.New("away") })
	h.Add("worse", func(context.Context) error { panic("boom") })
	h.Add("long", func(context.Context) error { return errors.New(strings.Repeat("x", 10_000)) })
	r := h.Check(t.Context())
	if r.OK || len(r.Checks) != 4 {
		t.Fatalf("got %+v", r)
	}
	for i, want := range []struct {
		name, err string
		ok        bool
	}{{"good", "", true}, {"bad", "away", false}, {"worse", "boom", false}, {"long", "xxx", false}} {
		c := r.Checks[i]
		if c.Name != want.name || c.OK != want.ok || !strings.Contains(c.Error, want.err) || len(c.Error) > 600 {
			t.Errorf("check %d: got %+v, want %+v", i, c, want)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `{"name":"bad","ok":false,"error":"away","duration_ms":`) {
		t.Errorf("JSON is %s", data)
	}
}

// TestHealthBounds: checks run at once, each within its time, and a stuck check
// is neither waited for nor started again.
func TestHealthBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := telemetry.NewHealth()
		release := make(chan struct{})
		var stuck atomic.Int32
		h.Add("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		h.Add("stuck", func(context.Context) error { stuck.Add(1); <-release; return nil })
		h.Add("quick", func(context.Context) error { return nil })
		for range 3 {
			start := time.Now()
			r := h.Check(t.Context())
			if took := time.Since(start); took != telemetry.CheckTimeout {
				t.Errorf("took %v, want the time of one check", took)
			}
			if r.OK || r.Checks[0].OK || r.Checks[1].OK || !r.Checks[2].OK {
				t.Errorf("got %+v", r)
			}
			synctest.Wait()
		}
		if n := stuck.Load(); n != 1 {
			t.Errorf("the stuck check was started %d times", n)
		}
		close(release)
		synctest.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if r := h.Check(ctx); r.OK || time.Since(start) != 0 {
			t.Errorf("a caller that left must not wait: %+v", r)
		}
		// The runs of a caller that left still end by themselves.
		<-time.After(telemetry.CheckTimeout)
		synctest.Wait()
	})
}

func TestHealthConcurrent(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { h.Add(fmt.Sprint(i), func(context.Context) error { return nil }) })
		wg.Go(func() {
			if r := h.Check(t.Context()); !r.OK {
				t.Errorf("got %+v", r)
			}
		})
	}
	wg.Wait()
}
