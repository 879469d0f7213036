package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/inbox"
	"tidings/services/notifier/people"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/lifecycle"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/subject"
	"tidings/shared/suppress"
	"tidings/shared/template"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

const (
	// Name is the service's name in the mesh.
	Name = "notifier"
	// DefaultConcurrency is how many jobs are decided at the same time. Each is mostly
	// waiting for NATS.
	DefaultConcurrency = 32
	// routeTimeout bounds the work on one job: a hundred people, who take a second while
	// NATS is well.
	routeTimeout = time.Minute
	// maxAttempts is how often a job is tried: for a quarter of an hour, which outlasts
	// a restart of everything. What still fails is a fault of ours, and a dead letter.
	maxAttempts = 20
)

// Config is what a Notifier needs to know.
type Config struct {
	Conn  *natsx.Conn
	Space subject.Space
	Auth  *auth.Authenticator
	// Queue, Ledger, Suppressed and Templates are shared with the other services of the
	// process.
	Queue      *worker.Queue
	Ledger     *ledger.Ledger
	Suppressed *suppress.List
	Templates  func() *template.Set
	// Inbox is the inboxes' store. It is opened before the event log is.
	Inbox *inbox.Store
	// Categories are the installation's; nil means route.DefaultCategories.
	Categories route.Categories
	// Channels are those that somebody sends over here; none means all.
	Channels []route.Channel
	// Replicas is how many servers keep each stream and bucket.
	Replicas int
	// Concurrency is how many jobs are decided at once; 0 means DefaultConcurrency.
	Concurrency int
	// Mesh is what Run joins; Node and Version are told there.
	Mesh          *mesh.Mesh
	Node, Version string
	// Now is the clock; nil means time.Now. Wake has the plan look at it, for clocks that jump.
	Now  func() time.Time
	Wake <-chan struct{}
}

// Notifier is the service. Make one with New.
type Notifier struct {
	cfg     Config
	log     *slog.Logger
	people  *people.People
	planner *planner.Planner
	history *deliver.History
	answers *answers
	deliver *deliver.Deliverer
	worker  *worker.Worker
	metrics *metrics
}

// New opens what it keeps in NATS and returns a Notifier. Nothing runs before Run.
func New(ctx context.Context, cfg Config, log *slog.Logger, reg prometheus.Registerer, jobs *worker.Metrics) (*Notifier, error) {
	if cfg.Categories == nil {
		cfg.Categories = route.DefaultCategories()
	}
	if err := cfg.Categories.Check(); err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	n := &Notifier{cfg: cfg, log: log, metrics: newMetrics(reg)}
	if err := n.open(ctx, reg); err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	n.deliver = deliver.New(deliver.Config{
		Queue: cfg.Queue, Ledger: cfg.Ledger, People: n.people, Inbox: cfg.Inbox, Planner: n.planner, Suppressed: cfg.Suppressed,
		History: n.history, Templates: cfg.Templates, Categories: cfg.Categories, Channels: cfg.Channels,
		Connected: n.connected, Now: cfg.Now,
	}, log)
	var err error
	n.worker, err = worker.New(cfg.Queue, worker.Config{
		Channel: deliver.Channel, Sender: n.deliver, Concurrency: cfg.Concurrency, SendTimeout: routeTimeout, Metrics: jobs,
		Backoff: backoff.Bounds{Base: time.Second, Factor: 2, Max: time.Minute}, MaxAttempts: maxAttempts,
	}, log)
	if err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	return n, nil
}

// open opens what is the notifier's own.
func (n *Notifier) open(ctx context.Context, reg prometheus.Registerer) (err error) {
	c := n.cfg
	if n.people, err = people.Open(ctx, c.Conn, c.Space, c.Replicas); err != nil {
		return err
	}
	if n.history, err = deliver.OpenHistory(ctx, c.Conn, c.Space, c.Replicas); err != nil {
		return err
	}
	if n.answers, err = openAnswers(ctx, c.Conn, c.Space, c.Replicas); err != nil {
		return err
	}
	n.planner, err = planner.Open(ctx, c.Conn, c.Space, planner.Config{Replicas: c.Replicas, Now: c.Now, Wake: c.Wake, Log: n.log, Registerer: reg})
	return err
}

// Routes adds the service's routes to e.
func (n *Notifier) Routes(e *echo.Echo) {
	may := []echo.MiddlewareFunc{httpx.Authenticate(n.cfg.Auth), notifying}
	e.POST("/v1/notify", n.postNotify, may...)
	e.GET("/v1/notifications", n.listNotifications, may...)
	e.GET("/v1/notifications/:id", n.showNotification, may...)
	e.DELETE("/v1/notifications/:id", n.cancelNotification, may...)
	e.POST("/v1/people", n.importPeople, may...)
	e.GET("/v1/people", n.listPeople, may...)
	const suppressed = "/v1/suppressed/:channel/:address"
	e.GET(suppressed, n.showSuppressed, may[0], administering)
	e.PUT(suppressed, n.addSuppressed, may[0], administering)
	e.DELETE(suppressed, n.clearSuppressed, may[0], administering)
	// These two are a person's own as well.
	e.PUT("/v1/people/:id", n.putPerson, may[0])
	e.GET("/v1/people/:id", n.showPerson, may[0])
	e.DELETE("/v1/people/:id", n.erasePerson, may...)
}

// notifying lets nobody pass but who may notify.
func notifying(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !mayNotify(httpx.Grant(c)) {
			return errGrant
		}
		return next(c)
	}
}

func mayNotify(g *auth.Grant) bool { return g != nil && (g.Notify || g.Admin) }

// Ready returns why notifications would not be delivered now, or nil.
func (n *Notifier) Ready(ctx context.Context) error {
	return errors.Join(n.worker.Check(ctx), n.planner.Check(ctx), n.cfg.Ledger.Check(ctx))
}

// Introduce puts people on file who are not there yet.
func (n *Notifier) Introduce(ctx context.Context, list []people.Record) error {
	for _, r := range list {
		_, known, err := n.people.Of(ctx, r.User)
		if err == nil && !known {
			err = n.people.Put(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("notifier: introduce %s: %w", r.User, err)
		}
	}
	return nil
}

// Run works until ctx ends and returns nil then. It returns an error only if it could
// not begin.
func (n *Notifier) Run(ctx context.Context) error {
	member, err := n.join()
	if err != nil {
		return fmt.Errorf("notifier: %w", err)
	}
	err = lifecycle.Run(ctx,
		lifecycle.Task{Name: "worker", Run: n.worker.Run},
		lifecycle.Task{Name: "plan", Run: func(ctx context.Context) error { return n.planner.Run(ctx, n.deliver.Fire) }},
		lifecycle.Task{Name: "plain publishes", Run: n.takePublishes},
		lifecycle.Task{Name: "inboxes", Run: n.cfg.Inbox.Run},
	)
	return errors.Join(err, member.Leave())
}
