package mailer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidings/services/mailer/smtp"
	"tidings/shared/ledger"
	"tidings/shared/notice"
	"tidings/shared/suppress"
	"tidings/shared/worker"
)

// errSuppressed says that the address must not be used.
var errSuppressed = errors.New("the address is suppressed")

// Send implements worker.Sender.
func (s *Mailer) Send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	out, err := s.send(ctx, a)
	if err != nil {
		s.ends.failed.Add(1)
	} else {
		s.ends.sent.Add(1)
	}
	return out, err
}

func (s *Mailer) send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	m, err := notice.Parse(a.Job.Payload)
	if err != nil {
		return worker.Never(), err
	}
	to, err := parseAddress(m.Person.Email)
	if err != nil {
		return worker.Never(), err
	}
	entries, err := s.cfg.Suppressed.Of(ctx, Channel, m.Person.Email)
	switch {
	case errors.Is(err, suppress.ErrAddress):
		return worker.Never(), err
	case err != nil:
		return worker.Again(), err // better late than against somebody's will
	}
	if e, stop := suppress.Stops(entries, m.Category, m.Transactional); stop {
		s.suppressed.Inc()
		return worker.Never(), fmt.Errorf("%w: %s", errSuppressed, e.Cause)
	}
	mail, err := s.compose(a.Job, m, to)
	switch {
	case errors.Is(err, errLetter):
		return worker.Never(), err
	case err != nil:
		return worker.Again(), err
	}
	if a.Unsure && !m.Duplicates {
		if mail.Only, err = s.via(ctx, a.Job.Notification, a.Job.Key); err != nil {
			return worker.Again(), err
		}
	}
	return s.outcome(ctx, a, m, s.relays.Send(ctx, mail))
}

// outcome tells the worker what came of a mail, and notes what is to be known later.
func (s *Mailer) outcome(ctx context.Context, a worker.Attempt, m notice.Message, r smtp.Result) (worker.Outcome, error) {
	switch r.Verdict {
	case smtp.Sent:
		s.unsure.forget(a.Job.Key)
		return worker.Outcome{Detail: strings.TrimSpace("provider " + r.Provider + ": " + r.Answer)}, nil
	case smtp.Unsure:
		s.unsure.keep(a.Job.Key, r.Provider)
		return worker.Unsure(), r.Err
	case smtp.Refused:
		s.unsure.forget(a.Job.Key)
		s.bounce(ctx, a.Job, m, r.Err)
		return worker.Never(), r.Err
	case smtp.Deferred:
	}
	// A pause that is asked for replaces the growing one of the worker; a short one, asked
	// for again and again, would use up all attempts while a provider is away.
	if r.After > s.cfg.Backoff.Bound(a.Number) {
		return worker.AgainAfter(r.After), r.Err
	}
	return worker.Again(), r.Err
}

// bounce suppresses an address if a provider said about it, and not about the mail, that it
// doesn't exist. That is worth a try each: the mail has its outcome anyway.
func (s *Mailer) bounce(ctx context.Context, job worker.Job, m notice.Message, err error) {
	var e *smtp.Error
	if !errors.As(err, &e) || e.Stage != smtp.To || !isGone(e.Enhanced) {
		return
	}
	// Not what the server said: it is shown to more people, and longer.
	detail := fmt.Sprintf("provider %s said at once that there is no such mailbox: %d %s", e.Provider, e.Code, e.Enhanced)
	if err := s.cfg.Suppressed.Add(ctx, Channel, m.Person.Email, suppress.Entry{Cause: suppress.Bounced, Detail: detail}); err != nil {
		s.log.Warn("an address that bounced could not be suppressed", "key", job.Key, "err", err)
		return
	}
	s.bounced.Inc()
	_, _, err = s.ledger.Put(ctx, job.Notification, 0, ledger.Entry{
		Kind: ledger.KindNote, Part: "bounced." + job.Key, User: m.Person.User, Channel: Channel, Key: job.Key,
		Reason: "bounced", Detail: detail,
	})
	if err != nil {
		s.log.Warn("a bounce could not be noted", "key", job.Key, "err", err)
	}
}

// isGone says whether a code of RFC 3463 means that there is no such mailbox, or not any
// more. A bare 550 doesn't: it is also said to those whose mail isn't liked.
func isGone(enhanced string) bool {
	return slices.Contains([]string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}, enhanced)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
