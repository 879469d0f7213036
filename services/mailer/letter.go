package mailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wneessen/go-mail"

	"tidings/services/mailer/smtp"
	"tidings/shared/notice"
	"tidings/shared/subject"
	"tidings/shared/template"
	"tidings/shared/worker"
)

const (
	// maxLetter bounds a mail in bytes as it is sent: the largest bodies of package
	// template, each byte written as three, and the headers.
	maxLetter = 3*(template.MaxHTML+template.MaxText) + 64<<10
	// traceHeader is where package bounce looks for a trace.
	traceHeader = "X-Tidings-Trace"
)

// errLetter says that a job can't be made a mail, now or later.
var errLetter = errors.New("the mail can't be written")

// letter is one mail to write.
type letter struct {
	job         worker.Job
	m           notice.Message
	to          address
	unsubscribe string // a link, or ""
}

// compose writes the mail of a job. Errors wrap errLetter and are for good, except those of
// Config.Unsubscribe.
func (s *Mailer) compose(job worker.Job, m notice.Message, to address) (smtp.Mail, error) {
	l := letter{job: job, m: m, to: to}
	if s.cfg.Unsubscribe != nil && !m.Transactional {
		link, err := s.cfg.Unsubscribe(m.Person.User, m.Category, m.Person.Email)
		if err != nil {
			return smtp.Mail{}, fmt.Errorf("link to unsubscribe: %w", err)
		}
		if link != "" {
			if err := checkLink(link); err != nil {
				return smtp.Mail{}, fmt.Errorf("%w: unsubscribe: %w", errLetter, err)
			}
		}
		l.unsubscribe = link
	}
	rendered, err := s.cfg.Templates().Mail(m.Template, s.input(l))
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	msg, err := s.write(l, rendered)
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	data, err := s.signer.Sign(s.from.domain, b.Bytes())
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	if len(data) > maxLetter {
		return smtp.Mail{}, fmt.Errorf("%w: it has %d bytes, at most %d", errLetter, len(data), maxLetter)
	}
	return smtp.Mail{From: s.sender(l), To: to.String(), Data: data, Duplicates: m.Duplicates, Urgent: job.Critical}, nil
}

// sender is the sender of the envelope, to which the mail returns if it bounces. A key
// that doesn't fit into an address, which only a producer's own may be, gets From.
func (s *Mailer) sender(l letter) string {
	if s.cfg.Seals != nil {
		if path, err := s.cfg.Seals.ReturnPath(l.job.Key, l.m.Person.Email); err == nil {
			return path
		}
	}
	return s.from.String()
}

// input is what the template sees.
func (s *Mailer) input(l letter) template.Input {
	m := l.m
	in := template.Input{
		Locale: m.Person.Locale, TZ: m.Person.TZ, User: m.Person.User, Name: m.Person.Name,
		Title: m.Title, Body: m.Body, Category: m.Category, Severity: m.Severity, Data: m.Data, At: m.At,
		Brand: s.cfg.Brand, BaseURL: s.cfg.PublicURL, UnsubscribeURL: l.unsubscribe, PreferencesURL: s.cfg.PreferencesURL,
	}
	if in.At.IsZero() {
		in.At = l.job.Queued
	}
	for _, a := range m.Actions {
		in.Actions = append(in.Actions, template.Action{Label: a.Label, URL: a.URL})
	}
	for _, i := range m.Items {
		in.Items = append(in.Items, template.Item{Title: i.Title, Body: i.Body, URL: i.URL, At: i.At})
	}
	return in
}

// write puts headers and bodies together. Every value that comes from outside is checked
// here, whoever has checked it before.
func (s *Mailer) write(l letter, t template.Mail) (*mail.Msg, error) {
	if err := errors.Join(checkValue("subject", t.Subject), checkValue("person's name", l.m.Person.Name)); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP), mail.WithBoundary(boundary(l.job.Key, t)))
	msg.FromMailAddress(s.from.header())
	msg.ToMailAddress(mailbox{l.m.Person.Name, l.to}.header())
	if s.replyTo != nil {
		msg.ReplyToMailAddress(s.replyTo.header())
	}
	msg.SetMessageIDWithValue(l.job.Key + "@" + s.cfg.Domain)
	msg.SetDateWithValue(l.job.Queued.UTC())
	msg.Subject(t.Subject)
	// No machine shall answer: neither an absence note nor a ticket system.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	if s.cfg.Seals != nil {
		if trace, err := s.cfg.Seals.Trace(l.job.Key, l.job.Notification, l.m.Person.Email); err == nil {
			if err := checkValue("trace", trace); err != nil {
				return nil, err
			}
			msg.SetGenHeader(traceHeader, trace)
		}
	}
	if c := l.m.Category; c != "" {
		name := l.m.Template
		if name == "" {
			name = template.DefaultName
		}
		listID := "<" + subject.Escape(c) + "." + s.cfg.Domain + ">"
		feedback := subject.Escape(c) + ":" + subject.Escape(name) + ":mail:" + s.cfg.Domain
		if err := errors.Join(checkValue("category", listID), checkValue("category and template", feedback)); err != nil {
			return nil, err
		}
		msg.SetGenHeader("List-Id", listID)
		msg.SetGenHeader("Feedback-ID", feedback)
	}
	if l.unsubscribe != "" {
		msg.SetGenHeader("List-Unsubscribe", "<"+l.unsubscribe+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(mail.TypeTextPlain, t.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, t.HTML)
	return msg, nil
}

// boundary separates the bodies. It is always the same for the same mail, and nobody can
// write a text that holds the hash of itself.
func boundary(key string, t template.Mail) string {
	h := sha256.New()
	for _, s := range []string{key, t.Text, t.HTML} {
		_, _ = fmt.Fprintf(h, "%d\n%s", len(s), s)
	}
	return "tidings-" + hex.EncodeToString(h.Sum(nil)[:20])
}
