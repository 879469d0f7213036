package smtp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tidings/services/mailer/smtp"
	"tidings/services/mailer/smtp/smtptest"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const letter = "From: news@example.com\r\nSubject: Hello\r\n\r\nHello.\r\n.a dot\r\n..\r\n"

// roots trusts the certificates of some servers.
func roots(servers ...*smtptest.Server) *x509.CertPool {
	if len(servers) == 1 {
		return servers[0].Roots()
	}
	return nil
}

// quick has timeouts for tests: what fails, fails soon.
func quick() smtp.Config {
	return smtp.Config{
		DialTimeout: 5 * time.Second, CommandTimeout: 5 * time.Second, IdleTimeout: time.Minute, Patience: time.Millisecond,
		Failures: 3, OpenFor: time.Hour, SlowFirst: time.Hour, SlowMost: time.Hour,
	}
}

// relays runs providers until the test ends.
func relays(t *testing.T, cfg smtp.Config, urls ...telemetry.Secret) (*smtp.Relays, *prometheus.Registry) {
	t.Helper()
	for _, u := range urls {
		p, err := smtp.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Providers = append(cfg.Providers, p)
	}
	reg := prometheus.NewRegistry()
	r, err := smtp.New(cfg, testkit.Log(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, r)
	return r, reg
}

func run(t *testing.T, r *smtp.Relays) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); ended.Wait() })
}

// plain starts a server without TLS, which is a lot quicker, and returns its URL.
func plain(t *testing.T, name string, plan smtptest.Plan) (*smtptest.Server, telemetry.Secret) {
	t.Helper()
	s := smtptest.New(t, smtptest.Options{NoTLS: true, Plan: plan})
	return s, s.URL("tls=none&name=" + name)
}

func mail(to string) smtp.Mail {
	return smtp.Mail{From: "bounce@example.com", To: to, Data: []byte(letter)}
}

// sum adds up a counter or gauge over all its labels, or those that match.
func sum(t *testing.T, reg *prometheus.Registry, name string, labels ...string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := []string{}
			for _, l := range m.GetLabel() {
				has = append(has, l.GetValue())
			}
			for _, l := range labels {
				if !strings.Contains(" "+strings.Join(has, " ")+" ", " "+l+" ") {
					has = nil
				}
			}
			if has != nil {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

// book is a logger that can be read.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *book) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// script is a server that answers commands by their first word, as no decent one would.
// The answer to the end of a mail is that of ".". An empty answer closes the connection.
func script(t *testing.T, answers map[string]string) telemetry.Secret {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(c, answers) })
		}
	})
	return telemetry.Secret("smtp://" + l.Addr().String() + "?tls=none&name=script")
}

func serve(c net.Conn, answers map[string]string) {
	defer func() { _ = c.Close() }()
	say := func(word, otherwise string) bool {
		answer, ok := answers[word]
		if !ok {
			answer = otherwise
		}
		_, err := c.Write([]byte(answer + "\r\n"))
		return answer != "" && err == nil
	}
	if !say("", "220 hello") {
		return
	}
	lines, body := bufio.NewScanner(c), false
	for lines.Scan() {
		word, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		otherwise := "250 fine"
		if word == "DATA" {
			otherwise = "354 go on"
		}
		switch {
		case body && lines.Text() != ".":
			continue
		case !say(word, otherwise):
			return
		}
		body = word == "DATA" && answers["DATA"] == ""
	}
}
