package mailer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tidings/services/mailer/bounce"
	"tidings/services/mailer/bounce/dsn"
	"tidings/services/mailer/smtp"
	"tidings/shared/notice"
	"tidings/shared/suppress"
	"tidings/shared/worker"
)

// errSuppressed says that the address must not be used.
var errSuppressed = errors.New("the address is suppressed")

// Send implements worker.Sender.
func (m *Mailer) Send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	out, err := m.send(ctx, a)
	switch {
	case err == nil:
		m.ends.sent.Add(1)
	case !errors.Is(err, smtp.ErrLimited):
		m.ends.failed.Add(1)
	}
	return out, err
}

func (m *Mailer) send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	msg, err := notice.Parse(a.Job.Payload)
	if err != nil {
		return worker.Never(), err
	}
	to, err := parseAddress(msg.Person.Email)
	if err != nil {
		return worker.Never(), err
	}
	entries, err := m.cfg.Suppressed.Of(ctx, Channel, msg.Person.Email)
	switch {
	case errors.Is(err, suppress.ErrAddress):
		return worker.Never(), err
	case err != nil:
		return worker.Again(), err // better late than against somebody's will
	}
	if e, stop := suppress.Stops(entries, msg.Category, msg.Transactional); stop {
		m.suppressed.Inc()
		return worker.Never(), fmt.Errorf("%w: %s", errSuppressed, e.Cause)
	}
	mail, err := m.compose(a.Job, msg, to)
	switch {
	case errors.Is(err, errLetter):
		return worker.Never(), err
	case err != nil:
		return worker.Again(), err
	}
	if a.Unsure && !msg.Duplicates {
		if mail.Only, err = m.via(ctx, a.Job.Notification, a.Job.Key); err != nil {
			return worker.Again(), err
		}
	}
	return m.outcome(ctx, a, msg, m.relays.Send(ctx, mail))
}

// outcome tells the worker what came of a mail, and notes what is to be known later.
func (m *Mailer) outcome(ctx context.Context, a worker.Attempt, msg notice.Message, r smtp.Result) (worker.Outcome, error) {
	switch r.Verdict {
	case smtp.Sent:
		m.unsure.forget(a.Job.Key)
		return worker.Outcome{Detail: strings.TrimSpace("provider " + r.Provider + ": " + r.Answer)}, nil
	case smtp.Unsure:
		m.unsure.keep(a.Job.Key, r.Provider)
		return worker.Unsure(), r.Err
	case smtp.Refused:
		m.unsure.forget(a.Job.Key)
		m.bounce(ctx, a.Job, msg, r.Err)
		return worker.Never(), r.Err
	case smtp.Held:
		return worker.Hold(r.After), r.Err
	case smtp.Deferred:
	}
	// A pause that is asked for replaces the growing one of the worker; a short one, asked
	// for again and again, would use up all attempts while a provider is away.
	if r.After > m.cfg.Backoff.Bound(a.Number) {
		return worker.AgainAfter(r.After), r.Err
	}
	return worker.Again(), r.Err
}

// bounce suppresses an address if a provider said about it, and not about the mail, that it
// doesn't exist. That is worth a try each: the mail has its outcome anyway.
func (m *Mailer) bounce(ctx context.Context, job worker.Job, msg notice.Message, err error) {
	var e *smtp.Error
	if !errors.As(err, &e) || e.Stage != smtp.To || !dsn.Gone(e.Enhanced) {
		return
	}
	// Not what the server said: it is shown to more people, and longer.
	detail := fmt.Sprintf("provider %s said at once that there is no such mailbox: %d %s", e.Provider, e.Code, e.Enhanced)
	if err := m.cfg.Suppressed.Add(ctx, Channel, msg.Person.Email, suppress.Entry{Cause: suppress.Bounced, Detail: detail}); err != nil {
		m.log.Warn("an address that bounced could not be suppressed", "key", job.Key, "err", err)
		return
	}
	m.bounced.Inc()
	err = bounce.OnLedger(m.ledger).Note(ctx, job.Notification, bounce.Note{
		Part: "bounced:" + job.Key, User: msg.Person.User, Channel: Channel, Key: job.Key, Reason: "bounced", Detail: detail, At: time.Now(),
	})
	if err != nil {
		m.log.Warn("a bounce could not be noted", "key", job.Key, "err", err)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
