package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// DefaultInFlight is how many requests of either route are held at once. At the
	// largest body that is 256 MiB for /v1/events, before parsing about doubles it.
	DefaultInFlight = 64
	// MaxHooks bounds the configured webhooks; it only catches a broken file.
	MaxHooks = 1000
)

// Config is what a Producer needs to know. Its zero value takes events and nothing
// else.
type Config struct {
	// Hooks are the webhooks that may come in.
	Hooks []Hook
	// Feed publishes this machine's and NATS's figures every second.
	Feed bool
	// Host is the machine's name in the feed; empty means what the system says.
	Host string
	// Stats reads NATS's figures for the feed, such as (*natsx.Conn).Stats. Nil leaves
	// them out.
	Stats func(context.Context) (natsx.Stats, error)
	// InFlight bounds the requests held at once, for /v1/events and for /v1/hooks
	// each; 0 means DefaultInFlight.
	InFlight int
	// Mesh is what Run joins, nil for none; Node and Version are told there.
	Mesh          *mesh.Mesh
	Node, Version string
}

// Producer is the service that takes events in. Make one with New.
type Producer struct {
	// Static after construction.
	config  Config
	log     stream.Log
	auth    *auth.Authenticator
	logger  *slog.Logger
	metrics *metrics
	hooks   map[string]Hook // by name

	// events and strangers bound the requests of the two routes. They are two, so
	// that those who need no token can't use up the places of those who do.
	events, strangers gate
}

// New checks cfg, reporting all its faults at once, and returns a Producer that
// stores into log. Nothing runs before Run; the counters are registered with reg.
func New(cfg Config, log stream.Log, authn *auth.Authenticator, logger *slog.Logger, reg prometheus.Registerer) (*Producer, error) {
	hooks, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = DefaultInFlight
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	return &Producer{
		config: cfg, log: log, auth: authn, logger: logger, metrics: m, hooks: hooks,
		events: make(gate, cfg.InFlight), strangers: make(gate, cfg.InFlight),
	}, nil
}

// check reports every fault of c, completes Host and returns the hooks by name.
func (c *Config) check() (map[string]Hook, error) {
	var faults []error
	if len(c.Hooks) > MaxHooks {
		return nil, fmt.Errorf("there are over %d hooks", MaxHooks)
	}
	hooks := make(map[string]Hook, len(c.Hooks))
	for _, h := range c.Hooks {
		if err := h.check(); err != nil {
			faults = append(faults, err)
		}
		if _, twice := hooks[h.Name]; twice {
			faults = append(faults, fmt.Errorf("hook %q: the name is used twice", h.Name))
		}
		hooks[h.Name] = h
	}
	if c.InFlight < 0 {
		faults = append(faults, errors.New("InFlight is negative"))
	}
	if c.Feed {
		if err := c.checkHost(); err != nil {
			faults = append(faults, err)
		}
	}
	return hooks, errors.Join(faults...)
}

// checkHost completes the machine's name and checks that it fits into a topic.
func (c *Config) checkHost() error {
	if c.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("os.Hostname: %w", err)
		}
		c.Host = name
	}
	if _, err := subject.ParseTopic(string(hostTopic(c.Host))); err != nil {
		return fmt.Errorf("host %q: %w", c.Host, err)
	}
	return nil
}

// Routes adds the service's routes to e.
func (p *Producer) Routes(e *echo.Echo) {
	e.POST("/v1/events", p.postEvents, httpx.Authenticate(p.auth))
	e.POST("/v1/hooks/:name", p.postHook)
}

// Run joins the mesh and publishes the feed, if they are on, until ctx ends; then it
// returns nil, after its goroutines have ended. The routes work with or without it. It
// returns an error only if it could not start.
func (p *Producer) Run(ctx context.Context) error {
	if p.config.Mesh != nil {
		started := time.Now()
		member, err := p.config.Mesh.Join(mesh.Service{
			Name: "producer", Node: p.config.Node, Version: p.config.Version,
			Description: "takes events in", Figures: func() any { return p.metrics.figures(started) },
		})
		if err != nil {
			return fmt.Errorf("producer: %w", err)
		}
		defer func() {
			if err := member.Leave(); err != nil {
				p.logger.Warn("the mesh could not be left in order", "err", err)
			}
		}()
	}
	if p.config.Feed {
		p.runFeeds(ctx)
	}
	<-ctx.Done()
	return nil
}
