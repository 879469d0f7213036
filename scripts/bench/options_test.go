package bench_test

import (
	"flag"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench"
	"tidings/scripts/bench/load"
)

// parse reads a command line as the command does.
func parse(t *testing.T, args ...string) bench.Options {
	t.Helper()
	var o bench.Options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	o.Scenarios = fs.Args()
	return o
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	full, quick := parse(t), parse(t, "--quick", "--crowd", "77", bench.Storm)
	for _, o := range []*bench.Options{&full, &quick} {
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if full.Conns != 1000 || full.Crowd != 9900 || full.Size != 200 || full.For != 2*time.Second || full.Stalled != 100 ||
		full.Transport != load.SSE || !slices.Equal(full.Scenarios, bench.Scenarios()) {
		t.Errorf("the defaults are %+v", full)
	}
	if quick.Conns != 300 || quick.Crowd != 77 || !slices.Equal(quick.Scenarios, []string{bench.Storm}) {
		t.Errorf("--quick gives %+v", quick)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"--conns 20000", "--conns"},
		{"--crowd -1", "--crowd"},
		{"--rooms 10001", "--rooms"},
		{"--topics 2", "--topics"},
		{"--size 10", "--size"},
		{"--missed 10001", "--missed"},
		{"--conns 10 --stalled 11", "--stalled"},
		{"--for 1ms", "--for"},
		{"--deliveries NaN", "--deliveries"},
		{"--transport pigeon", "pigeon"},
		{"--publish mail", "--publish"},
		{"typhoon", "typhoon"},
		{"--server-pid 7", "--url"},
		{"--url https://localhost", "--url"},
		{"--url http://localhost/path", "--url"},
		{"--url http://localhost", "secret"},
	} {
		o := parse(t, strings.Fields(c.args)...)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something about %s", c.args, err, c.want)
		}
	}
}

func TestCheckCompletesTheURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http://localhost": "http://localhost:80", "http://127.0.0.1:8080/": "http://127.0.0.1:8080", "http://[::1]:8080": "http://[::1]:8080",
	} {
		o := parse(t, "--url", given)
		o.Secret = "secret"
		if err := o.Check(); err != nil || o.URL != want {
			t.Errorf("%s became %s, %v", given, o.URL, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	page := bench.Metrics("# HELP a_total A.\n# TYPE a_total counter\na_total 12\na_total_more 3\nb{x=\"y\"} 4\nc 1.5e+06 1700000000\nd word\n")
	for name, want := range map[string]float64{"a_total": 12, "a_total_more": 3, "c": 1.5e6} {
		if got, err := page.Value(name); err != nil || got != want {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"b", "d", "a", "absent"} {
		if got, err := page.Value(name); err == nil {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestDrainRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"127.0.0.1:1"}, {"127.0.0.1:1", "x"}, {"127.0.0.1:1", "0"}, {"127.0.0.1:1", "999999"}} {
		if err := bench.Drain(t.Context(), args); err == nil {
			t.Errorf("drain %q does something", args)
		}
	}
}

func TestMet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figure bench.Figure
		want   bool
	}{
		{bench.Figure{Value: 5}, true},
		{bench.Figure{Value: 5, Goal: true, AtMost: 5}, true},
		{bench.Figure{Value: 5.1, Goal: true, AtMost: 5}, false},
		{bench.Figure{Value: 1, Goal: true}, false},
		{bench.Figure{Value: math.NaN(), Goal: true, AtMost: 5}, false},
	} {
		if c.figure.Met() != c.want {
			t.Errorf("%+v: %v", c.figure, !c.want)
		}
	}
}
