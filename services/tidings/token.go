package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tidings/shared/auth"
	"tidings/shared/config"
	"tidings/shared/telemetry"
)

const (
	// secretFile keeps the secret of development in the data directory, so that a
	// token outlives a restart and "tidings token" finds it.
	secretFile = "dev.secret"
	// defaultData is the default of --data.
	defaultData = ".tidings"
	// tokenTTL is how long a token of "tidings token" lives unless --ttl says
	// otherwise; devTokenTTL that of the console's URL: a working day and a night.
	tokenTTL    = time.Hour
	devTokenTTL = 24 * time.Hour
)

// tokenFlags are the flags of "tidings token".
type tokenFlags struct {
	user          string
	sub, pub      list
	notify, admin bool
	ttl           time.Duration
}

// list is a flag that may be repeated or hold several values with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(s string) error {
	for v := range strings.SplitSeq(s, ",") {
		if v = strings.TrimSpace(v); v != "" {
			*l = append(*l, v)
		}
	}
	return nil
}

// runToken prints a token and nothing else, so that $(tidings token) works.
func runToken(_ context.Context, p *program, args []string) error {
	var f tokenFlags
	s, rest, err := p.load("token", args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.user, "user", "dev", "`id` of the user; the same as the argument")
		fs.Var(&f.sub, "sub", "`patterns` the token may read besides the user's own topic and all; default room.>")
		fs.Var(&f.pub, "pub", "`patterns` the token may publish to; default room.>")
		fs.BoolVar(&f.notify, "notify", false, "may send notifications")
		fs.BoolVar(&f.admin, "as-admin", false, "may do everything")
		fs.DurationVar(&f.ttl, "ttl", tokenTTL, "how long the token lives")
	}, nil)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 1:
		return fmt.Errorf("%w: one user at a time", errUsage)
	case len(rest) == 1:
		f.user = rest[0]
	}
	if f.sub == nil {
		f.sub = list{"room.>"}
	}
	if f.pub == nil {
		f.pub = list{"room.>"}
	}
	if s.JWTSecret == "" {
		secret, err := readSecret(s.Data)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: there is no secret to sign with: set TIDINGS_JWT_SECRET, or start “%s dev” here first", errUsage, p.self)
		}
		if err != nil {
			return err
		}
		s.JWTSecret = secret
	}
	token, err := mint(s, f)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	fmt.Fprintln(p.out, token)
	return nil
}

func mint(s *config.Settings, f tokenFlags) (string, error) {
	return auth.Mint([]byte(s.JWTSecret.Reveal()), auth.Claims{
		User: f.user, Sub: f.sub, Pub: f.pub, Notify: f.notify, Admin: f.admin, TTL: f.ttl,
		Audience: s.JWTAudience, Issuer: s.JWTIssuer,
	}, time.Now())
}

// useDevSecret gives a development process a secret of its own unless keys are
// configured. Only its owner can read the file.
func useDevSecret(s *config.Settings) error {
	if s.JWTSecret != "" {
		return nil
	}
	secret, err := readSecret(s.Data)
	if errors.Is(err, fs.ErrNotExist) {
		secret = telemetry.Secret(auth.GenerateSecret())
		if err = os.MkdirAll(s.Data, 0o700); err == nil {
			err = os.WriteFile(filepath.Join(s.Data, secretFile), []byte(secret.Reveal()+"\n"), 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("secret of development: %w", err)
	}
	s.JWTSecret = secret
	return nil
}

func readSecret(dir string) (telemetry.Secret, error) {
	b, err := os.ReadFile(filepath.Join(dir, secretFile))
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	return telemetry.Secret(strings.TrimSpace(string(b))), nil
}
