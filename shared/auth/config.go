package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Tolerance for clocks that disagree.
const (
	// DefaultLeeway is how far an issuer's clock may be from ours.
	DefaultLeeway = 30 * time.Second
	// MaxLeeway is the most that can be configured. More would keep tokens alive
	// noticeably beyond their end.
	MaxLeeway = 10 * time.Minute
)

// Config says which keys to trust. At least one of Secret, KeysFile and JWKSURL is
// needed; a token is accepted if a key of any of them verifies it.
type Config struct {
	// Secret is the shared secret of HS256, at least MinSecretBytes long. The bytes
	// are the key as they are; hex or base64 is not decoded.
	Secret []byte
	// WeakSecret accepts a Secret of any length, with a warning. It is for
	// development on a machine nobody else reaches.
	WeakSecret bool
	// KeysFile names a PEM file of public keys and certificates, or a JWKS file. It
	// is read once.
	KeysFile string
	// JWKSURL is where an issuer publishes its keys: https, or http on loopback.
	JWKSURL string
	// Refresh is how often JWKSURL is fetched; 0 means DefaultRefresh.
	Refresh time.Duration
	// Leeway is how far exp, nbf and iat may be off; 0 means DefaultLeeway and a
	// negative value none.
	Leeway time.Duration
	// Audience, if not "", must be in the token's aud.
	Audience string
	// Issuer, if not "", must be the token's iss.
	Issuer string
	// Transport fetches JWKSURL; nil means one that is bounded and uses the proxy
	// of the environment. Time and size are bounded with any transport.
	Transport http.RoundTripper
}

// String names the sources and hides the secret.
func (c Config) String() string {
	return fmt.Sprintf("auth.Config(secret=%t file=%q url=%t)", len(c.Secret) > 0, c.KeysFile, c.JWKSURL != "")
}

// GoString is String, so that %#v does not show the secret either.
func (c Config) GoString() string { return c.String() }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// withDefaults fills in what was left out and reports all faults at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if len(c.Secret) == 0 && c.KeysFile == "" && c.JWKSURL == "" {
		errs = append(errs, errors.New("no token keys: configure a secret, a key file or a JWKS URL"))
	}
	switch {
	case c.Leeway == 0:
		c.Leeway = DefaultLeeway
	case c.Leeway < 0:
		c.Leeway = 0
	case c.Leeway > MaxLeeway:
		errs = append(errs, fmt.Errorf("the leeway is %s and at most %s is allowed", c.Leeway, MaxLeeway))
	}
	if c.Refresh == 0 {
		c.Refresh = DefaultRefresh
	}
	if c.Refresh < minRefresh {
		errs = append(errs, fmt.Errorf("the JWKS refresh is %s and at least %s is needed", c.Refresh, minRefresh))
	}
	if c.JWKSURL != "" {
		if err := checkURL(c.JWKSURL); err != nil {
			errs = append(errs, err)
		}
	}
	return c, errors.Join(errs...)
}
