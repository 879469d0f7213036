package smtp

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxProviders bounds the list: an outage is found out by asking one after the other.
const maxProviders = 16

var (
	// errBusy: all providers are away, or asked to be left alone.
	errBusy = errors.New("no mail provider takes mail at the moment")
	// ErrLimited is the error of a mail that is Held.
	ErrLimited = errors.New("too many mails to this recipient or its domain at the moment")
)

// Verdict is what is known about a mail after Send.
type Verdict string

// The verdicts.
const (
	// Sent: a provider has it.
	Sent Verdict = "sent"
	// Deferred: no provider has it; try again later.
	Deferred Verdict = "deferred"
	// Held: no provider was asked, for the turn of its recipient or domain has not come.
	Held Verdict = "held"
	// Refused: no provider has it, and none ever will.
	Refused Verdict = "refused"
	// Unsure: a provider may have it.
	Unsure Verdict = "unsure"
)

// Mail is one mail to one recipient.
type Mail struct {
	// From and To are the addresses of the envelope, in the form local@domain, of which
	// the domain is ASCII. To is checked, From is trusted.
	From, To string
	// Data is the mail itself, with CRLF at the end of each line.
	Data []byte
	// Only names the provider that may already have it, "" for none.
	Only string
	// Duplicates says that twice is better than not at all.
	Duplicates bool
	// Urgent mails pass the limits by recipient and domain.
	Urgent bool
}

// Result is what came of a mail.
type Result struct {
	Verdict Verdict
	// Provider is the name of who has it, or may have it, or spoke last; "" if nobody
	// was asked.
	Provider string
	// Answer is what the provider said to a mail that was Sent.
	Answer string
	// Err is nil if it was Sent. It is an *Error if a provider was asked.
	Err error
	// After is when to try again at the earliest; 0 if nobody said so.
	After time.Duration
}

// Config says how to send. Zero values stand for defaults.
type Config struct {
	// Providers are tried in this order.
	Providers []Provider
	// Hello is the name that EHLO says; "localhost" by default.
	Hello string
	// Roots are the authorities trusted to name servers; nil means the system's.
	Roots *x509.CertPool
	// Domain limits mails to one domain, Recipient those to one address.
	Domain, Recipient Limit
	// DialTimeout bounds connecting and logging in, CommandTimeout the answer to each
	// command; 15 and 30 s by default. IdleTimeout closes connections; 30 s by default.
	DialTimeout, CommandTimeout, IdleTimeout time.Duration
	// Patience is how long a Send waits for a provider's rate, or for one to come back,
	// before it is Deferred; 30 s by default. It holds back the queue, so that
	// an outage costs few mails an attempt.
	Patience time.Duration
	// Turn is how long a Send waits for the turn of its recipient and domain before it is
	// Held; a second by default. It must not hold back mail to others.
	Turn time.Duration
	// Failures in a row open a provider's breaker, for OpenFor; 5 and 30 s by default.
	Failures uint32
	OpenFor  time.Duration
	// SlowFirst and SlowMost bound the pause that a provider is given which asks for
	// one; 5 s and 5 min by default.
	SlowFirst, SlowMost time.Duration
}

// defaults returns the configuration with what is zero filled in.
func (c Config) defaults() Config {
	c.Hello = cmp.Or(c.Hello, "localhost")
	c.DialTimeout = cmp.Or(c.DialTimeout, 15*time.Second)
	c.CommandTimeout = cmp.Or(c.CommandTimeout, 30*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 30*time.Second)
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	c.Turn = cmp.Or(c.Turn, time.Second)
	c.Failures = cmp.Or(c.Failures, 5)
	c.OpenFor = cmp.Or(c.OpenFor, 30*time.Second)
	c.SlowFirst = cmp.Or(c.SlowFirst, 5*time.Second)
	c.SlowMost = cmp.Or(c.SlowMost, 5*time.Minute)
	return c
}

// Relays are the providers. Make them with New.
type Relays struct {
	cfg       Config
	relays    []*relay
	domain    *limits
	recipient *limits
	m         *metrics
}

// New returns the providers of a configuration. It connects to none. Errors wrap
// ErrProvider. It panics if reg knows its metrics already.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Relays, error) {
	cfg = cfg.defaults()
	if n := len(cfg.Providers); n == 0 || n > maxProviders {
		return nil, fmt.Errorf("%w: there are %d, use 1 to %d", ErrProvider, n, maxProviders)
	}
	if !isHost(cfg.Hello) {
		return nil, fmt.Errorf("%w: the name to say hello with is no host's", ErrProvider)
	}
	s := &Relays{cfg: cfg, domain: newLimits(cfg.Domain), recipient: newLimits(cfg.Recipient), m: newMetrics()}
	for i, p := range cfg.Providers {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("provider %d: %w", i+1, err)
		}
		if s.named(p.Name) != nil {
			return nil, fmt.Errorf("provider %d: %w: the name %s is taken, set another with ?name=", i+1, ErrProvider, p.Name)
		}
		s.relays = append(s.relays, newRelay(p, cfg, s.m, log))
	}
	s.m.register(reg, s)
	return s, nil
}

// Run closes connections that idle, until ctx ends, and all of them then. It returns
// nil. Call it after the last Send has returned, or live with connections that stay open a
// little longer.
func (s *Relays) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.IdleTimeout / 2)
	defer tick.Stop()
	each := func(do func(*pool)) {
		var all sync.WaitGroup
		for _, r := range s.relays {
			all.Go(func() { do(r.pool) })
		}
		all.Wait()
	}
	for {
		select {
		case <-ctx.Done():
			each((*pool).close)
			return nil
		case <-tick.C:
			each((*pool).sweep)
		}
	}
}

// Send gives a mail to the first provider that takes it. See the package comment for
// what is a provider's fault and what the mail's.
func (s *Relays) Send(ctx context.Context, m Mail) Result {
	if !isEnvelope(m.From) || !isEnvelope(m.To) {
		return Result{Verdict: Refused, Err: errors.New("an address of the envelope is none")}
	}
	if !m.Urgent {
		if wait, err := s.limit(ctx, m.To); err != nil {
			return Result{Verdict: Held, Err: err, After: wait}
		}
	}
	a := attempt{s: s, m: m, tried: map[*relay]bool{}}
	for deadline := time.Now().Add(s.cfg.Patience); ; {
		wait, over := a.round(ctx)
		if over {
			return a.result
		}
		if a.asked() || wait > time.Until(deadline) || !sleep(ctx, wait) {
			return a.end(ctx, wait)
		}
	}
}

// named returns the relay of a name, or nil.
func (s *Relays) named(name string) *relay {
	i := slices.IndexFunc(s.relays, func(r *relay) bool { return r.p.Name == name })
	if i < 0 {
		return nil
	}
	return s.relays[i]
}

// limit waits for the turn of a recipient and its domain. If that is not near, the error
// is ErrLimited, and after says when to come again; it is that of ctx if that ended.
func (s *Relays) limit(ctx context.Context, to string) (after time.Duration, err error) {
	to = strings.ToLower(to)
	_, domain, _ := strings.Cut(to, "@")
	recipient, wait, ok := s.recipient.reserve(to, s.cfg.Turn)
	if !ok {
		s.m.limited.WithLabelValues("recipient").Inc()
		return wait, ErrLimited
	}
	_, longer, ok := s.domain.reserve(domain, s.cfg.Turn)
	if !ok {
		recipient()
		s.m.limited.WithLabelValues("domain").Inc()
		return longer, ErrLimited
	}
	if !sleep(ctx, max(wait, longer)) {
		return 0, context.Cause(ctx)
	}
	return 0, nil
}

// sleep waits, and says whether ctx still lives then.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// isEnvelope says whether s can stand in a command as it is: local@domain without
// anything that ends an address or a line.
func isEnvelope(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 320 && isASCII(s[at:]) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == '\uFFFD' })
}
