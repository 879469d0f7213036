package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
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

// Config says what to start.
type Config struct {
	// Program is the command line that starts this program; "up …" is appended to it.
	Program []string
	// Args are settings beside the addresses and the directory.
	Args []string
	// NATS is the URL of the NATS server to use; empty embeds one.
	NATS string
	// Progress gets what the server has to say.
	Progress io.Writer
}

// Server is a Tidings server in a child process, with an embedded NATS unless told
// otherwise, on free ports of this machine and a directory of its own. Make one with
// Start and Stop it.
type Server struct {
	// HTTP and NATS are where it listens, host:port; NATS is of no use with one that
	// was given.
	HTTP, NATS string
	// Admin is its admin listener.
	Admin Admin
	// Secret signs the tokens that it takes.
	Secret telemetry.Secret

	cmd    *exec.Cmd
	dir    string
	exited chan struct{}
	err    error // of the process; read it after exited
}

// Start starts a server and waits until it is ready.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tidings-bench-")
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Server{
		HTTP: ports[0], Admin: Admin("http://" + ports[1]), NATS: ports[2], dir: dir,
		Secret: telemetry.Secret(auth.GenerateSecret()), exited: make(chan struct{}),
	}
	args := append(slices.Clip(cfg.Program[1:]), "up", "edge", "producer", "--http", s.HTTP, "--admin", ports[1], "--data", dir)
	if cfg.NATS == "" {
		args = append(args, "--nats-listen", s.NATS)
	}
	// Not killed with ctx: Stop lets it end in its own way.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), cfg.Program[0], append(args, cfg.Args...)...)
	s.cmd.Env = append(environment(os.Environ()), "TIDINGS_JWT_SECRET="+s.Secret.Reveal())
	if cfg.NATS != "" {
		s.cmd.Env = append(s.cmd.Env, "TIDINGS_NATS="+cfg.NATS) // it may hold a password, which arguments would show
	}
	s.cmd.Stdout, s.cmd.Stderr = io.Discard, cfg.Progress
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a server: %w", err), os.RemoveAll(dir))
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
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
func (s *Server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if _, err := s.Admin.get(ctx, "/readyz"); err == nil {
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

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends the server, by force if it does not listen, and removes its directory.
func (s *Server) Stop() error {
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
