package natsx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// MinVersion is the oldest server Tidings runs on: 2.11 brought message TTLs,
	// which canaries need so as not to pile up in the log.
	MinVersion = "2.11"
	// connectWait bounds one attempt to reach a server.
	connectWait = 2 * time.Second
	// reconnectWait is the pause between attempts after a lost connection; with the
	// jitter below a fleet of edges does not return in one instant.
	reconnectWait = 250 * time.Millisecond
	// reconnectJitter spreads reconnectWait.
	reconnectJitter = 250 * time.Millisecond
	// pingEvery finds a dead peer behind a silent network within two pings.
	pingEvery = 10 * time.Second
)

// Config says which NATS to use.
type Config struct {
	// URL is a comma-separated list of servers; empty means: embed one.
	URL string
	// Creds is the path of a NATS credentials file; empty means none.
	Creds string
	// Name is what the server shows for this connection.
	Name string
	// Dir is where an embedded server keeps its streams. Required when embedding.
	Dir string
	// Listen is the host:port of an embedded server's listener; empty means that
	// only this process can reach it. ":0" in place of the port picks a free one.
	Listen string
	// MonitorURL is the base URL of an external server's monitoring port, such as
	// http://127.0.0.1:8222; empty means that server-wide figures stay unknown.
	MonitorURL string
}

// Conn is a connection to NATS with JetStream. Make one with Open.
type Conn struct {
	// NC is the core connection. It reconnects for ever and never buffers a publish
	// while disconnected: a publish that cannot be sent now fails now.
	NC *nats.Conn
	// JS is JetStream over NC.
	JS jetstream.JetStream

	embedded *Server // nil when external
	monitor  string
	http     *http.Client
	refusals *refusals
}

// Open connects to cfg.URL, trying until ctx ends, or embeds a server. It checks
// that the server is new enough and has JetStream. The error says what is wrong
// in words for an operator; errors.Is finds ErrAway, ErrOld and ErrNoJetStream.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Conn, error) {
	c := &Conn{
		monitor: strings.TrimSuffix(cfg.MonitorURL, "/"), http: &http.Client{Timeout: connectWait},
		refusals: newRefusals(),
	}
	opts := c.options(cfg, log)
	if cfg.URL == "" {
		s, err := startServer(cfg)
		if err != nil {
			return nil, fmt.Errorf("embedded NATS: %w", err)
		}
		c.embedded = s
		opts = append(opts, nats.InProcessServer(s))
	}
	if err := c.connect(ctx, cfg.URL, opts, log); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.check(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) options(cfg Config, log *slog.Logger) []nats.Option {
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.Timeout(connectWait),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.ReconnectBufSize(-1),
		// Credentials that are refused for a while (a rollout, a rotation) must not end
		// the connection for good; Open itself does fail on them.
		nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS connection lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS connection restored", "server", nc.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			c.refusals.refuse(err)
			if sub != nil {
				log.Warn("NATS reported an error", "subject", sub.Subject, "err", err)
				return
			}
			log.Warn("NATS reported an error", "err", err)
		}),
	}
	if cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	return opts
}

// connect tries until it succeeds, ctx ends, or trying again cannot help.
func (c *Conn) connect(ctx context.Context, servers string, opts []nats.Option, log *slog.Logger) error {
	for told := false; ; {
		nc, err := nats.Connect(servers, opts...)
		if err == nil {
			c.NC = nc
			break
		}
		if e := (*url.Error)(nil); errors.As(err, &e) {
			return fmt.Errorf("the URL of NATS: %w", e.Err) // e itself quotes the URL, password and all
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "credentials") {
			return fmt.Errorf("connect to NATS at %s: %w", Redact(servers), err)
		}
		if !told {
			told = true
			log.Info("waiting for NATS", "url", Redact(servers), "err", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) { // told to stop waiting: nothing went wrong
				return fmt.Errorf("connect to NATS at %s: %w", Redact(servers), ctx.Err())
			}
			return fmt.Errorf("connect to NATS at %s: %w: %w", Redact(servers), ErrAway, err)
		case <-time.After(reconnectWait):
		}
	}
	js, err := jetstream.New(c.NC)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	c.JS = js
	return nil
}

// check refuses a server that cannot serve, at start instead of at the first publish.
func (c *Conn) check(ctx context.Context) error {
	if v := c.NC.ConnectedServerVersion(); olderThan(v, MinVersion) {
		return fmt.Errorf("%w: %s runs %s, at least %s is needed", ErrOld, Redact(c.NC.ConnectedUrl()), v, MinVersion)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := c.Guard(ctx, func(ctx context.Context) error {
		_, err := c.JS.AccountInfo(ctx)
		return err
	}, "$JS.API.INFO")
	if err != nil {
		return fmt.Errorf("JetStream at %s: %w", Redact(c.NC.ConnectedUrl()), Classify(err))
	}
	return nil
}

// Connected reports whether the connection is up at this moment.
func (c *Conn) Connected() bool { return c.NC.IsConnected() }

// Embedded returns the server inside this process, or nil.
func (c *Conn) Embedded() *Server { return c.embedded }

// Close drops the connection and stops an embedded server. It is safe to call
// on a half-opened Conn.
func (c *Conn) Close() {
	if c.NC != nil {
		c.NC.Close()
	}
	if c.embedded != nil {
		c.embedded.Stop()
	}
}

// olderThan compares major.minor; a version it cannot read counts as new enough.
func olderThan(version, minimum string) bool {
	a, aok := majorMinor(version)
	b, bok := majorMinor(minimum)
	return aok && bok && (a[0] < b[0] || a[0] == b[0] && a[1] < b[1])
}

func majorMinor(v string) (mm [2]int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(v, "v"), ".", 3)
	if len(parts) < 2 {
		return mm, false
	}
	for i := range mm {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return mm, false
		}
		mm[i] = n
	}
	return mm, true
}
