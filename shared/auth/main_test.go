package auth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"tidings/shared/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is the HS256 secret of the tests.
const secret = "an-hs256-secret-of-the-tests-with-40-bytes"

// The private keys of the tests are made once, because RSA keys are slow to make.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	weakRSA  = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(1024) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P384()) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { return must(newEd()) })
)

func newRSA(bits int) *rsa.PrivateKey          { return must(rsa.GenerateKey(rand.Reader, bits)) }
func newEC(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }
func newEd() (k ed25519.PrivateKey, err error) { _, k, err = ed25519.GenerateKey(rand.Reader); return }
func marshalPublic(k any) []byte               { return must(x509.MarshalPKIXPublicKey(k)) }
func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func publicPEM(k any) string { return block("PUBLIC KEY", marshalPublic(k)) }

func rawURL(b []byte) string                                { return base64.RawURLEncoding.EncodeToString(b) }
func in(d time.Duration) int64                              { return time.Now().Add(d).Unix() }
func claimsOf(user string) map[string]any                   { return map[string]any{"sub": user, "exp": in(time.Hour)} }
func with(m map[string]any, k string, v any) map[string]any { m[k] = v; return m }

// pass lets time go by. It is virtual in a synctest bubble; outside of one it is
// only used between looks at a condition.
func pass(d time.Duration) { <-time.After(d) }

// poll is the pause between looks at a condition.
const poll = 20 * time.Millisecond

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sign makes a token with any header and any payload.
func sign(method jwt.SigningMethod, key any, header map[string]any, payload any) string {
	h := map[string]any{"typ": "JWT", "alg": method.Alg()}
	maps.Copy(h, header)
	body, ok := payload.([]byte)
	if !ok {
		body = must(json.Marshal(payload))
	}
	text := rawURL(must(json.Marshal(h))) + "." + rawURL(body)
	return text + "." + rawURL(must(method.Sign(text, key)))
}

// hs signs claims with the tests' secret.
func hs(payload any) string {
	return sign(jwt.SigningMethodHS256, []byte(secret), nil, payload)
}

// jwk returns a JWK of a public key or secret; alg and use may be "".
func jwk(key any, kid, alg string) json.RawMessage {
	_, shared := key.([]byte)
	k := must(jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: shared},
		Metadata: jwkset.JWKMetadataOptions{KID: kid},
		Validate: jwkset.JWKValidateOptions{SkipAll: true},
	})).Marshal()
	k.ALG = jwkset.ALG(alg)
	return must(json.Marshal(k))
}

// edit changes members of a JWK.
func edit(raw json.RawMessage, members map[string]any) json.RawMessage {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	maps.Copy(m, members)
	return must(json.Marshal(m))
}

func jwks(keys ...json.RawMessage) []byte {
	if keys == nil {
		keys = []json.RawMessage{}
	}
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// file writes a key file.
func file(t testing.TB, data string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// verifier makes a verifier that ends with the test.
func verifier(t testing.TB, cfg auth.Config) *auth.Verifier {
	t.Helper()
	v, err := auth.NewVerifier(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func secretVerifier(t testing.TB) *auth.Verifier {
	t.Helper()
	return verifier(t, auth.Config{Secret: []byte(secret)})
}

// wantCode checks that err is an *Error with the code, whose text does not give
// the credential away.
func wantCode(t testing.TB, err error, code, credential string) *auth.Error {
	t.Helper()
	var e *auth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want *auth.Error %s", err, err, code)
	}
	if e.Code != code {
		t.Fatalf("code is %s (%v), want %s", e.Code, err, code)
	}
	if e.Reason == "" {
		t.Fatal("the reason is empty")
	}
	for part := range strings.SplitSeq(credential, ".") {
		if len(part) > 12 && strings.Contains(err.Error(), part) {
			t.Fatalf("the error gives the credential away: %v", err)
		}
	}
	return e
}

// wantUser expects success and the user.
func wantUser(t testing.TB, v *auth.Verifier, token, user string) *auth.Grant {
	t.Helper()
	g, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if g.User != user {
		t.Fatalf("user is %q, want %q", g.User, user)
	}
	return g
}

func wantRefusal(t testing.TB, v *auth.Verifier, token, code string) *auth.Error {
	t.Helper()
	g, err := v.Verify(t.Context(), token)
	if g != nil {
		t.Fatalf("a refused token was granted %v", g)
	}
	return wantCode(t, err, code, token)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// brokenStore fails always.
type brokenStore struct{}

func (brokenStore) Put(context.Context, string, []byte) error { return errors.New("store is down") }

func (brokenStore) Take(context.Context, string) ([]byte, error) {
	return nil, errors.New("store is down")
}
