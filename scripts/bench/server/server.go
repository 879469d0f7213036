package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"tidings/shared/auth"
	"tidings/shared/telemetry"
)

// Config says what to start.
type Config struct {
	// Program is the command line that starts this program; "up …" is appended to it.
	Program []string
	// Services are the services of the server; none means an edge and a producer.
	Services []string
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

	*child
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
	s := &Server{HTTP: ports[0], Admin: Admin("http://" + ports[1]), NATS: ports[2], Secret: telemetry.Secret(auth.GenerateSecret())}
	services := cfg.Services
	if len(services) == 0 {
		services = []string{"edge", "producer"}
	}
	args := append([]string{"up"}, services...)
	args = append(args, "--http", s.HTTP, "--admin", ports[1], "--data", dir)
	if cfg.NATS == "" {
		args = append(args, "--nats-listen", s.NATS)
	}
	env := []string{"TIDINGS_JWT_SECRET=" + s.Secret.Reveal()}
	if cfg.NATS != "" {
		env = append(env, "TIDINGS_NATS="+cfg.NATS) // it may hold a password, which arguments would show
	}
	if s.child, err = start(ctx, cfg.Program, append(args, cfg.Args...), env, dir, cfg.Progress); err != nil {
		return nil, err
	}
	err = s.wait(ctx, func(ctx context.Context) bool {
		_, err := s.Admin.get(ctx, "/readyz")
		return err == nil
	})
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// NATS is a NATS server in a child process, on a free port of this machine and a directory
// of its own, so that its memory and that of the services are told apart. Make one with
// StartNATS and Stop it.
type NATS struct {
	// URL is where it listens.
	URL string

	*child
}

// StartNATS starts the program with the words given, an address and a directory, which is
// to be a NATS server then, and waits until it listens.
func StartNATS(ctx context.Context, program, words []string, progress io.Writer) (*NATS, error) {
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tidings-bench-nats-")
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	n := &NATS{URL: "nats://" + ports[0]}
	if n.child, err = start(ctx, program, append(slices.Clip(words), ports[0], dir), nil, dir, progress); err != nil {
		return nil, err
	}
	err = n.wait(ctx, func(ctx context.Context) bool {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", ports[0])
		return err == nil && c.Close() == nil
	})
	if err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
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
