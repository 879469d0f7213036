package bench_test

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench"
	"tidings/scripts/bench/protocol"
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
		full.Transport != protocol.SSE || !slices.Equal(full.Scenarios, bench.Scenarios()) {
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
		{"--sink kitchen", "--sink"},
		{"soak idle", "alone"},
		{"notify soak", "alone"},
		{"--url http://localhost notify", "--url"},
		{"--people 10 notify", "--people"},
		{"--people 10001", "--people"},
		{"--notifications -1", "--notifications"},
		{"--for 2h soak", "--for"},
		{"--for 11m", "--for"},
		{"--size 500000 --rooms 1000 soak", "log"},
		{"--url http://localhost soak", "--url"},
		{"--url http://localhost --sink ordinary", "--raw=false"},
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

func TestDrainRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"127.0.0.1:1"}, {"127.0.0.1:1", "x"}, {"127.0.0.1:1", "0"}, {"127.0.0.1:1", "999999"}} {
		if err := bench.Drain(t.Context(), args); err == nil {
			t.Errorf("drain %q does something", args)
		}
	}
}

func TestSoakDefaults(t *testing.T) {
	t.Parallel()
	full, quick := parse(t, bench.Soak), parse(t, "--quick", "--transport", "ws", "--rooms", "7", bench.Soak)
	for _, o := range []*bench.Options{&full, &quick} {
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if full.Conns != 1000 || full.Rooms != 50 || full.For != 5*time.Minute || full.Deliveries != 5000 || full.Transport != bench.Both {
		t.Errorf("a soak is %+v", full)
	}
	if quick.Conns != 300 || quick.Rooms != 7 || quick.For != 20*time.Second || quick.Transport != protocol.WebSocket {
		t.Errorf("a quick soak is %+v", quick)
	}
	if slices.Contains(bench.Scenarios(), bench.Soak) {
		t.Error("a soak runs without being asked for")
	}
}

func TestBothDefaults(t *testing.T) {
	t.Parallel()
	o := parse(t, "--transport", "both")
	if err := o.Check(); err != nil || !slices.Equal(o.Scenarios, []string{bench.Idle, bench.Fanout, bench.Latency}) {
		t.Errorf("both transports run %q, %v", o.Scenarios, err)
	}
	o = parse(t, "--transport", "both", bench.Storm)
	if err := o.Check(); err != nil || !slices.Equal(o.Scenarios, []string{bench.Storm}) {
		t.Errorf("both transports run %q, %v", o.Scenarios, err)
	}
}

func TestNotifyDefaults(t *testing.T) {
	t.Parallel()
	full, quick := parse(t, bench.Notify), parse(t, "--quick", "--people", "77", bench.Notify)
	for _, o := range []*bench.Options{&full, &quick} {
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if full.Notifications != 100_000 || full.People != 1000 || full.For != 20*time.Second {
		t.Errorf("notify is %+v", full)
	}
	if quick.Notifications != 5000 || quick.People != 77 || quick.For != 3*time.Second {
		t.Errorf("a quick one is %+v", quick)
	}
	if slices.Contains(bench.Scenarios(), bench.Notify) {
		t.Error("notify runs without being asked for")
	}
}

func TestNATSRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"127.0.0.1:0"}, {"nowhere", t.TempDir()}} {
		if err := bench.NATS(t.Context(), args); err == nil {
			t.Errorf("nats %q does something", args)
		}
	}
}
