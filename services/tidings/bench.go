package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nats.go"

	"tidings/scripts/bench"
)

// benchDrain and benchNATS are the first arguments of the bench's own child processes.
const (
	benchDrain = "drain"
	benchNATS  = "nats"
)

// runBench measures a server, one that it starts or a running one.
func runBench(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 && args[0] == benchDrain {
		return bench.Drain(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == benchNATS {
		return bench.NATS(ctx, args[1:])
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program's own file: %w", err)
	}
	o := bench.Options{Program: []string{self}, Out: p.out, Progress: p.err}
	s, rest, err := p.load("bench", args, o.Flags, nil)
	if err != nil {
		return err
	}
	o.Scenarios, o.NATS, o.Prefix = rest, s.NATS.Reveal(), s.Prefix
	if o.URL != "" {
		if s.Admin == "" {
			return fmt.Errorf("%w: --admin must be the address of the running server's admin listener", errUsage)
		}
		o.Admin, o.Secret, o.Audience, o.Issuer = "http://"+s.Admin, s.JWTSecret, s.JWTAudience, s.JWTIssuer
		if o.NATS == "" {
			o.NATS = nats.DefaultURL // where “tidings dev” listens
		}
		if o.Secret == "" {
			if o.Secret, err = readSecret(s.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := o.Check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return bench.Run(ctx, o)
}
