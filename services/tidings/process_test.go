package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// transcript is what a process has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// String returns everything so far.
func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the pattern was written and returns its groups.
func (s *transcript) await(t testing.TB, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	testkit.Eventually(t, "output that matches "+pattern, func() bool {
		found = re.FindStringSubmatch(s.String())
		return found != nil
	})
	return found
}

// process is a program that was started.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  *transcript // standard output
	log  *transcript // standard error
	done chan struct{}
	err  error // of Wait; set before done is closed
}

// spec says what to run.
type spec struct {
	program string   // built.tidings if empty
	args    []string // and
	env     []string // the environment beside PATH, HOME and GORACE
	stdin   string
}

// launch starts a program in an empty directory. It is killed when the test ends;
// what it wrote is shown if the test failed, and a data race fails the test.
func launch(t testing.TB, s spec) *process {
	t.Helper()
	if s.program == "" {
		s.program = built.tidings
	}
	dir := t.TempDir()
	p := &process{t: t, name: strings.Join(s.args, " "), out: &transcript{}, log: &transcript{}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), s.program, s.args...)
	p.cmd.Dir = dir
	// The race detector would let each process wait for a second before it exits.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}, s.env...)
	p.cmd.Stdin = strings.NewReader(s.stdin)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("%s: a data race", p.name)
		}
		if t.Failed() {
			t.Logf("%s\nwrote to standard output:\n%s\nand to standard error:\n%s", p.name, tailOf(p.out.String()), tailOf(p.log.String()))
		}
	})
	return p
}

// tailOf returns the end of a long text.
func tailOf(s string) string {
	const most = 8 << 10
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// wait waits for the process to end and returns its exit code, -1 if a signal ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(testkit.Patience):
		p.t.Fatalf("%s did not end", p.name)
	}
	var exit *exec.ExitError
	switch {
	case p.err == nil:
		return 0
	case errors.As(p.err, &exit):
		return exit.ExitCode()
	}
	p.t.Fatalf("%s: %v", p.name, p.err)
	return 0
}

// stop asks the process to end and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// kill ends the process at once, as a power cut would, and waits for it.
func (p *process) kill() {
	// It fails only if the process has ended.
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// run runs tidings to its end and returns its standard output, its standard error
// and its exit code.
func run(t testing.TB, s spec) (out, log string, code int) {
	t.Helper()
	p := launch(t, s)
	code = p.wait()
	return p.out.String(), p.log.String(), code
}
