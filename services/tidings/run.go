package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"tidings/services/app"
	"tidings/shared/config"
)

// runDev runs every service with what a developer wants: no configuration, a
// secret of its own, and a page to look at.
func runDev(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.load("dev", args, nil, devDefaults)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: dev takes no arguments, and got %q", errUsage, rest[0])
	}
	if err := useDevSecret(s); err != nil {
		return err
	}
	return p.serve(ctx, app.Options{Settings: s, Services: app.Services(), Dev: true}, func(a *app.App) error { return p.welcome(a, s) })
}

// runUp runs the named services.
func runUp(ctx context.Context, p *program, args []string) error {
	s, services, err := p.load("up", args, nil, nil)
	if err != nil {
		return err
	}
	if err := app.CheckServices(services); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if !slices.Contains(services, app.Edge) {
		tuneGC(roomyPercent)
	}
	return p.serve(ctx, app.Options{Settings: s, Services: services}, func(*app.App) error { return nil })
}

// serve runs an app until ctx ends. started is called once it listens.
func (p *program) serve(ctx context.Context, opts app.Options, started func(*app.App) error) error {
	log, err := p.logger(opts.Settings)
	if err != nil {
		return err
	}
	opts.Log, opts.Version = log, version()
	a, err := app.New(ctx, opts)
	if err != nil {
		return err
	}
	log.Info("listening", "services", strings.Join(opts.Services, " "), "http", a.URL(), "admin", a.AdminURL(), "node", opts.Settings.Node)
	if err := started(a); err != nil {
		return errors.Join(err, a.Close())
	}
	return a.Run(ctx)
}

// welcome prints how to use what was just started. The token is in the fragment:
// browsers do not send it, so no log on the way sees it.
func (p *program) welcome(a *app.App, s *config.Settings) error {
	token, err := mint(s, tokenFlags{user: "dev", sub: []string{">"}, pub: []string{">"}, admin: true, ttl: devTokenTTL})
	if err != nil {
		return err
	}
	args := p.self + " token"
	if s.Data != defaultData {
		args += " --data " + s.Data
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\n  Tidings is running.\n\n")
	fmt.Fprintf(w, "  Console\t%s/#token=%s\n\n", a.URL(), token)
	fmt.Fprintf(w, "  Stream\tcurl -N -H \"Authorization: Bearer $(%s)\" '%s/v1/events?topics=room.ops'\n", args, a.URL())
	fmt.Fprintf(w, "  Publish\tcurl -d '{\"topic\":\"room.ops\",\"data\":{\"x\":1}}' %s/v1/events\n", a.URL())
	fmt.Fprintf(w, "  Notify\tcurl -d '{\"to\":[\"dev\",\"ann\"],\"category\":\"orders\",\"title\":\"Shipped\"}' %s/v1/notify\n", a.URL())
	if url := a.NATSURL(); url != "" {
		fmt.Fprintf(w, "  NATS\tnats -s %s pub tidings.ev.room.ops '{\"x\":1}'\n", url)
	}
	fmt.Fprintf(w, "  Mail\t%s, all of it in the console's mailbox\n", a.MailboxURL())
	fmt.Fprintf(w, "  Metrics\t%s/metrics\n  Data\t%s\n\n  Ctrl-C stops it.\n\n", a.AdminURL(), s.Data)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// runConfig prints the effective settings.
func runConfig(_ context.Context, p *program, args []string) error {
	s, _, err := p.load("config", args, nil, nil)
	if err != nil {
		return err
	}
	return s.Describe(p.out)
}

// runVersion prints the version of this binary and of what it is made of.
func runVersion(_ context.Context, p *program, _ []string) error {
	fmt.Fprintf(p.out, "tidings %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasPrefix(m.Path, "github.com/nats-io/nats") {
				fmt.Fprintf(p.out, "%s %s\n", m.Path, m.Version)
			}
		}
	}
	return nil
}
