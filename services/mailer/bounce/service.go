package bounce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Path is where webhooks come in, with the name of the hook after it.
const Path = "/v1/bounces/"

// Config is what a Service needs. Each intake may be left out.
type Config struct {
	// Seals are those that the mailer seals its mail with.
	Seals *Seals
	// Apply does what follows from reports.
	Apply *Applier
	// Maildir is looked into, if its Dir is not "".
	Maildir Maildir
	// SMTP listens, if its Listen is not "".
	SMTP SMTP
	// Hooks are the webhooks.
	Hooks []Hook
	// Log gets what operators should know. Nil means none.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
}

// Service takes reports in.
type Service struct {
	poller   *poller   // nil without a Maildir
	listener *listener // nil without SMTP
	hooks    *hooks
}

// New returns a service. It listens already, so that Addr is known, and serves from Run
// on. Errors tell what is wrong with the configuration, or why it can't listen.
func New(cfg Config) (*Service, error) {
	if cfg.Seals == nil || cfg.Apply == nil {
		return nil, errors.New("bounce: seals and an applier are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d, err := newDesk(cfg.Seals, cfg.Apply, cfg.Log, cfg.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Service{}
	if s.hooks, err = newHooks(cfg.Hooks, d); err != nil {
		return nil, err
	}
	if cfg.Maildir.Dir != "" {
		if cfg.Maildir.Poll <= 0 {
			cfg.Maildir.Poll = DefaultPoll
		}
		s.poller = &poller{cfg.Maildir, d}
	}
	if cfg.SMTP.Listen != "" {
		if s.listener, err = listen(cfg.SMTP, d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Addr returns where mail is taken in, nil if nowhere.
func (s *Service) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.gate.Addr()
}

// Routes adds POST /v1/bounces/:provider.
func (s *Service) Routes(e *echo.Echo) { e.POST(Path+":provider", s.hooks.post) }

// Close stops listening, for a service that is not going to Run. After Run it does
// nothing.
func (s *Service) Close() error {
	if s.listener == nil {
		return nil
	}
	if err := s.listener.gate.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("bounce: close: %w", err)
	}
	return nil
}

// Run looks into the Maildir and takes mail in until ctx ends; then it returns nil,
// after what was taken in is applied. It returns an error if it can't go on. The
// webhooks work with or without it.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	if s.poller != nil {
		wg.Go(func() { s.poller.run(ctx) })
	}
	var err error
	if s.listener != nil {
		err = s.listener.run(ctx)
		stop()
	} else {
		<-ctx.Done()
	}
	wg.Wait()
	return err
}
