package bounce_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/services/mailer/bounce"
	"tidings/shared/httpx/certs/certstest"
	"tidings/shared/testkit"
)

// dial connects a client of SMTP, or of LMTP.
func dial(t *testing.T, s *bounce.Service, lmtp bool) *smtp.Client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	if lmtp {
		c = smtp.NewClientLMTP(conn)
	}
	t.Cleanup(func() { _ = c.Close() }) // most tests have said goodbye
	return c
}

// code is that of an SMTP error, 0 for none.
func code(t *testing.T, err error) int {
	t.Helper()
	var e *smtp.SMTPError
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("not an answer: %v", err)
	}
	if e == nil {
		return 0
	}
	return e.Code
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(bounce.Config{SMTP: bounce.SMTP{Listen: "127.0.0.1:0"}})
	path := r.returnPath(job, ann)
	c := dial(t, s, false)
	for _, m := range []struct{ from, mail string }{
		{"", dsnMail(path, ann, "5.1.1", "550 no", "")},
		{"", dsnMail(path, "bob@example.com", "5.1.1", "550 no", "")}, // forged by whoever knows ann's path
		{"ann@example.com", "Subject: I am away\r\n\r\nUntil Monday.\r\n"},
	} {
		if err := c.SendMail(m.from, []string{path}, strings.NewReader(m.mail)); err != nil {
			t.Fatal(err)
		}
	}
	if r.cause(ann) != "bounced" || r.cause("bob@example.com") != "" {
		t.Errorf("ann is %q, bob %q", r.cause(ann), r.cause("bob@example.com"))
	}
	if r.count("smtp", "hard", "applied") != 1 || r.count("smtp", "hard", "unproven") != 1 || r.count("smtp", "none", "ignored") != 1 {
		t.Error("the counts are wrong")
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

// TestNoRelay: nobody but our own return paths gets mail here.
func TestNoRelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(bounce.Config{SMTP: bounce.SMTP{Listen: "127.0.0.1:0"}})
	c := dial(t, s, false)
	if err := c.Mail("", nil); err != nil {
		t.Fatal(err)
	}
	path := r.returnPath(job, ann)
	for _, to := range []string{"ann@example.com", "postmaster@" + domain, "bounce@" + domain, "bounce+" + job + "@" + domain, strings.Replace(path, job, job[:31]+"0", 1), strings.Replace(path, domain, "example.org", 1)} {
		if got := code(t, c.Rcpt(to, nil)); got != 550 {
			t.Errorf("%s: %d", to, got)
		}
	}
	for i := range 11 {
		if got, want := code(t, c.Rcpt(path, nil)), map[bool]int{true: 452}[i == 10]; got != want {
			t.Errorf("recipient %d: %d", i, got)
		}
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	for i := range 101 {
		err := c.Mail("", nil)
		if got, want := code(t, err), map[bool]int{true: 421}[i >= 99]; got != want {
			t.Fatalf("message %d: %v", i, err)
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSMTPLater: while the store is away the sender is asked to come again, and a large
// mail is taken by its beginning.
func TestSMTPLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(bounce.Config{SMTP: bounce.SMTP{Listen: "127.0.0.1:0"}})
	path := r.returnPath(job, ann)
	mail := dsnMail(path, ann, "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, ann)+"\n") + strings.Repeat("0123456789\r\n", 1<<18)
	c := dial(t, s, false)
	r.setFail(errors.New("away"))
	if got := code(t, c.SendMail("", []string{path}, strings.NewReader(mail))); got != 451 {
		t.Errorf("code %d", got)
	}
	r.setFail(nil)
	if err := c.SendMail("", []string{path}, strings.NewReader(mail)); err != nil {
		t.Error(err)
	}
	if told := r.told(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
}

func TestLMTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	socket := filepath.Join(t.TempDir(), "s")
	s := r.start(bounce.Config{SMTP: bounce.SMTP{Listen: "unix:" + socket, LMTP: true}})
	path := r.returnPath(job, ann)
	c := dial(t, s, true)
	if err := c.SendMail("", []string{path}, strings.NewReader(dsnMail(path, ann, "5.1.1", "550 no", ""))); err != nil {
		t.Fatal(err)
	}
	if r.cause(ann) != "bounced" {
		t.Errorf("ann is %q", r.cause(ann))
	}
}

func TestStartTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ca := certstest.NewCA(t)
	cert, err := tls.LoadX509KeyPair(ca.Issue(t, "localhost", time.Hour).Write(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	s := r.start(bounce.Config{SMTP: bounce.SMTP{Listen: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClientStartTLS(conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	path := r.returnPath(job, ann)
	if err := c.SendMail("", []string{path}, strings.NewReader(dsnMail(path, ann, "5.1.1", "550 no", ""))); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if r.cause(ann) != "bounced" {
		t.Errorf("ann is %q", r.cause(ann))
	}
}

// TestCrowd: the bounds of connections hold, and who leaves makes room.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]bounce.SMTP{
		"all":    {Listen: "127.0.0.1:0", MaxConns: 2},
		"one IP": {Listen: "127.0.0.1:0", MaxConnsPerIP: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := r.start(bounce.Config{SMTP: cfg})
			greet := func() (string, net.Conn) {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() }) // closed below in part
				l, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				return l[:3], conn
			}
			first, conn := greet()
			second, _ := greet()
			third, turned := greet()
			if first+second+third != "220220421" {
				t.Errorf("greeted with %s, %s, %s", first, second, third)
			}
			if _, err := io.ReadAll(turned); err != nil {
				t.Errorf("turned away: %v", err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "room", func() bool { s, _ := greet(); return s == "220" })
		})
	}
}

// TestStop: a connection that says nothing does not keep the service from stopping.
func TestStop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, err := bounce.New(bounce.Config{Seals: r.seals, Apply: r.apply, SMTP: bounce.SMTP{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c := dial(t, s, false)
	if err := c.Noop(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cancel()
	if err := <-done; err != nil || time.Since(began) > 20*time.Second {
		t.Errorf("stopped after %v: %v", time.Since(began), err)
	}
	if err := c.Noop(); err == nil {
		t.Error("the connection is still there")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := bounce.New(bounce.Config{}); err == nil {
		t.Error("nothing is enough")
	}
	for i, cfg := range []bounce.Config{
		{SMTP: bounce.SMTP{Listen: "127.0.0.1:99999"}},
		{SMTP: bounce.SMTP{Listen: "unix:" + t.TempDir()}},
		{Hooks: []bounce.Hook{{Name: "a/b", Kind: bounce.HookStandard}}},
	} {
		cfg.Seals, cfg.Apply = r.seals, r.apply
		if _, err := bounce.New(cfg); err == nil {
			t.Errorf("%d is accepted", i)
		}
	}
	if _, err := bounce.New(bounce.Config{Seals: r.seals, Apply: r.apply, Registerer: r.reg}); err != nil {
		t.Error(err)
	}
	if _, err := bounce.New(bounce.Config{Seals: r.seals, Apply: r.apply, Registerer: r.reg}); err == nil {
		t.Error("the metrics are registered twice")
	}
	s, err := bounce.New(bounce.Config{Seals: r.seals, Apply: r.apply, SMTP: bounce.SMTP{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(s.Addr()) == "127.0.0.1:0" || s.Close() != nil || s.Close() != nil {
		t.Error("a service that does not run cannot be closed")
	}
}
