package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/shared/auth"
	"tidings/shared/telemetry"
)

const (
	// startTime bounds the start of a server, stopTime its stop; after that it is killed.
	startTime = 30 * time.Second
	stopTime  = 15 * time.Second
	// askEvery is how often a starting server is asked whether it is ready.
	askEvery = 20 * time.Millisecond
)

// server is a Tidings server in a child process, with an embedded NATS unless told
// otherwise, on free ports of this machine and a directory of its own.
type server struct {
	http, admin, nats string // host:port
	secret            telemetry.Secret

	cmd    *exec.Cmd
	dir    string
	exited chan struct{}
	err    error // of the process; read it after exited
}

// startServer starts a server and waits until it is ready.
func startServer(ctx context.Context, o *Options, prefix string) (*server, error) {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tidings-bench-")
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &server{
		http: ports[0], admin: ports[1], nats: ports[2], dir: dir,
		secret: telemetry.Secret(auth.GenerateSecret()), exited: make(chan struct{}),
	}
	args := append(slices.Clip(o.Program[1:]), s.arguments(o, prefix)...)
	// Not killed with ctx: stop lets it end in its own way.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), o.Program[0], args...)
	s.cmd.Env = append(environment(os.Environ()), "TIDINGS_JWT_SECRET="+s.secret.Reveal())
	if o.NATS != "" {
		s.cmd.Env = append(s.cmd.Env, "TIDINGS_NATS="+o.NATS) // it may hold a password, which arguments would show
	}
	s.cmd.Stdout, s.cmd.Stderr = io.Discard, o.Progress
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a server: %w", err), os.RemoveAll(dir))
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// arguments is the server's command line: its bounds are raised to what is
// measured, everything else is as shipped.
func (s *server) arguments(o *Options, prefix string) []string {
	most := strconv.Itoa(max(o.Conns, o.Crowd) + 1000)
	args := []string{
		"up", "edge", "producer", "--http", s.http, "--admin", s.admin, "--data", s.dir, "--prefix", prefix,
		"--max-connections", most, "--max-topics", strconv.Itoa(o.Topics + quietTopics),
		"--events-per-topic", "1000000", "--drain", "1s", "--log-level", "warn",
	}
	if o.NATS == "" {
		args = append(args, "--nats-listen", s.nats)
	}
	return args
}

// environment is env without the settings of Tidings, which are for the server of
// whoever runs the bench.
func environment(env []string) []string {
	var list []string
	for _, v := range env {
		if !strings.HasPrefix(v, "TIDINGS_") {
			list = append(list, v)
		}
	}
	return list
}

// freePorts finds addresses on which nobody listens.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var list []string
	var held []net.Listener // until the end, so that the ports differ
	var errs []error
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			errs = append(errs, fmt.Errorf("free port: %w", err))
			break
		}
		held, list = append(held, l), append(list, l.Addr().String())
	}
	for _, l := range held {
		errs = append(errs, l.Close())
	}
	return list, errors.Join(errs...)
}

// wait waits until the server is ready, ends or takes too long.
func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	probe := target{admin: "http://" + s.admin}
	for {
		if _, err := probe.get(ctx, "/readyz"); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			return fmt.Errorf("the server ended before it was ready: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w", ctx.Err())
		}
	}
}

// pid is the server's process.
func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the server, by force if it does not listen, and removes its directory.
func (s *server) stop() error {
	var errs []error
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		errs = append(errs, s.cmd.Process.Kill()) // a system without signals
	}
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		errs = append(errs, fmt.Errorf("the server did not stop within %v and was killed", stopTime), s.cmd.Process.Kill())
		<-s.exited
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
