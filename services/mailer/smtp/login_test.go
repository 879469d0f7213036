package smtp_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailer/smtp"
	"tidings/services/mailer/smtp/smtptest"
	"tidings/shared/telemetry"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts  smtptest.Options
		query string
		fails string // part of the error, "" for none
	}{
		"STARTTLS":                        {smtptest.Options{}, "", ""},
		"implicit":                        {smtptest.Options{Implicit: true}, "", ""},
		"optional":                        {smtptest.Options{}, "tls=optional", ""},
		"optional and not there":          {smtptest.Options{NoTLS: true}, "tls=optional", ""},
		"required and not there":          {smtptest.Options{NoTLS: true}, "", "STARTTLS"},
		"another's certificate":           {smtptest.Options{CertFor: "mail.example.com"}, "", "certificate"},
		"another's, implicit":             {smtptest.Options{CertFor: "mail.example.com", Implicit: true}, "", "certificate"},
		"another's, optional":             {smtptest.Options{CertFor: "mail.example.com"}, "tls=optional", "certificate"},
		"login":                           {smtptest.Options{Login: true}, "", ""},
		"login, implicit":                 {smtptest.Options{Login: true, Implicit: true}, "", ""},
		"login without TLS":               {smtptest.Options{Login: true, NoTLS: true}, "tls=optional", "not encrypted"},
		"login without TLS, and required": {smtptest.Options{Login: true, NoTLS: true}, "", "STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, c.opts)
			cfg := quick()
			cfg.Roots = roots(s)
			r, _ := relays(t, cfg, s.URL(c.query))
			got := r.Send(t.Context(), mail("ann@example.org"))
			if c.fails == "" {
				if got.Verdict != smtp.Sent {
					t.Errorf("%+v", got)
				}
				return
			}
			if got.Verdict != smtp.Deferred || !strings.Contains(got.Err.Error(), c.fails) {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("nobody's certificate", func(t *testing.T) {
		t.Parallel()
		s := smtptest.New(t, smtptest.Options{})
		r, _ := relays(t, quick(), s.URL(""))
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || !strings.Contains(got.Err.Error(), "certificate") {
			t.Errorf("%+v", got)
		}
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, smtptest.Options{Login: true, Mechanisms: []string{"NTLM", mechanism}})
			cfg := quick()
			cfg.Roots = roots(s)
			r, _ := relays(t, cfg, s.URL("auth="+strings.ToLower(mechanism)))
			if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
				t.Errorf("%+v", got)
			}
			r, _ = relays(t, cfg, s.URL(""))
			if got := r.Send(t.Context(), mail("ann@example.org")); (got.Verdict == smtp.Sent) == (mechanism == "XOAUTH2") {
				t.Errorf("found out: %+v", got) // a token can't be told from a password
			}
			other := "auth=plain"
			if mechanism == "PLAIN" {
				other = "auth=login"
			}
			r, _ = relays(t, cfg, s.URL(other))
			if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred {
				t.Errorf("not offered: %+v", got)
			}
		})
	}
}

// TestPasswordFile has a token change while the program runs.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	s := smtptest.New(t, smtptest.Options{Login: true})
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u := strings.Replace(string(s.URL("passfile="+path)), ":hunter2%2F&%23secret@", "@", 1)
	cfg := quick()
	cfg.Roots, cfg.Failures = roots(s), 100
	r, _ := relays(t, cfg, telemetry.Secret(u))
	for _, bad := range []string{"", "\n", "a\nb", strings.Repeat("x", 1<<20)} {
		write(bad)
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || !strings.Contains(got.Err.Error(), "passfile") {
			t.Errorf("%.10q: %+v", bad, got)
		}
	}
	write(smtptest.Password + "\n")
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
		t.Errorf("%+v", got)
	}
}

// TestWrongPassword opens the breaker at once: accounts are locked for trying.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := smtptest.New(t, smtptest.Options{Login: true})
	_, two := plain(t, "two", nil)
	cfg := quick()
	cfg.Roots = roots(s)
	wrong := telemetry.Secret(strings.Replace(string(s.URL("name=one")), "hunter2", "hunter3", 1))
	r, reg := relays(t, cfg, wrong, two)
	for range 3 {
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent || got.Provider != "two" {
			t.Errorf("%+v", got)
		}
	}
	if n := sum(t, reg, "tidings_mail_answers_total", "one"); n != 1 || s.Conns() != 1 {
		t.Errorf("tried %v times, %d connections", n, s.Conns())
	}
}

// TestSecrets has a server repeat all it is told.
func TestSecrets(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	secrets := []string{
		smtptest.Password, encode(smtptest.Password), encode("\x00" + smtptest.User + "\x00" + smtptest.Password), "ann@example.org",
	}
	for _, at := range []string{smtptest.Login, smtptest.From, smtptest.To, smtptest.End, smtptest.Hello} {
		secrets := secrets
		s := smtptest.New(t, smtptest.Options{Login: true, Plan: func(place, _ string) *smtptest.Answer {
			if place != at {
				return nil
			}
			return &smtptest.Answer{Code: 535, Text: "you said " + strings.Join(secrets[:3], " or ") + " to <Ann@Example.org>"}
		}})
		if at == smtptest.Hello {
			s.Do(nil) // the good case
		}
		log := &book{}
		p, err := smtp.Parse(s.URL(""))
		if err != nil {
			t.Fatal(err)
		}
		cfg := quick()
		cfg.Roots, cfg.Providers = roots(s), []smtp.Provider{p}
		r, err := smtp.New(cfg, log.logger(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		run(t, r)
		got := r.Send(t.Context(), mail("ann@example.org"))
		text := got.Answer + log.String()
		if got.Err != nil {
			text += got.Err.Error()
			if !strings.Contains(text, "[hidden]") {
				t.Errorf("%s: nothing is hidden in %s", at, text)
			}
		} else if at != smtptest.Hello {
			t.Errorf("%s: %+v", at, got)
		}
		if at == smtptest.Login {
			secrets = secrets[:3] // nobody was to be written to yet
		}
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s: %s", at, text)
			}
		}
	}
}
