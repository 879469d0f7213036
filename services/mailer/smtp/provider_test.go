package smtp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tidings/services/mailer/smtp"
	"tidings/shared/telemetry"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]smtp.Provider{
		"smtp://mail.example.com": {
			Name: "mail.example.com", Host: "mail.example.com", Port: 587, TLS: smtp.TLSRequired, Auth: "auto", Conns: 4, Messages: 100,
		},
		"smtps://ann:p%40ss@mail.example.com?name=main&rate=0.5&conns=2&messages=7&auth=login": {
			Name: "main", Host: "mail.example.com", Port: 465, Implicit: true, TLS: smtp.TLSRequired, User: "ann", Password: "p@ss",
			Auth: "login", Rate: 0.5, Conns: 2, Messages: 7,
		},
		"smtp://[::1]:25/?tls=none": {
			Name: "::1", Host: "::1", Port: 25, TLS: smtp.TLSNone, Auth: "auto", Conns: 4, Messages: 100,
		},
		"smtp://ann@mail?tls=optional&passfile=/run/secrets/smtp&auth=xoauth2": {
			Name: "mail", Host: "mail", Port: 587, TLS: smtp.TLSOptional, User: "ann", PasswordFile: "/run/secrets/smtp",
			Auth: "xoauth2", Conns: 4, Messages: 100,
		},
	} {
		if got, err := smtp.Parse(telemetry.Secret(url)); err != nil || got != want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", url, err, got, want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "mail.example.com:25", "http://mail.example.com", "smtp://", "smtp://:25",
		"smtp://ann:hunter2@mail:0", "smtp://ann:hunter2@mail:70000", "smtp://ann:hunter2@mail:x", "smtp://ann:hunter2 x@mail",
		"smtp://ann:hunter2/x@mail", "smtp://ann:hunter2#x@mail", "smtp://ann:hunter2%zz@mail", "smtp://mail/path",
		"smtp://mail?tls=never", "smtps://mail?tls=none", "smtp://mail?tls=none", "smtp://ann:hunter2@127.0.0.1?tls=none",
		"smtp://ann@mail", "smtp://:hunter2@mail", "smtp://mail?auth=plain", "smtp://mail?auth=ntlm",
		"smtp://ann:hunter2@mail?passfile=/x", "smtp://ann:hunter2%0d%0ax@mail", "smtp://ann:hunter2%00@mail",
		"smtp://mail?rate=0", "smtp://mail?rate=-1", "smtp://mail?rate=NaN", "smtp://mail?rate=1e9", "smtp://mail?rate=x",
		"smtp://mail?conns=0", "smtp://mail?conns=65", "smtp://mail?messages=0", "smtp://mail?name=a%20b", "smtp://mail?name=a&name=b",
		"smtp://mail?password=hunter2", "smtp://mail?" + strings.Repeat("x", 10_000), "smtp://m%0d%0aail", "smtp://mail?name=" + strings.Repeat("x", 65),
	} {
		_, err := smtp.Parse(telemetry.Secret(url))
		if !errors.Is(err, smtp.ErrProvider) {
			t.Errorf("%s: %v", url, err)
		} else if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 300 {
			t.Errorf("%s: the error tells too much: %v", url, err)
		}
	}
}

func TestProviderHidesItsPassword(t *testing.T) {
	t.Parallel()
	p, err := smtp.Parse("smtp://ann:hunter2@mail")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(format, p); strings.Contains(s, "hunter2") {
			t.Errorf("%s: %s", format, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("smtp://ann:hunter2@mail.example.com:587?rate=14&tls=required")
	f.Add("smtps://[::1]?name=x")
	f.Fuzz(func(t *testing.T, url string) {
		p, err := smtp.Parse(telemetry.Secret(url))
		if err != nil {
			return
		}
		if p.Host == "" || p.Name == "" || p.Port == 0 || p.Conns == 0 || p.Messages == 0 || p.Rate < 0 {
			t.Errorf("%+v", p)
		}
		if p.TLS == smtp.TLSNone && p.User != "" {
			t.Error("a password for a connection that is never encrypted")
		}
	})
}
