package mailer

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailer/dkim"
	"tidings/services/mailer/smtp"
	"tidings/shared/ledger"
	"tidings/shared/mesh"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/template"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

// Channel is whose jobs are sent.
const Channel = "mail"

const (
	// DefaultMaxAttempts is how often a mail is tried. With pauses of up to six hours that
	// takes about a day, as long as mail servers commonly wait for each other.
	DefaultMaxAttempts = 12
	// DefaultSendTimeout bounds an attempt. It is long because to give up on an answer that
	// is on its way makes a mail that may arrive twice.
	DefaultSendTimeout = 2 * time.Minute
)

// ErrConfig says that the configuration can't be used.
var ErrConfig = errors.New("invalid mail configuration")

// Seals make what only we can make, and what comes back with a bounce. Errors of both mean
// that a mail goes without.
type Seals interface {
	// ReturnPath returns the sender of the envelope for a job's mail to an address.
	ReturnPath(key, address string) (string, error)
	// Trace returns the value of a header for it.
	Trace(key, notification, address string) (string, error)
}

// Config says what mails look like and where they go.
type Config struct {
	// Providers are URLs as of smtp.Parse, in the order they are tried. Needed.
	Providers []telemetry.Secret
	// From is who mails are from, "Name <address>" or an address. Needed.
	From string
	// ReplyTo is where answers go, in the same form; "" for From.
	ReplyTo string
	// Domain stands in Message-ID, List-Id and Feedback-ID, and is what is said in EHLO;
	// that of From by default. All mailers of an installation need the same.
	Domain string
	// Seals make what lets a bounce be known again, see package bounce; nil for none.
	// Without, mail that can't be delivered returns to From.
	Seals Seals
	// AppURL is the application's: links that are only a path lead below it; "" leaves
	// them out.
	AppURL string
	// PreferencesURL is shown below mails; "" for none.
	PreferencesURL string
	// Brand is the sender's name in mails; From's name by default.
	Brand string
	// Keys sign mails; without one for From's domain they are not signed here.
	Keys []dkim.Key
	// Templates returns those that render mails now. Needed.
	Templates func() *template.Set
	// Unsubscribe makes the link for one-click unsubscription of a category, "" for all;
	// nil, or a link "", means none. Errors are taken to pass.
	Unsubscribe func(user, category, address string) (link string, err error)
	// Suppressed is asked before each attempt. Needed.
	Suppressed *suppress.List
	// PerDomain and PerRecipient limit mails to a domain and to an address, for each
	// process; the zero Limit is none. Critical jobs pass.
	PerDomain, PerRecipient smtp.Limit
	// Roots are the authorities trusted to name providers; nil means the system's.
	Roots *x509.CertPool
	// Concurrency is how many mails are in hand at once; by default as many as the
	// providers have connections.
	Concurrency int
	// MaxAttempts, Backoff, SendTimeout, AckWait and Grace are as in worker.Config; the
	// first and the third have defaults of their own.
	MaxAttempts                 int
	Backoff                     backoff.Bounds
	SendTimeout, AckWait, Grace time.Duration
	// Jobs are the worker's metrics, which channels in one process share; nil for none.
	Jobs *worker.Metrics
	// Sending refines how providers are treated: Hello, timeouts, Patience, Failures and
	// so on. What is above wins over its other fields.
	Sending smtp.Config
	// Mesh is what Run joins, nil for none; Node and Version are told there.
	Mesh          *mesh.Mesh
	Node, Version string
}

// Mailer sends mails. Make one with New.
type Mailer struct {
	cfg     Config
	from    mailbox
	replyTo *mailbox // nil if there is none
	first   string   // the first provider's name
	signer  *dkim.Signer
	relays  *smtp.Relays
	worker  *worker.Worker
	queue   *worker.Queue
	ledger  *ledger.Ledger
	unsure  *memory
	log     *slog.Logger

	suppressed, bounced prometheus.Counter
	ends                ends
}

// New returns a mailer that does nothing before Run. Errors list all faults of the
// configuration and wrap ErrConfig. It panics if reg knows its metrics already.
func New(cfg Config, queue *worker.Queue, led *ledger.Ledger, log *slog.Logger, reg prometheus.Registerer) (*Mailer, error) {
	m := &Mailer{queue: queue, ledger: led, unsure: newMemory(), log: log}
	providers, err := m.read(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	sending := m.cfg.Sending
	sending.Providers, sending.Hello, sending.Roots = providers, cmp.Or(sending.Hello, m.cfg.Domain), m.cfg.Roots
	sending.Domain, sending.Recipient = m.cfg.PerDomain, m.cfg.PerRecipient
	m.worker, err = worker.New(queue, worker.Config{
		Channel: Channel, Sender: m, Concurrency: m.cfg.Concurrency, MaxAttempts: m.cfg.MaxAttempts, Backoff: m.cfg.Backoff,
		SendTimeout: m.cfg.SendTimeout, AckWait: m.cfg.AckWait, Grace: m.cfg.Grace, Metrics: m.cfg.Jobs,
	}, log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if m.relays, err = smtp.New(sending, log, reg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	m.suppressed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidings_mail_suppressed_total", Help: "Mails not sent because their address is suppressed.",
	})
	m.bounced = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidings_mail_bounced_total", Help: "Addresses suppressed because a provider said at once that they don't exist.",
	})
	reg.MustRegister(m.suppressed, m.bounced)
	return m, nil
}

// read checks the configuration, keeps it with its defaults, and returns the providers.
func (m *Mailer) read(cfg Config) (providers []smtp.Provider, err error) {
	var faults []error
	fault := func(what string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", what, err))
		}
	}
	conns := 0
	for i, u := range cfg.Providers {
		p, err := smtp.Parse(u)
		fault(fmt.Sprintf("provider %d", i+1), err)
		providers, conns = append(providers, p), conns+p.Conns
	}
	m.from, err = parseMailbox(cfg.From)
	if err == nil && !isASCII(m.from.local) {
		err = errors.New("a sender outside of ASCII is not taken by most servers")
	}
	fault("from", err)
	if cfg.ReplyTo != "" {
		replyTo, err := parseMailbox(cfg.ReplyTo)
		fault("reply-to", err)
		m.replyTo = &replyTo
	}
	cfg.Domain = cmp.Or(cfg.Domain, m.from.domain)
	if !isDomain(cfg.Domain) {
		fault("domain", errors.New("it is no name of a domain in ASCII"))
	}
	for name, link := range map[string]string{"app URL": cfg.AppURL, "preferences URL": cfg.PreferencesURL} {
		if u, err := url.Parse(link); link != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			fault(name, errors.New("it must begin with https:// or http:// and name a host"))
		}
	}
	m.signer, err = dkim.New(cfg.Keys...)
	fault("DKIM", err)
	if cfg.Templates == nil || cfg.Suppressed == nil || m.queue == nil || m.ledger == nil {
		faults = append(faults, errors.New("it needs templates, a suppression list, a queue and a ledger"))
	}
	if len(providers) > 0 {
		m.first = providers[0].Name
	}
	cfg.Brand = cmp.Or(cfg.Brand, m.from.name)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, min(conns, worker.MaxConcurrency))
	cfg.MaxAttempts = cmp.Or(cfg.MaxAttempts, DefaultMaxAttempts)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, DefaultSendTimeout)
	cfg.Backoff = cmp.Or(cfg.Backoff, backoff.Default())
	m.cfg = cfg
	return providers, errors.Join(faults...)
}

// Run sends mails until ctx ends, and returns nil after those under way have ended and
// all connections are closed. Call it once.
func (m *Mailer) Run(ctx context.Context) error {
	leave, err := m.join()
	if err != nil {
		return err
	}
	defer leave()
	for _, r := range m.Records() {
		m.log.InfoContext(ctx, "mail is signed; DNS must have this record", "type", "TXT", "name", r.Name, "value", r.Value)
	}
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	var relays sync.WaitGroup
	relays.Go(func() { _ = m.relays.Run(sending) }) // it returns nil
	err = m.worker.Run(ctx)
	stop()
	relays.Wait()
	return err
}

// Ready returns why no mails would be taken from the queue now, or nil. Providers that are
// away are not a reason: the mail waits, and no other process would fare better.
func (m *Mailer) Ready(ctx context.Context) error { return m.worker.Check(ctx) }

// Records returns the TXT records by which DNS must publish the keys that sign, in the
// order of Config.Keys. Run logs them.
func (m *Mailer) Records() []dkim.Record { return m.signer.Records() }
