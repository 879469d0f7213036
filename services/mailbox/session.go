package mailbox

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// lost is the result of a mail whose client went away in the middle.
const lost = "lost at " + StageData

// errDropped ends the work on a connection that is closed; nobody gets to read it.
var errDropped = errors.New("the connection was dropped on purpose")

// session is a conversation, up to STARTTLS or from then on.
type session struct {
	mailbox *Mailbox
	wire    *wire
	peer    peer // static

	// mu guards the rest: with BDAT, Data runs beside the conversation.
	mu   sync.Mutex
	auth bool
	mail envelope
}

// peer is who sends a mail.
type peer struct {
	Helo string `json:"helo"`
	IP   string `json:"ip"`
	TLS  bool   `json:"tls"`
	// Auth says that they gave a user and a password.
	Auth bool `json:"auth"`
}

// envelope is what SMTP says of a mail.
type envelope struct {
	From string   `json:"from"`
	To   []string `json:"to"`
	UTF8 bool     `json:"utf8"`
}

// greet says what becomes of a new connection.
func (m *Mailbox) greet() *verdict {
	v := m.faults.strike(StageConnect)
	if v != nil {
		m.metrics.strike(v)
		m.keep(attempt{result: v.result(), code: v.code})
		if v.text == "" {
			_, v.text = usual(v.code)
		}
	}
	return v
}

// newSession implements smtp.Backend.
func (m *Mailbox) newSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	s := &session{mailbox: m, wire: wireOf(c), peer: peer{Helo: shown(c.Hostname()), IP: hostOf(c.Conn().RemoteAddr()), TLS: secure}}
	if s.wire == nil {
		return nil, errors.New("a connection did not come through the gate")
	}
	return s, nil
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth implements smtp.AuthSession. Every user and password is good, and neither is
// looked at.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, _, _ string) error {
			s.authenticated()
			return nil
		}), nil
	case sasl.Login:
		return &login{done: s.authenticated}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// authenticated notes that somebody did.
func (s *session) authenticated() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = true
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	s.mu.Lock()
	s.mail = envelope{From: from, UTF8: opts != nil && opts.UTF8}
	s.mu.Unlock()
	return s.fail(s.mailbox.faults.strike(StageMail), s.attempt())
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if v := s.mailbox.faults.strike(StageRcpt, to); v != nil {
		a := s.attempt()
		a.envelope.To = []string{to} // the others may still succeed
		return s.fail(v, a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail.To = append(s.mail.To, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	a := s.attempt()
	if v := s.mailbox.faults.strike(StageData, a.envelope.To...); v != nil {
		return s.fail(v, a)
	}
	raw, err := io.ReadAll(r)
	switch {
	case errors.Is(err, smtp.ErrDataTooLarge):
		return s.fail(&verdict{stage: StageData, code: smtp.ErrDataTooLarge.Code, text: smtp.ErrDataTooLarge.Message}, a)
	case errors.Is(err, smtp.ErrTooLongLine):
		return s.fail(&verdict{stage: StageData, code: 554, text: "A line is too long"}, a)
	case err != nil:
		a.result = lost
		s.mailbox.keep(a)
		return err
	}
	a.raw = bytes.Clone(raw) // as large as it is, for it is kept
	if v := s.mailbox.faults.strike(StageAfterData, a.envelope.To...); v != nil {
		return s.fail(v, a)
	}
	a.result, a.code = accepted, 250
	s.mailbox.keep(a)
	return nil
}

// fail carries a verdict out, if there is one, and keeps the attempt.
func (s *session) fail(v *verdict, a attempt) error {
	if v == nil {
		return nil
	}
	s.mailbox.metrics.strike(v)
	a.result, a.code = v.result(), v.code
	s.mailbox.keep(a)
	if v.code == 0 {
		_ = s.wire.Close()
		return errDropped
	}
	if v.code == 421 { // which is always the last word
		s.wire.last.Store(true)
	}
	return v.answer()
}

// attempt is what is known of the mail so far.
func (s *session) attempt() attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := attempt{envelope: s.mail, peer: s.peer}
	a.envelope.To = slices.Clone(s.mail.To)
	a.peer.Auth = s.auth
	return a
}

// Reset implements smtp.Session.
func (s *session) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail = envelope{}
}

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// login is the server's half of AUTH LOGIN, which no RFC describes.
type login struct {
	step int
	done func()
}

// Next implements sasl.Server.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	if l.step == 0 && response != nil { // the user came with the command
		l.step = 1
	}
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		return []byte("Password:"), false, nil
	case 3:
		l.done()
		return nil, true, nil
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}
