package app_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/services/app"
	"tidings/shared/config"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
)

// TestNewFails: every way to fail says what is wrong, soon, and holds nothing
// afterwards. goleak, at the end of all tests, sees what was left running.
func TestNewFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	nobody := unused(t)
	notKeys := filepath.Join(t.TempDir(), "keys.pem")
	if err := os.WriteFile(notKeys, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings func(*config.Settings)
		services []string
		want     []string
		is       error
	}{
		"no service":      {services: []string{}, want: []string{"edge, producer, console"}},
		"unknown service": {services: []string{app.Edge, "egde"}, want: []string{`"egde"`, "edge, producer, console"}},
		"bad prefix":      {settings: func(s *config.Settings) { s.Prefix = "a.b c" }, want: []string{"prefix"}},
		"HTTP port taken": {settings: func(s *config.Settings) { s.HTTP = taken.Addr().String() }, want: []string{"http", taken.Addr().String(), "in use"}},
		"admin port taken": {
			settings: func(s *config.Settings) { s.Admin = taken.Addr().String() },
			want:     []string{"admin", taken.Addr().String(), "in use"},
		},
		"NATS port taken": {
			settings: func(s *config.Settings) { s.NATSListen = taken.Addr().String() },
			want:     []string{"NATS", taken.Addr().String(), "in use"},
		},
		"no certificate": {
			settings: func(s *config.Settings) { s.TLSCert, s.TLSKey = notKeys+".crt", notKeys },
			want:     []string{"http", "TLS certificate", notKeys + ".crt"},
		},
		"certificate is none": {settings: func(s *config.Settings) { s.TLSCert, s.TLSKey = notKeys, notKeys }, want: []string{"http", "TLS", notKeys}},
		"no keys":             {settings: func(s *config.Settings) { s.JWTSecret = "" }, want: []string{"auth"}},
		"weak secret":         {settings: func(s *config.Settings) { s.JWTSecret = "dev" }, want: []string{"auth", "32"}},
		"keys are none":       {settings: func(s *config.Settings) { s.JWTSecret, s.JWTKeys = "", notKeys }, want: []string{"auth", notKeys}},
		"bad hook": {
			settings: func(s *config.Settings) {
				s.Hooks = []config.Hook{{Name: "x", Kind: "smoke", Secret: "0123456789abcdef"}}
			},
			want: []string{"smoke"},
		},
		"NATS away": {
			settings: func(s *config.Settings) { s.NATS = config.URL("nats://ann:pass-word@" + nobody) },
			want:     []string{nobody}, is: natsx.ErrAway,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := settings(t)
			s := *good
			if c.settings != nil {
				c.settings(&s)
			}
			opts := options(&s, (&journal{}).logger(t))
			if c.services != nil {
				opts.Services = c.services
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if c.is == nil {
				ctx = t.Context() // only who waits for something needs a deadline
			}
			a, err := app.New(ctx, opts)
			if err == nil {
				a.Close()
				t.Fatal("new: no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not tell %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "pass-word") {
				t.Errorf("error %q tells the password", err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %q is not %q", err, c.is)
			}
			// The directory's lock is free again, so the server in it has ended.
			a, err = app.New(t.Context(), options(good, (&journal{}).logger(t)))
			if err != nil {
				t.Fatalf("new after the failure: %v", err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// TestStopWhileWaitingForNATS: who waits can be told to stop.
func TestStopWhileWaitingForNATS(t *testing.T) {
	t.Parallel()
	log := &journal{}
	opts := options(settings(t, "--nats=nats://"+unused(t)), log.logger(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := app.New(ctx, opts)
		failed <- err
	}()
	testkit.Eventually(t, "the log to say what is waited for", func() bool { return strings.Contains(log.String(), "waiting for NATS") })
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("new: %v, want it to be context.Canceled: nothing went wrong", err)
		}
	case <-time.After(testkit.Patience):
		t.Error("new did not end with its context")
	}
}

// TestUnfitNATS: a server without JetStream, or a wrong password, is no reason to
// wait, and is told apart.
func TestUnfitNATS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, credentials, want string
	}{
		"no JetStream":   {"server_name: plain", "", "JetStream"},
		"wrong password": {"authorization { user: ann, password: right-word }", "ann:wrong-word", "uthorization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natsxtest.Run(t, c.config)
			s := settings(t)
			s.NATS = config.URL(server.URL())
			if c.credentials != "" {
				s.NATS = config.URL(server.With(c.credentials))
			}
			a, err := app.New(t.Context(), options(s, (&journal{}).logger(t)))
			if err == nil {
				a.Close()
				t.Fatal("new: no error")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "wrong-word") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestShortSecretInDevelopment: what production refuses, a developer's machine takes.
func TestShortSecretInDevelopment(t *testing.T) {
	t.Parallel()
	s := settings(t)
	s.JWTSecret = telemetry.Secret("dev")
	start(t, s, func(o *app.Options) { o.Dev = true }).ready()
}

// unused returns an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
