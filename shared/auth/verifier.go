package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxTokenBytes is the longest token. Servers and proxies commonly take 8 KiB of
// headers, so a longer one would not arrive everywhere anyway.
const MaxTokenBytes = 8 << 10

// errNoKey says that no key fits a token's header.
var errNoKey = errors.New("no key for this alg and kid")

// Verifier turns tokens into grants. Make one with NewVerifier.
type Verifier struct {
	parser *jwt.Parser
	leeway time.Duration
	static keyring // Of the secret and the file.
	remote *remote // Of the URL; nil without one.
}

// NewVerifier reads the keys. With a JWKS URL it starts fetching until ctx ends or
// Close is called, and returns without waiting for the first answer. Errors are
// faults of cfg and are reported all at once; they do not contain the secret.
// A nil log discards.
func NewVerifier(ctx context.Context, cfg Config, log *slog.Logger) (*Verifier, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg, err := cfg.withDefaults()
	errs := []error{err}
	var static keyring
	if len(cfg.Secret) > 0 {
		k, err := newKey("", "", bytes.Clone(cfg.Secret))
		if err != nil && cfg.WeakSecret {
			log.Warn("the HS256 secret is weak, which only development forgives", "reason", err)
			k, err = key{alg: algHS256, material: bytes.Clone(cfg.Secret)}, nil
		}
		static, errs = append(static, k), append(errs, err)
	}
	if cfg.KeysFile != "" {
		keys, skipped, err := readKeyFile(cfg.KeysFile)
		static, errs = append(static, keys...), append(errs, err)
		if len(skipped) > 0 {
			log.Warn("some token keys cannot be used", "file", cfg.KeysFile, "keys", strings.Join(skipped, "; "))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	v := &Verifier{parser: newParser(cfg), leeway: cfg.Leeway, static: static}
	if cfg.JWKSURL != "" {
		v.remote = newRemote(ctx, cfg, log)
	}
	return v, nil
}

func newParser(cfg Config) *jwt.Parser {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algHS256, algRS256, algES256, algEdDSA}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(cfg.Leeway),
		jwt.WithStrictDecoding(),
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	return jwt.NewParser(options...)
}

// Close ends the background refresh and waits for it. The keys stay in use. It may
// be called more than once, and is not needed if the context has ended.
func (v *Verifier) Close() {
	if v.remote != nil {
		v.remote.close()
	}
}

// Check reports whether there are keys of every configured source, for a readiness
// probe. Keys that can't be refreshed right now still count: they work. The error
// is an *Error with keys_unavailable.
func (v *Verifier) Check(context.Context) error {
	if v.remote != nil {
		if len(v.remote.snapshot().keys) == 0 {
			return unavailable(nil)
		}
	}
	return nil
}

// Verify returns the grant of a token, or an *Error. A token whose key is unknown
// may wait up to 3 s for keys to be fetched, less if ctx ends.
func (v *Verifier) Verify(ctx context.Context, token string) (*Grant, error) {
	if err := checkShape(token); err != nil {
		return nil, err
	}
	s := v.snapshot()
	c, l, err := v.parse(token, s.keys)
	if v.wanting(l, err) && v.remote.renew(ctx, s) {
		s = v.snapshot()
		c, l, err = v.parse(token, s.keys)
	}
	switch {
	case v.wanting(l, err) && !s.current:
		return nil, unavailable(err)
	case err != nil:
		return nil, classify(l, err)
	}
	return c.grant(time.Now(), v.leeway)
}

// snapshot returns the keys of all sources.
func (v *Verifier) snapshot() snapshot {
	if v.remote == nil {
		return snapshot{keys: v.static, current: true}
	}
	s := v.remote.snapshot()
	s.keys = slices.Concat(v.static, s.keys)
	return s
}

// parse verifies signature and times with the given keys.
func (v *Verifier) parse(token string, keys keyring) (*claims, lookup, error) {
	var c claims
	var l lookup
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, err := readHeader(t.Header)
		if err != nil {
			return nil, err
		}
		l = keys.lookup(t.Method.Alg(), kid)
		if len(l.keys) == 0 {
			return nil, errNoKey
		}
		var set jwt.VerificationKeySet
		for _, k := range l.keys {
			set.Keys = append(set.Keys, k)
		}
		return set, nil
	})
	return &c, l, err
}

// wanting reports whether fresh keys from the URL could change the outcome: no key
// verified the signature, none has the very kid, and it is not a shared secret,
// which never comes from there.
func (v *Verifier) wanting(l lookup, err error) bool {
	if v.remote == nil || l.alg == "" || l.alg == algHS256 || l.named {
		return false
	}
	return errors.Is(err, errNoKey) || errors.Is(err, jwt.ErrTokenSignatureInvalid)
}

// checkShape refuses what cannot be a token before any of it is decoded. It checks
// the alphabet because base64 decoding would skip line breaks.
func checkShape(token string) error {
	if len(token) > MaxTokenBytes {
		return malformed("the token is longer than %d bytes: use fewer or wider patterns", MaxTokenBytes)
	}
	dots := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			dots++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return notJWT(nil)
		}
	}
	if dots != 2 {
		return notJWT(nil)
	}
	return nil
}

// readHeader returns the kid, "" if there is none. Extensions marked critical are
// refused, since none is understood (RFC 7515 §4.1.11).
func readHeader(h map[string]any) (kid string, err error) {
	if _, ok := h["crit"]; ok {
		return "", malformed("the token's header demands extensions (crit) that are not supported")
	}
	v, ok := h["kid"]
	if !ok {
		return "", nil
	}
	kid, ok = v.(string)
	if !ok || len(kid) > maxKeyID {
		return "", malformed("the token's kid must be a string of at most %d bytes", maxKeyID)
	}
	return kid, nil
}

// classify turns the parser's error into one for the caller. Expiry comes last: a
// token that is wrong in another way too would not be cured by a new one.
func classify(l lookup, err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jwt.ErrTokenMalformed):
		return notJWT(err)
	case l.alg == "":
		return invalid("the token's alg is not one of HS256, RS256, ES256 and EdDSA")
	case errors.Is(err, errNoKey):
		return invalid("no key here fits the token's alg and kid: sign it with a key that this server trusts")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return invalid("the token's signature is wrong: sign it with a key that this server trusts")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return invalid("the token is not valid yet (nbf): wait, or check the clocks")
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return invalid("the token was issued in the future (iat): check the clocks")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return invalid("the token is meant for another audience (aud): get one for this server")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return invalid("the token comes from another issuer (iss): get one from this server's issuer")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return invalid("the token lacks the aud or iss claim that this server expects")
	case errors.Is(err, jwt.ErrTokenExpired):
		return expired()
	}
	return &Error{Code: CodeTokenInvalid, Reason: "the token is not acceptable: get a new one", Err: err}
}

func notJWT(cause error) *Error {
	return &Error{Code: CodeTokenMalformed, Reason: "this is not a JSON Web Token: send the whole signed token, three parts joined by dots", Err: cause}
}

func unavailable(cause error) *Error {
	return &Error{Code: CodeKeysUnavailable, Reason: "the keys to check tokens with are not available right now: try again in a few seconds", Err: cause}
}
