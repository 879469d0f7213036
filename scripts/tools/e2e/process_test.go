package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long a condition may take to come true. A loaded machine is
	// slow; a condition that holds costs nothing.
	patience = 20 * time.Second
	// look is how often a condition is looked at.
	look = 20 * time.Millisecond
	// drain is how long streams have to leave in tests; the default is for crowds.
	drain = time.Second
)

// process is one `tidings dev` that may be stopped and started again on the same
// port and data.
type process struct {
	t    *testing.T
	data string
	env  []string

	url   string // of the public listener; the same after a restart
	link  string // the console's URL with its token
	admin string

	cmd    *exec.Cmd
	said   *transcript
	exited chan struct{} // closed when cmd has ended
}

// begin starts a process with settings such as TIDINGS_TAIL_BYTES=1MiB and waits
// until it is ready.
func begin(t *testing.T, settings ...string) *process {
	t.Helper()
	p := &process{t: t, data: t.TempDir(), env: append([]string{"TIDINGS_DRAIN=" + drain.String()}, settings...)}
	p.start()
	t.Cleanup(p.stop)
	return p
}

// start starts the process, again on its port if it had one.
func (p *process) start() {
	p.t.Helper()
	address := "127.0.0.1:0"
	if p.url != "" {
		address = strings.TrimPrefix(p.url, "http://")
	}
	p.said, p.exited = &transcript{}, make(chan struct{})
	// It outlives t.Context, which ends before the clean-ups run.
	p.cmd = exec.CommandContext(context.Background(), shared.binary, "dev", "--data", p.data, "--http", address, "--admin", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TIDINGS_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, p.env...)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start tidings: %v", err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // stop and kill look at the exit code
		close(exited)
	}(p.cmd, p.exited)
	p.until("its greeting", func() bool { return p.said.find(`Ctrl-C stops it`) != "" })
	p.link, p.admin = p.said.find(`Console\s+(\S+)`), p.said.find(`Metrics\s+(\S+)/metrics`)
	if p.url == "" { // it does not change, and another goroutine may read it
		p.url, _, _ = strings.Cut(p.link, "/#")
	}
	p.until("readiness", p.ready)
}

// until waits for a condition of the process.
func (p *process) until(what string, ok func() bool) {
	p.t.Helper()
	if !poll(ok, p.exited) {
		p.t.Fatalf("tidings did not come to %s; it said:\n%s", what, p.said)
	}
}

// poll looks until ok returns true, and gives up with patience or when the channel
// is closed.
func poll(ok func() bool, give <-chan struct{}) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-give:
			return ok()
		case <-deadline.C:
			return false
		}
	}
	return true
}

func (p *process) ready() bool {
	resp, err := http.Get(p.admin + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// metric returns the value of a metric without labels.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	resp, err := http.Get(p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}

// token returns the token in the console's URL.
func (p *process) token() string {
	_, token, _ := strings.Cut(p.link, "#token=")
	return token
}

// terminate tells the process to stop and returns at once.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("SIGTERM: %v", err)
	}
}

// kill ends the process without a warning.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Errorf("SIGKILL: %v", err)
	}
	<-p.exited
	p.checkRaces()
}

// gone waits for the end of a process that was told to stop, and judges it.
func (p *process) gone() {
	p.t.Helper()
	if !poll(func() bool { return false }, p.exited) && !p.hasExited() {
		p.t.Errorf("tidings did not stop; it said:\n%s", p.said)
		p.kill()
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("tidings ended with %d; it said:\n%s", code, p.said)
	}
	p.checkRaces()
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop is the clean-up.
func (p *process) stop() {
	if !p.hasExited() {
		p.terminate()
		p.gone()
	}
	if p.t.Failed() {
		p.t.Logf("tidings said:\n%s", p.said)
	}
}

func (p *process) checkRaces() {
	p.t.Helper()
	if p.said.find(`DATA RACE`) != "" {
		p.t.Errorf("a data race:\n%s", p.said)
	}
}

// publish sends a request to the producer as curl would: without a token, which a
// program on the same machine needs none of in development.
func (p *process) publish(ctx context.Context, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/events", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode >= 300 {
		return fmt.Errorf("publish: %s %s (%v)", resp.Status, answer, err)
	}
	return nil
}

// mustPublish is publish in the test's own goroutine.
func (p *process) mustPublish(bodies ...string) {
	p.t.Helper()
	for _, body := range bodies {
		if err := p.publish(p.t.Context(), body); err != nil {
			p.t.Fatal(err)
		}
	}
}

// counted is event number n of a count: of the type "count", on one of topics in turn.
func counted(n int, topics ...string) string {
	return fmt.Sprintf(`{"topic":%q,"type":"count","id":"count-%d","data":{"n":%d}}`, topics[n%len(topics)], n, n)
}

// pour publishes the numbers from first to last one by one, each again and again
// until it is acknowledged, as a careful producer does. reached is told each
// number that was.
func (p *process) pour(ctx context.Context, first, last int, topic string, reached func(int)) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for n := first; n <= last; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := p.publish(ctx, counted(n, topic)); err == nil {
			reached(n)
			n++
		}
	}
	return nil
}

// transcript collects what a process says.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// String returns everything said so far.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// find returns the pattern's first group, or the whole match if it has none; ""
// if it does not match.
func (t *transcript) find(pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(t.String())
	if m == nil {
		return ""
	}
	return m[len(m)-1]
}
