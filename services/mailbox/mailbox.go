package mailbox

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/mesh"
)

// tagLetters is how long the tag of this start is, 40 bits.
const tagLetters = 8

// Mailbox is the service. Make one with New.
type Mailbox struct {
	// Static after construction.
	config  Config
	log     *slog.Logger
	metrics *metrics
	gate    *gate
	server  *smtp.Server
	faults  *faults
	box     *box
	pass    pass
	rows    chan Row // to be published
}

// New checks cfg, reporting all its faults at once, registers the metrics with reg and
// listens. Mail waits at the door until Run. If Run is never called, Close must be. log
// and reg may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Mailbox, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Mailbox{
		config: cfg, log: log, faults: &faults{}, box: newBox(cfg.Keep, cfg.Bytes),
		pass: newPass(), rows: make(chan Row, publishQueue),
	}
	certificate, err := selfMade(time.Now())
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	m.gate = newGate(l, cfg.MaxConns, m.greet)
	if m.metrics, err = newMetrics(reg, m.box, m.gate); err != nil {
		return nil, errors.Join(fmt.Errorf("mailbox: %w", err), m.gate.Close())
	}
	m.server = m.newServer(certificate)
	return m, nil
}

// newServer sets go-smtp up.
func (m *Mailbox) newServer(certificate tls.Certificate) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(m.newSession))
	s.Domain = "mailbox.tidings.invalid"
	s.MaxMessageBytes = m.config.MaxMail
	s.MaxRecipients = maxRecipients
	s.MaxLineLength = maxLine
	s.ReadTimeout, s.WriteTimeout = idleTime, writeTime
	s.AllowInsecureAuth = true // no password means anything here
	s.EnableSMTPUTF8 = true
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.ErrorLog = slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)
	return s
}

// Addr is where SMTP listens.
func (m *Mailbox) Addr() net.Addr { return m.gate.Addr() }

// URL is what a mailer on this machine is given to send here. Its tls=none says that
// the certificate is nobody's, so asking for it would not help.
func (m *Mailbox) URL() string {
	host, port, err := net.SplitHostPort(m.Addr().String())
	if err != nil { // a TCP address always has both
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "smtp://" + net.JoinHostPort(host, port) + "?tls=none"
}

// Run takes mail until ctx ends; then it cuts the connections and returns nil after
// their goroutines have ended. It returns an error if it could not start or could no
// longer accept. It works once.
func (m *Mailbox) Run(ctx context.Context) error {
	within, cancel := context.WithCancel(ctx)
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publishing.Go(func() { m.publish(within) })
	leave, err := m.join()
	if err != nil {
		return errors.Join(fmt.Errorf("mailbox: %w", err), m.Close())
	}
	defer leave()

	serving := make(chan error, 1)
	go func() { serving <- m.server.Serve(m.gate) }()
	m.log.Info("the mailbox takes mail", "addr", m.Addr().String())
	select {
	case <-ctx.Done():
		err = errors.Join(m.gate.Close(), unlessClosed(<-serving))
	case err = <-serving:
		err = unlessClosed(err)
	}
	m.gate.cut()
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer stop()
	if stopped := m.server.Shutdown(wait); stopped != nil {
		err = errors.Join(err, stopped)
	}
	if err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	return nil
}

// unlessClosed is err, unless that only says that the gate was closed.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close stops listening; if Run is under way, it ends. It may be called again.
func (m *Mailbox) Close() error { return m.gate.Close() }

// join makes the mailbox a member of the mesh, if there is one.
func (m *Mailbox) join() (leave func(), err error) {
	if m.config.Mesh == nil {
		return func() {}, nil
	}
	started := time.Now()
	member, err := m.config.Mesh.Join(mesh.Service{
		Name: "mailbox", Node: m.config.Node, Tag: rand.Text()[:tagLetters], Version: m.config.Version,
		Description: "catches all mail in development",
		Figures:     func() any { return m.metrics.figures(started) },
	})
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return func() {
		if err := member.Leave(); err != nil {
			m.log.Warn("the mesh could not be left in order", "err", err)
		}
	}, nil
}

// keep puts an attempt into the box and has it told of.
func (m *Mailbox) keep(a attempt) {
	evicted := m.box.add(a, time.Now(), m.tell)
	m.metrics.count(a.outcome(), evicted)
}

// tell has a row published, if there is room. It does not block.
func (m *Mailbox) tell(row Row) {
	if m.config.Publish == nil {
		return
	}
	select {
	case m.rows <- row:
	default:
		m.metrics.unpublished.Inc()
	}
}

// publish tells of rows until ctx ends.
func (m *Mailbox) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case row := <-m.rows:
			within, cancel := context.WithTimeout(ctx, publishTime)
			err := m.config.Publish(within, Topic, Kind, row)
			cancel()
			if err != nil && ctx.Err() == nil {
				m.metrics.unpublished.Inc()
				m.log.Warn("a mail was kept but not told of", "id", row.ID, "err", err)
			}
		}
	}
}
