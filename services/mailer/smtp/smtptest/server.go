package smtptest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tidings/shared/telemetry"
)

// What a server takes that asks for a login.
const (
	User     = "mailer@example.com"
	Password = "hunter2/&#secret"
)

// The places where a Plan is asked.
const (
	Hello = "EHLO"
	Login = "AUTH"
	From  = "MAIL"
	To    = "RCPT"
	Body  = "body"  // before the mail is read
	Begun = "begun" // after the mail's first byte is read
	End   = "end"   // after the mail is read, and before it is kept
	Kept  = "kept"  // after it is kept, and before that is said
)

// Plan is what a server does at a place; arg is the address there, or "". Its answer is
// what the server says, nil for yes.
type Plan func(at, arg string) *Answer

// Answer is what a server says instead of yes.
type Answer struct {
	Code     int
	Enhanced [3]int // none if zero
	Text     string
	// Drop closes the connection instead, without a word.
	Drop bool
	// Until delays the answer, or the yes if there is no Code, until it is closed.
	Until <-chan struct{}
}

// Options say what a server is like.
type Options struct {
	// NoTLS leaves STARTTLS away; Implicit puts TLS before everything.
	NoTLS, Implicit bool
	// Login asks for User and Password, by the mechanisms or PLAIN and LOGIN.
	Login      bool
	Mechanisms []string
	// UTF8 offers SMTPUTF8.
	UTF8 bool
	// CertFor is who the certificate is for; 127.0.0.1 by default.
	CertFor string
	// Plan is what goes wrong, at first.
	Plan Plan
}

// Mail is one that a server took.
type Mail struct {
	From, To string
	UTF8     bool
	Data     string
}

// Server is a mail server.
type Server struct {
	t     testing.TB
	opts  Options
	roots *x509.CertPool
	tls   *tls.Config
	addr  string

	mu    sync.Mutex
	plan  Plan
	mails []Mail
	conns int
	stop  func() // ends what Start began
}

// New starts a server, which ends with the test.
func New(t testing.TB, opts Options) *Server {
	t.Helper()
	s := &Server{t: t, opts: opts, plan: opts.Plan, addr: "127.0.0.1:0"}
	if opts.CertFor == "" {
		s.opts.CertFor = "127.0.0.1"
	}
	s.roots, s.tls = certificate(t, s.opts.CertFor)
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start starts a stopped server again, on the same port.
func (s *Server) Start() {
	s.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	live := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		if err := s.ask(c, Hello, ""); err != nil {
			return nil, err
		}
		return &session{s: s, c: c}, nil
	}))
	live.Domain, live.EnableSMTPUTF8, live.AllowInsecureAuth = "mail.test", s.opts.UTF8, true
	live.ErrorLog = log.New(io.Discard, "", 0)
	l = counted{l, s}
	switch {
	case s.opts.Implicit:
		l = tls.NewListener(l, s.tls)
	case !s.opts.NoTLS:
		live.TLSConfig = s.tls
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = live.Serve(l) })
	s.stop = func() {
		_ = l.Close() // live may not have it yet
		_ = live.Close()
		serving.Wait()
	}
}

// Stop stops it and cuts all connections.
func (s *Server) Stop() { s.stop() }

// URL returns it as a provider; query is what follows the question mark, or "".
func (s *Server) URL(query string) telemetry.Secret {
	u := url.URL{Scheme: "smtp", Host: s.addr, RawQuery: query}
	if s.opts.Implicit {
		u.Scheme = "smtps"
	}
	if s.opts.Login {
		u.User = url.UserPassword(User, Password)
	}
	return telemetry.Secret(u.String())
}

// Roots trust its certificate.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Do changes what goes wrong; nil for nothing.
func (s *Server) Do(p Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = p
}

// Mails returns those it took.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Conns returns how many connections there have been.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// Fail returns a Plan that says a code at a place, always.
func Fail(place string, code int, enhanced ...int) Plan {
	return func(at, _ string) *Answer {
		if at != place {
			return nil
		}
		a := &Answer{Code: code, Text: "as planned"}
		copy(a.Enhanced[:], enhanced)
		return a
	}
}

// Drop returns a Plan that closes the connection at a place, always.
func Drop(place string) Plan {
	return func(at, _ string) *Answer {
		if at != place {
			return nil
		}
		return &Answer{Drop: true}
	}
}

// Times returns a Plan that does as p for so many answers, and nothing then.
func Times(n int, p Plan) Plan {
	var mu sync.Mutex
	return func(at, arg string) *Answer {
		mu.Lock()
		defer mu.Unlock()
		if n <= 0 {
			return nil
		}
		a := p(at, arg)
		if a != nil {
			n--
		}
		return a
	}
}

// ask asks the plan, and does as it says.
func (s *Server) ask(c *smtp.Conn, at, arg string) error {
	s.mu.Lock()
	plan := s.plan
	s.mu.Unlock()
	if plan == nil {
		return nil
	}
	a := plan(at, arg)
	if a == nil {
		return nil
	}
	if a.Until != nil {
		<-a.Until
	}
	if a.Drop {
		_ = c.Conn().Close()
		return io.ErrUnexpectedEOF
	}
	if a.Code == 0 {
		return nil
	}
	e := &smtp.SMTPError{Code: a.Code, EnhancedCode: smtp.NoEnhancedCode, Message: a.Text}
	if a.Enhanced != [3]int{} {
		e.EnhancedCode = a.Enhanced
	}
	return e
}

// session is one conversation.
type session struct {
	s    *Server
	c    *smtp.Conn
	mail Mail
	in   bool
}

// Reset forgets the mail that was begun.
func (e *session) Reset() { e.mail = Mail{} }

// Logout has nothing to do.
func (e *session) Logout() error { return nil }

// AuthMechanisms are those on offer.
func (e *session) AuthMechanisms() []string {
	if !e.s.opts.Login {
		return nil
	}
	if len(e.s.opts.Mechanisms) > 0 {
		return e.s.opts.Mechanisms
	}
	return []string{"PLAIN", "LOGIN"}
}

// Auth begins a login.
func (e *session) Auth(mechanism string) (sasl.Server, error) {
	if err := e.s.ask(e.c, Login, mechanism); err != nil {
		return nil, err
	}
	check := func(ok bool) error {
		if e.in = ok; !ok {
			return smtp.ErrAuthFailed
		}
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error {
			return check(user == User && password == Password)
		}), nil
	case "LOGIN":
		return &loginServer{check: check}, nil
	case "CRAM-MD5":
		return &cramServer{check: check}, nil
	case "XOAUTH2":
		return &tokenServer{check: check}, nil
	case "SCRAM-SHA-256":
		return &scramServer{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// Mail begins a mail.
func (e *session) Mail(from string, opts *smtp.MailOptions) error {
	if e.s.opts.Login && !e.in {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "log in first"}
	}
	e.mail = Mail{From: from, UTF8: opts.UTF8}
	return e.s.ask(e.c, From, from)
}

// Rcpt notes whom it is for.
func (e *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	e.mail.To = to
	return e.s.ask(e.c, To, to)
}

// Data takes it.
func (e *session) Data(r io.Reader) error {
	if err := e.s.ask(e.c, Body, e.mail.To); err != nil {
		return err
	}
	body := bufio.NewReader(r)
	if _, err := body.Peek(1); err == nil { // an error comes again
		if err := e.s.ask(e.c, Begun, e.mail.To); err != nil {
			return err
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if err := e.s.ask(e.c, End, e.mail.To); err != nil {
		return err
	}
	e.mail.Data = string(b)
	e.s.mu.Lock()
	e.s.mails = append(e.s.mails, e.mail)
	e.s.mu.Unlock()
	return e.s.ask(e.c, Kept, e.mail.To)
}

// counted counts connections.
type counted struct {
	net.Listener
	s *Server
}

// Accept counts one.
func (c counted) Accept() (net.Conn, error) {
	n, err := c.Listener.Accept()
	if err == nil {
		c.s.mu.Lock()
		c.s.conns++
		c.s.mu.Unlock()
	}
	return n, err
}

// certificate makes one that signs itself.
func certificate(t testing.TB, name string) (*x509.CertPool, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: strings.TrimPrefix(name, "*.")},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return roots, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}
