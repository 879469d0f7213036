package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tidings/services/console"
	"tidings/services/edge"
	"tidings/services/producer"
	"tidings/shared/auth"
	"tidings/shared/config"
	"tidings/shared/httpx"
	"tidings/shared/lifecycle"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/revoke"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/telemetry"
)

// The services there are. Development has a mailbox besides.
const (
	Edge     = "edge"
	Producer = "producer"
	Console  = "console"
	Notifier = "notifier"
	Mailer   = "mailer"
)

const (
	// natsWait is how long New waits for NATS: longer than a restart of it takes, and
	// short enough that a wrong address is noticed.
	natsWait = 30 * time.Second
	// stopGrace is what each part of the process gets to stop once streams are drained.
	stopGrace = 5 * time.Second
	// spareConns are connections above the edge's bound: at its bound the edge still
	// has to be able to tell a newcomer so, and the API to answer.
	spareConns = 5000
	// shortestDrain stands for a drain time of 0, which means "all at once" to an
	// operator and "the default" to the edge.
	shortestDrain = time.Nanosecond
	// localGrant is how long the grant of local programs in development lasts: for
	// as long as any development process.
	localGrant = 10 * 365 * 24 * time.Hour
)

// Services returns the names of all services.
func Services() []string { return []string{Edge, Producer, Console, Notifier, Mailer} }

// Options says what to run.
type Options struct {
	// Settings are the effective settings.
	Settings *config.Settings
	// Services are names of Services; at least one.
	Services []string
	// Dev loosens what only a developer's own machine may loosen: programs on it may
	// publish without a token, and the secret of tokens may be short.
	Dev bool
	// Version is shown by the console.
	Version string
	// Log gets everything the process has to say.
	Log *slog.Logger
}

// App is one process's worth of services. Make it with New, then Run it once.
type App struct {
	opts      Options
	stack     lifecycle.Stack
	services  []lifecycle.Task
	listeners []lifecycle.Task

	nats    *natsx.Conn
	server  *httpx.Server
	admin   *httpx.Server // nil if switched off
	metrics *prometheus.Registry
	notices notices
}

// New connects, wires and listens. Nothing is served before Run. A failed New has
// released everything again; what a successful one holds, Run or Close releases.
func New(ctx context.Context, opts Options) (*App, error) {
	a := &App{opts: opts, metrics: prometheus.NewRegistry()}
	if err := a.setup(ctx); err != nil {
		return nil, errors.Join(err, a.stop())
	}
	return a, nil
}

// URL returns the base URL of the public listener, for programs on this machine.
func (a *App) URL() string {
	scheme := "http://"
	if a.opts.Settings.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + reachable(a.server.Addr().String())
}

// AdminURL returns the base URL of the admin listener, "" if there is none.
func (a *App) AdminURL() string {
	if a.admin == nil {
		return ""
	}
	return "http://" + reachable(a.admin.Addr().String())
}

// NATSURL returns where other programs reach an embedded NATS; "" if they cannot,
// or if NATS is external.
func (a *App) NATSURL() string {
	if s := a.nats.Embedded(); s != nil {
		return s.ClientURL()
	}
	return ""
}

// Run serves until ctx ends, then drains and stops. It returns nil on a clean stop.
func (a *App) Run(ctx context.Context) error {
	// The listeners outlive the services: while the edge drains, newcomers must be
	// told to go elsewhere and /readyz must say why.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	tasks := []lifecycle.Task{{Name: "services", Run: func(ctx context.Context) error {
		defer stopServing()
		return lifecycle.Run(ctx, append(a.services, lifecycle.Task{Name: "signal", Run: untilDone})...)
	}}}
	for _, l := range a.listeners {
		tasks = append(tasks, lifecycle.Task{Name: l.Name, Run: func(context.Context) error { return l.Run(serving) }})
	}
	err := lifecycle.Run(ctx, tasks...)
	return errors.Join(err, a.stop())
}

// Close releases what New acquired. It is for an App that will not be run: Run does
// it by itself. Closing twice, or after Run, is fine.
func (a *App) Close() error { return a.stop() }

// untilDone keeps a process without running services, such as a console alone, up.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (a *App) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	return a.stack.Stop(ctx)
}

// setup is one straight function on purpose: it reads as the process's anatomy,
// and pieces would have to hand its whole state around.
func (a *App) setup(ctx context.Context) error {
	s, log := a.opts.Settings, a.opts.Log
	space, err := a.check()
	if err != nil {
		return err
	}
	if err = a.openNATS(ctx); err != nil {
		return err
	}
	if err = a.openNotifications(ctx, space); err != nil {
		return err
	}
	events, err := stream.OpenNATS(ctx, a.nats, space, limits(s), log)
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	authn, revoked, err := a.openAuth(ctx, space)
	if err != nil {
		return err
	}
	ready := telemetry.NewHealth()
	ready.Add("nats", a.natsReady)
	ready.Add("token keys", authn.Verifier.Check)
	ready.Add("revocations", revoked.Check)
	router := httpx.NewEcho(httpx.EchoConfig{
		Log: log, Registerer: a.metrics, MaxBody: producer.MaxBody, Origins: s.Origins, TrustedProxies: s.TrustedProxies,
	})
	// From here on the address is known; nothing is served before Run.
	if err = a.listen(router, ready); err != nil {
		return err
	}
	if a.has(Edge) {
		e, err := edge.New(a.edgeConfig(space, events, authn), log.With("service", Edge), a.metrics)
		if err != nil {
			return err
		}
		e.Routes(router)
		ready.Add(Edge, e.Ready)
		a.services = append(a.services, lifecycle.Task{Name: Edge, Run: e.Run})
	}
	if a.has(Producer) {
		p, err := producer.New(a.producerConfig(space), events, a.localAuth(authn), log.With("service", Producer), a.metrics)
		if err != nil {
			return err
		}
		p.Routes(router)
		a.services = append(a.services, lifecycle.Task{Name: Producer, Run: p.Run})
	}
	if a.has(Console) {
		c, err := console.New(a.consoleConfig(space, revoked), authn, log.With("service", Console))
		if err != nil {
			return err
		}
		c.Routes(router)
		a.services = append(a.services, lifecycle.Task{Name: Console, Run: c.Run})
	}
	return a.wireNotifications(ctx, space, authn, events, router, ready)
}

// check looks at what can be seen to be wrong before anything is opened.
func (a *App) check() (subject.Space, error) {
	if err := CheckServices(a.opts.Services); err != nil {
		return subject.Space{}, err
	}
	if a.has(Mailer) && !a.opts.Dev && (len(a.opts.Settings.SMTP) == 0 || a.opts.Settings.MailFrom == "") {
		return subject.Space{}, errors.New("the mailer needs smtp (TIDINGS_SMTP), the servers that take its mail, and mail-from (TIDINGS_MAIL_FROM), who it is from")
	}
	space, err := subject.NewSpace(a.opts.Settings.Prefix)
	if err != nil {
		return subject.Space{}, fmt.Errorf("prefix: %w", err)
	}
	return space, nil
}

// openNATS connects or embeds.
func (a *App) openNATS(ctx context.Context) error {
	s := a.opts.Settings
	ctx, cancel := context.WithTimeout(ctx, natsWait)
	defer cancel()
	conn, err := natsx.Open(ctx, natsx.Config{
		URL: s.NATS.Reveal(), Creds: s.NATSCreds, Name: "tidings-" + s.Node, Dir: s.Data, Listen: s.NATSListen, MonitorURL: s.NATSMonitor.Reveal(),
	}, a.opts.Log)
	if err != nil {
		return err
	}
	a.nats = conn
	a.stack.OnStop("nats", func(context.Context) error { conn.Close(); return nil })
	a.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidings_nats_connected", Help: "1 while connected to NATS."}, func() float64 {
			if conn.Connected() {
				return 1
			}
			return 0
		}),
	)
	return nil
}

func (a *App) natsReady(context.Context) error {
	if !a.nats.Connected() {
		return natsx.ErrAway
	}
	return nil
}

// openAuth makes the one authenticator of all services, and the list of tokens that it
// refuses.
func (a *App) openAuth(ctx context.Context, space subject.Space) (*auth.Authenticator, *revoke.List, error) {
	s := a.opts.Settings
	verifier, err := auth.NewVerifier(context.WithoutCancel(ctx), auth.Config{
		Secret: []byte(s.JWTSecret.Reveal()), WeakSecret: a.opts.Dev, KeysFile: s.JWTKeys, JWKSURL: s.JWTJWKS.Reveal(), Audience: s.JWTAudience, Issuer: s.JWTIssuer,
	}, a.opts.Log)
	if err != nil {
		return nil, nil, fmt.Errorf("auth: %w", err)
	}
	a.stack.OnStop("auth", func(context.Context) error { verifier.Close(); return nil })
	store, err := edge.OpenTicketStore(ctx, a.nats, space)
	if err != nil {
		return nil, nil, err
	}
	revoked, err := revoke.Open(ctx, a.nats, space, s.Replicas, a.opts.Log)
	if err != nil {
		return nil, nil, err
	}
	a.services = append(a.services, lifecycle.Task{Name: "revocations", Run: revoked.Run})
	return &auth.Authenticator{
		Verifier: verifier, Tickets: auth.NewTickets(store, auth.TicketTTL), Origins: s.Origins, Revoked: revoked.Revoked,
	}, revoked, nil
}

// localAuth is authn, and in development lets programs on this machine publish and
// notify without a token.
func (a *App) localAuth(authn *auth.Authenticator) *auth.Authenticator {
	if !a.opts.Dev {
		return authn
	}
	local := *authn
	local.Local = &auth.Grant{User: "local", Pub: []subject.Pattern{">"}, Notify: true, Expires: time.Now().Add(localGrant)}
	return &local
}

func (a *App) producerConfig(space subject.Space) producer.Config {
	c := producer.Config{Feed: true, Stats: a.nats.Stats, Mesh: a.mesh(space), Node: a.opts.Settings.Node, Version: a.opts.Version}
	for _, h := range a.opts.Settings.Hooks {
		if h.Topic == "" {
			h.Topic = subject.Room("hooks", h.Name)
		}
		c.Hooks = append(c.Hooks, producer.Hook{Name: h.Name, Kind: producer.HookKind(h.Kind), Topic: h.Topic, Secret: h.Secret})
	}
	return c
}

// mesh returns the way to the other services.
func (a *App) mesh(space subject.Space) *mesh.Mesh { return mesh.New(a.nats, space, a.opts.Log) }

// consoleConfig gives the console what operators may see. It mints tokens where there
// is a secret that every service takes them for.
func (a *App) consoleConfig(space subject.Space, revoked *revoke.List) console.Config {
	s := a.opts.Settings
	return console.Config{
		Version: a.opts.Version, Node: s.Node, Prefix: s.Prefix, Dev: a.opts.Dev,
		Mesh: a.mesh(space), Streams: a.nats.Details, Revocations: revoked, Queue: a.notices.queue, Templates: a.notices.templates,
		Secret: s.JWTSecret, Audience: s.JWTAudience, Issuer: s.JWTIssuer,
	}
}

func (a *App) edgeConfig(space subject.Space, log *stream.NATS, authn *auth.Authenticator) edge.Config {
	s := a.opts.Settings
	return edge.Config{
		Node: s.Node, Version: a.opts.Version, Space: space, Log: log, NATS: a.nats, Auth: authn,
		Heartbeat: s.Heartbeat, Drain: max(s.Drain, shortestDrain), TailBytes: int64(s.TailBytes),
		Connections: s.MaxConnections, PerUser: s.MaxConnectionsPerUser, PerIP: s.MaxConnectionsPerIP, Topics: s.MaxTopics,
		Ordinary: !s.Raw,
	}
}

func limits(s *config.Settings) stream.Limits {
	return stream.Limits{Age: s.EventsAge, PerTopic: int64(s.EventsPerTopic), Bytes: int64(s.EventsBytes), Replicas: s.Replicas}
}

// listen opens both listeners.
func (a *App) listen(router http.Handler, ready *telemetry.Health) error {
	s := a.opts.Settings
	public := httpx.ServerConfig{Addr: s.HTTP, Handler: router, MaxConns: s.MaxConnections + spareConns}
	if s.TLSCert != "" {
		public.TLS = &httpx.TLSConfig{CertFile: s.TLSCert, KeyFile: s.TLSKey, Registerer: a.metrics}
	}
	var err error
	if a.server, err = a.open("http", public); err != nil {
		return err
	}
	if s.Admin == "" {
		return nil
	}
	admin := httpx.NewAdmin(httpx.AdminConfig{Gatherer: a.metrics, Live: telemetry.NewHealth(), Ready: ready, Log: a.opts.Log})
	a.admin, err = a.open("admin", httpx.ServerConfig{Addr: s.Admin, Handler: admin})
	return err
}

// open opens one listener.
func (a *App) open(name string, cfg httpx.ServerConfig) (*httpx.Server, error) {
	cfg.Log, cfg.Grace = a.opts.Log, stopGrace
	l, err := httpx.Listen(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a.stack.OnStop(name+" listener", func(context.Context) error { return l.Close() })
	a.listeners = append(a.listeners, lifecycle.Task{Name: name, Run: l.Run})
	return l, nil
}

func (a *App) has(service string) bool { return slices.Contains(a.opts.Services, service) }

// CheckServices returns an error that lists the services there are, unless names
// are one or more of them.
func CheckServices(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("no service named; there are %s", strings.Join(Services(), ", "))
	}
	for _, n := range names {
		if !slices.Contains(Services(), n) {
			return fmt.Errorf("unknown service %q; there are %s", n, strings.Join(Services(), ", "))
		}
	}
	return nil
}

// reachable turns a listening address into one a browser on this machine can use.
func reachable(addr string) string {
	for _, wildcard := range []string{"[::]:", "0.0.0.0:", ":"} {
		if port, ok := strings.CutPrefix(addr, wildcard); ok {
			return "127.0.0.1:" + port
		}
	}
	return addr
}
