package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"tidings/scripts/bench"
	"tidings/scripts/bench/load"
	"tidings/services/app"
	"tidings/shared/auth"
	"tidings/shared/config"
	"tidings/shared/testkit"
)

// benchReport is what the tests read of the JSON.
type benchReport struct {
	Sections []struct {
		Scenario string
		Counts   *load.Counts
		Figures  map[string]struct {
			Value  float64
			AtMost *float64 `json:"at_most"`
			Met    *bool
		}
	}
}

// runBenchWith runs the command and returns its report. env is all it sees of the
// environment.
func runBenchWith(t *testing.T, env map[string]string, args ...string) benchReport {
	t.Helper()
	out, progress, code := benchCommand(t, env, append([]string{"--json"}, args...)...)
	if code != 0 {
		t.Fatalf("bench %q: exit %d\n%s%s", args, code, progress, out)
	}
	var r benchReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	return r
}

// benchCommand runs tidings bench to its end.
func benchCommand(t *testing.T, env map[string]string, args ...string) (out, progress []byte, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built.plain, append([]string{"bench"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.Bytes(), stderr.Bytes(), cmd.ProcessState.ExitCode()
}

// checkExact expects so many deliveries in each section of a scenario.
func (r benchReport) checkExact(t *testing.T, scenario string, sections int) {
	t.Helper()
	n := 0
	for _, s := range r.Sections {
		if s.Scenario != scenario {
			continue
		}
		n++
		if s.Counts == nil || !s.Counts.Exact() || s.Counts.Delivered == 0 {
			t.Errorf("%s: %+v", scenario, s.Counts)
		}
	}
	if n != sections {
		t.Errorf("%d sections of %s, want %d", n, scenario, sections)
	}
}

// TestBenchRunningServer measures an app in this process.
func TestBenchRunningServer(t *testing.T) {
	t.Parallel()
	const none = "127.0.0.1:0"
	secret := auth.GenerateSecret()
	args := []string{"--http", none, "--admin", none, "--nats-listen", none, "--data", t.TempDir(), "--jwt-secret", secret, "--drain", "1s"}
	s, _, err := config.Load(args, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Settings: s, Services: []string{app.Edge, app.Producer}, Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the app: %v", err)
		}
	})
	env := map[string]string{
		"TIDINGS_JWT_SECRET": secret, "TIDINGS_ADMIN": strings.TrimPrefix(a.AdminURL(), "http://"), "TIDINGS_NATS": a.NATSURL(),
	}
	running := []string{"--url", a.URL(), "--server-pid", strconv.Itoa(os.Getpid()), "--conns", "50", "--crowd", "50"}
	runBenchWith(t, env, append(running, "--for", "1s", "--deliveries", "2500", bench.Fanout)...).checkExact(t, bench.Fanout, 4)
	runBenchWith(t, env, append(running, "--for", "200ms", "--publish", "http", bench.Latency)...).checkExact(t, bench.Latency, 1)
}

// TestBenchOwnServer runs every scenario, each very small, against a server that the
// bench starts.
func TestBenchOwnServer(t *testing.T) {
	t.Parallel()
	r := runBenchWith(t, nil, "--conns", "20", "--crowd", "40", "--rooms", "4", "--topics", "5", "--for", "200ms", "--deliveries", "1000", "--missed", "30")
	r.checkExact(t, bench.Fanout, 4)
	for _, scenario := range []string{bench.Rooms, bench.Storm, bench.Topics, bench.Slow, bench.Latency} {
		r.checkExact(t, scenario, 1)
	}
	for _, s := range r.Sections {
		switch s.Scenario {
		case bench.Idle:
			if s.Figures["cpu_us_per_connect"].Value < 0 || s.Figures["connect_p50_ms"].Value <= 0 {
				t.Errorf("idle: %+v", s.Figures)
			}
		case bench.Storm:
			if s.Counts.Delivered != 40*30 || s.Figures["nats_reads"].Value != 0 {
				t.Errorf("storm: %+v, %+v", s.Counts, s.Figures)
			}
		}
	}
}

// TestBenchSoak runs a small soak, short but for what it needs to begin and to end.
func TestBenchSoak(t *testing.T) {
	t.Parallel()
	r := runBenchWith(t, nil, "--conns", "40", "--rooms", "4", "--for", "3s", "--deliveries", "400", bench.Soak)
	r.checkExact(t, bench.Soak, 1)
	f := r.Sections[0].Figures
	for _, key := range []string{"rss_bytes_end", "heap_bytes_end", "goroutines_end", "descriptors_end", "connections_end", "admitted"} {
		if f[key].Met == nil || !*f[key].Met {
			t.Errorf("%s: %+v", key, f[key])
		}
	}
	for _, key := range []string{"rss_bytes_begin", "heap_bytes_begin", "goroutines_begin", "descriptors_begin", "connections_peak", "joined", "deaf", "refused"} {
		if f[key].Value <= 0 {
			t.Errorf("%s: %+v", key, f[key])
		}
	}
}

// TestBenchNotify notifies a few people, with a NATS of its own and with one that is there.
func TestBenchNotify(t *testing.T) {
	t.Parallel()
	small := []string{"--people", "5", "--notifications", "250", "--for", "200ms", bench.Notify}
	for _, args := range [][]string{small, append([]string{"--nats", startNATS(t).url()}, small...)} {
		r := runBenchWith(t, nil, args...)
		r.checkExact(t, bench.Notify, 1)
		f := r.Sections[0].Figures
		for _, key := range []string{
			"accepted_per_s", "mailed_per_s", "cpu_us_per_notification", "floor_us", "floor_cpu_us", "ratio", "cpu_ratio",
			"mail_p50_ms", "accept_p99_ms", "batch_p99_ms", "rss_bytes_10", "heap_bytes_100",
		} {
			if f[key].Value <= 0 {
				t.Errorf("%s: %+v", key, f[key])
			}
		}
		// Two entries of the ledger, two jobs with three receipts each, an item of an inbox
		// and its event, and now and then a tick of the inboxes.
		if n := f["messages_per_notification"].Value; n < 12 || n > 12.5 || f["inboxes_short"].Value != 0 {
			t.Errorf("%v messages each, %v inboxes lack some", n, f["inboxes_short"].Value)
		}
		if _, apart := f["nats_rss_bytes_100"]; apart != (len(args) == len(small)) {
			t.Errorf("the memory of NATS is told: %v", apart)
		}
	}
}

// TestBenchOrdinarySink measures the memory of connections through net/http, which has
// another goal, and none for CPU.
func TestBenchOrdinarySink(t *testing.T) {
	t.Parallel()
	r := runBenchWith(t, nil, "--sink", "ordinary", "--crowd", "40", bench.Idle)
	f := r.Sections[0].Figures
	if f["goroutines_per_conn"].Value < 1 || f["cpu_us_per_connect"].AtMost != nil {
		t.Errorf("the ordinary sink: %+v", f)
	}
}

func TestBenchUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"typhoon"},
		{"--conns", "-1"},
		{"--url", "ftp://x"},
		{"--url", "http://127.0.0.1:1", "--data", t.TempDir()},
		{"--url", "http://127.0.0.1:1", "--admin", ""},
		{"soak", "idle"},
		{"notify", "idle"},
		{"--sink", "kitchen"},
		{"--transport", "pigeon"},
	} {
		if _, told, code := benchCommand(t, nil, args...); code != 2 || len(told) == 0 {
			t.Errorf("bench %q: exit %d, %s", args, code, told)
		}
	}
}
