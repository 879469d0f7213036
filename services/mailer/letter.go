package mailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wneessen/go-mail"

	"tidings/services/mailer/bounce/dsn"
	"tidings/services/mailer/smtp"
	"tidings/shared/notice"
	"tidings/shared/subject"
	"tidings/shared/template"
	"tidings/shared/worker"
)

// maxLetter bounds a mail in bytes as it is sent: the largest bodies of package template,
// each byte written as three, and the headers.
const maxLetter = 3*(template.MaxHTML+template.MaxText) + 64<<10

// errLetter says that a job can't be made a mail, now or later.
var errLetter = errors.New("the mail can't be written")

// letter is one mail to write.
type letter struct {
	job         worker.Job
	msg         notice.Message
	to          address
	unsubscribe string // a link, or ""
}

// compose writes the mail of a job. Errors wrap errLetter and are for good, except those of
// Config.Unsubscribe.
func (m *Mailer) compose(job worker.Job, msg notice.Message, to address) (smtp.Mail, error) {
	l := letter{job: job, msg: msg, to: to}
	if m.cfg.Unsubscribe != nil && !msg.Transactional {
		link, err := m.cfg.Unsubscribe(msg.Person.User, msg.Category, msg.Person.Email)
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
	rendered, err := m.cfg.Templates().Mail(msg.Template, m.input(l))
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	written, err := m.write(l, rendered)
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	var b bytes.Buffer
	if _, err := written.WriteTo(&b); err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	data, err := m.signer.Sign(m.from.domain, b.Bytes())
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("%w: %w", errLetter, err)
	}
	if len(data) > maxLetter {
		return smtp.Mail{}, fmt.Errorf("%w: it has %d bytes, at most %d", errLetter, len(data), maxLetter)
	}
	return smtp.Mail{From: m.sender(l), To: to.String(), Data: data, Duplicates: msg.Duplicates, Urgent: job.Critical}, nil
}

// sender is the sender of the envelope, to which the mail returns if it bounces. A key
// that doesn't fit into an address, which only a producer's own may be, gets From.
func (m *Mailer) sender(l letter) string {
	if m.cfg.Seals != nil {
		if path, err := m.cfg.Seals.ReturnPath(l.job.Key, l.msg.Person.Email); err == nil {
			return path
		}
	}
	return m.from.String()
}

// input is what the template sees.
func (m *Mailer) input(l letter) template.Input {
	msg := l.msg
	in := template.Input{
		Locale: msg.Person.Locale, TZ: msg.Person.TZ, User: msg.Person.User, Name: msg.Person.Name,
		Title: msg.Title, Body: msg.Body, Category: msg.Category, Severity: msg.Severity, Data: msg.Data, At: msg.At,
		Brand: m.cfg.Brand, BaseURL: m.cfg.AppURL, UnsubscribeURL: l.unsubscribe, PreferencesURL: m.cfg.PreferencesURL,
	}
	if in.At.IsZero() {
		in.At = l.job.Queued
	}
	for _, a := range msg.Actions {
		in.Actions = append(in.Actions, template.Action{Label: a.Label, URL: a.URL})
	}
	for _, i := range msg.Items {
		in.Items = append(in.Items, template.Item{Title: i.Title, Body: i.Body, URL: i.URL, At: i.At})
	}
	return in
}

// write puts headers and bodies together. Every value that comes from outside is checked
// here, whoever has checked it before.
func (m *Mailer) write(l letter, t template.Mail) (*mail.Msg, error) {
	if err := errors.Join(checkValue("subject", t.Subject), checkValue("person's name", l.msg.Person.Name)); err != nil {
		return nil, err
	}
	out := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP), mail.WithBoundary(boundary(l.job.Key, t)))
	out.FromMailAddress(m.from.header())
	out.ToMailAddress(mailbox{l.msg.Person.Name, l.to}.header())
	if m.replyTo != nil {
		out.ReplyToMailAddress(m.replyTo.header())
	}
	out.SetMessageIDWithValue(l.job.Key + "@" + m.cfg.Domain)
	out.SetDateWithValue(l.job.Queued.UTC())
	out.Subject(t.Subject)
	// No machine shall answer: neither an absence note nor a ticket system.
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetGenHeader("X-Auto-Response-Suppress", "All")
	if m.cfg.Seals != nil {
		if trace, err := m.cfg.Seals.Trace(l.job.Key, l.job.Notification, l.msg.Person.Email); err == nil {
			if err := checkValue("trace", trace); err != nil {
				return nil, err
			}
			out.SetGenHeader(dsn.TraceHeader, trace)
		}
	}
	if c := l.msg.Category; c != "" {
		name := l.msg.Template
		if name == "" {
			name = template.DefaultName
		}
		listID := "<" + subject.Escape(c) + "." + m.cfg.Domain + ">"
		feedback := subject.Escape(c) + ":" + subject.Escape(name) + ":mail:" + m.cfg.Domain
		if err := errors.Join(checkValue("category", listID), checkValue("category and template", feedback)); err != nil {
			return nil, err
		}
		out.SetGenHeader("List-Id", listID)
		out.SetGenHeader("Feedback-ID", feedback)
	}
	if l.unsubscribe != "" {
		out.SetGenHeader("List-Unsubscribe", "<"+l.unsubscribe+">")
		out.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	out.SetBodyString(mail.TypeTextPlain, t.Text)
	out.AddAlternativeString(mail.TypeTextHTML, t.HTML)
	return out, nil
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
