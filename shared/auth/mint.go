package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// secretBytes is how many random bytes GenerateSecret draws, the strength of HS256.
const secretBytes = 32

// Claims is what Mint puts into a token.
type Claims struct {
	// User becomes sub. It is required.
	User string
	// Sub and Pub are patterns the bearer may read and publish to.
	Sub, Pub []string
	// Notify allows sending notifications, Admin everything.
	Notify, Admin bool
	// TTL is how long the token lives, at least a second. There is no default,
	// because a token that outlives its purpose should be someone's decision.
	TTL time.Duration
	// ID becomes jti, by which the token can be revoked. Optional.
	ID string
	// Audience and Issuer become aud and iss. They are needed only where the
	// verifier is configured to expect them.
	Audience, Issuer string
}

// mintedClaims is the wire form of Claims.
type mintedClaims struct {
	jwt.RegisteredClaims
	Tidings mintedGrant `json:"tidings"`
}

type mintedGrant struct {
	Sub    []string `json:"sub,omitempty"`
	Pub    []string `json:"pub,omitempty"`
	Notify bool     `json:"notify,omitempty"`
	Admin  bool     `json:"admin,omitempty"`
}

// Mint signs a token with HS256, issued at now. It checks c as a Verifier would, so
// a token it returns is accepted by every Verifier with the same secret. Judging
// the secret is left to the Verifier, which may be one for development.
func Mint(secret []byte, c Claims, now time.Time) (string, error) {
	if len(secret) == 0 {
		return "", errors.New("there is no secret to sign with")
	}
	if err := checkClaims(c); err != nil {
		return "", err
	}
	m := mintedClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   c.User,
			ID:        c.ID,
			Issuer:    c.Issuer,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(c.TTL)),
		},
		Tidings: mintedGrant{Sub: c.Sub, Pub: c.Pub, Notify: c.Notify, Admin: c.Admin},
	}
	if c.Audience != "" {
		m.Audience = jwt.ClaimStrings{c.Audience}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, m).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(token) > MaxTokenBytes {
		return "", fmt.Errorf("the token would be %d bytes and at most %d are accepted: use fewer or wider patterns", len(token), MaxTokenBytes)
	}
	return token, nil
}

// GenerateSecret returns a fresh HS256 secret: 32 random bytes as 64 hex digits,
// whose bytes are the key. It is what dev mode uses when none is configured.
func GenerateSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // It never fails; the program crashes without randomness.
	return hex.EncodeToString(b)
}

// checkClaims reports all faults of c at once.
func checkClaims(c Claims) error {
	var errs []error
	if err := checkUser(c.User); err != nil {
		errs = append(errs, fmt.Errorf("the user %w", err))
	}
	if err := checkText(c.ID, maxTokenID); err != nil {
		errs = append(errs, fmt.Errorf("the token id %w", err))
	}
	if err := errors.Join(checkText(c.Audience, MaxTokenBytes), checkText(c.Issuer, MaxTokenBytes)); err != nil {
		errs = append(errs, fmt.Errorf("the audience or issuer %w", err))
	}
	if c.TTL < time.Second {
		errs = append(errs, errors.New("the token needs a lifetime of a second or more"))
	}
	if _, err := parsePatterns("sub", c.Sub); err != nil {
		errs = append(errs, err)
	}
	if _, err := parsePatterns("pub", c.Pub); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
