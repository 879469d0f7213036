package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tidings/shared/auth"
)

// certificate returns a self-signed certificate that has long expired, in PEM.
func certificate(k *rsa.PrivateKey) string {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "issuer"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Unix(1, 0),
	}
	return block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)))
}

func TestKeysFileRefused(t *testing.T) {
	t.Parallel()
	good := publicPEM(ecKey().Public())
	privateRSA := must(x509.MarshalPKCS8PrivateKey(rsaKey()))
	ed := jwk(edKey().Public(), "e", "EdDSA")
	tests := map[string]struct{ data, want string }{
		"empty":                   {"", "neither PEM"},
		"text":                    {"hello", "neither PEM"},
		"private PKCS8":           {good + block("PRIVATE KEY", privateRSA), "private key"},
		"private RSA":             {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), "private key"},
		"private EC":              {block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey()))), "-pubout"},
		"private encrypted":       {block("ENCRYPTED PRIVATE KEY", []byte("x")), "private key"},
		"private OpenSSH":         {block("OPENSSH PRIVATE KEY", []byte("x")), "private key"},
		"certificate request":     {block("CERTIFICATE REQUEST", []byte("x")), "neither a public key"},
		"broken key":              {block("PUBLIC KEY", []byte("x")), "parse public key"},
		"broken certificate":      {block("CERTIFICATE", []byte("x")), "parse certificate"},
		"broken block":            {good + "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n", "only 1 of its 2"},
		"cut block":               {good + good[:60], "only 1 of its 2"},
		"weak RSA":                {publicPEM(weakRSA().Public()), "1024 bits"},
		"P-384":                   {publicPEM(p384Key().Public()), "P-256"},
		"too many blocks":         {strings.Repeat(good, 65), "more than 64"},
		"too large":               {good + strings.Repeat("\n", 256<<10), "larger than"},
		"JSON without keys":       {`{"key":[]}`, "not a JSON Web Key Set"},
		"JSON broken":             {`{"keys":[`, "not a JSON Web Key Set"},
		"JSON keys of wrong type": {`{"keys":{}}`, "not a JSON Web Key Set"},
		"JSON trailing data":      {string(jwks(ed)) + "{}", "not a JSON Web Key Set"},
		"no key":                  {`{"keys":[]}`, "no usable key"},
		"too many keys":           {string(jwks(slices.Repeat([]json.RawMessage{ed}, 65)...)), "at most 64"},
		"key a string":            {`{"keys":["x"]}`, "not a JSON Web Key"},
		"weak RSA in JWKS":        {string(jwks(ed, jwk(weakRSA().Public(), "w", ""))), "1024 bits"},
		"short secret in JWKS":    {string(jwks(ed, jwk([]byte("short"), "s", ""))), "at least 32"},
		"private in JWKS":         {string(jwks(ed, edit(ed, map[string]any{"d": rawURL(edKey().Seed())}))), "private key"},
		"kid too long":            {string(jwks(edit(ed, map[string]any{"kid": strings.Repeat("k", 257)}))), "kid"},
		"point off the curve":     {string(jwks(edit(jwk(ecKey().Public(), "", ""), map[string]any{"x": rawURL(make([]byte, 32))}))), "parse JWK"},
		"only foreign keys":       {string(jwks(jwk(p384Key().Public(), "p", ""), jwk(rsaKey().Public(), "r", "RS512"))), "RS512"},
		"RSA key says HS256":      {string(jwks(jwk(rsaKey().Public(), "r", "HS256"))), "HS256"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewVerifier(t.Context(), auth.Config{KeysFile: file(t, tt.data)}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want something about %q", err, tt.want)
			}
			for _, s := range []string{rawURL(edKey().Seed()), rawURL([]byte("short"))} {
				if strings.Contains(err.Error(), s) {
					t.Fatalf("the error shows the key: %v", err)
				}
			}
		})
	}
	if _, err := auth.NewVerifier(t.Context(), auth.Config{KeysFile: file(t, "") + ".absent"}, nil); err == nil {
		t.Error("an absent file was accepted")
	}
}

func TestKeysFileSkipsForeignKeys(t *testing.T) {
	t.Parallel()
	var buf logBuffer
	set := jwks(
		jwk(p384Key().Public(), "p384", ""),
		edit(jwk(rsaKey().Public(), "enc", ""), map[string]any{"use": "enc"}),
		edit(jwk(otherRSA().Public(), "ops", ""), map[string]any{"key_ops": []string{"encrypt"}}),
		json.RawMessage(`{"kty":"OKP","crv":"Ed448","x":"AA","kid":"448"}`),
		edit(jwk(edKey().Public(), "ed", "EdDSA"), map[string]any{"use": "sig", "key_ops": []string{"verify"}, "x5c": []string{"junk"}}),
	)
	v, err := auth.NewVerifier(t.Context(), auth.Config{KeysFile: file(t, string(set))}, buf.logger())
	if err != nil {
		t.Fatal(err)
	}
	wantUser(t, v, sign(jwt.SigningMethodEdDSA, edKey(), map[string]any{"kid": "ed"}, claimsOf("ann")), "ann")
	wantRefusal(t, v, sign(jwt.SigningMethodRS256, rsaKey(), nil, claimsOf("ann")), auth.CodeTokenInvalid)
	for i := range 4 {
		if !strings.Contains(buf.String(), fmt.Sprintf("key %d: ", i+1)) {
			t.Errorf("key %d was skipped silently: %s", i+1, buf.String())
		}
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	ok := []byte(secret)
	tests := map[string]struct {
		cfg  auth.Config
		want string
	}{
		"nothing":           {auth.Config{}, "no token keys"},
		"short secret":      {auth.Config{Secret: ok[:31]}, "openssl rand -hex 32"},
		"long leeway":       {auth.Config{Secret: ok, Leeway: time.Hour}, "leeway"},
		"short refresh":     {auth.Config{Secret: ok, Refresh: time.Second}, "refresh"},
		"plain http":        {auth.Config{JWKSURL: "http://id.example/jwks"}, "https"},
		"http to rebound":   {auth.Config{JWKSURL: "http://localhost.evil.example/jwks"}, "https"},
		"other scheme":      {auth.Config{JWKSURL: "file:///etc/passwd"}, "not a URL"},
		"ftp":               {auth.Config{JWKSURL: "ftp://id.example/jwks"}, "https"},
		"no host":           {auth.Config{JWKSURL: "https:///jwks"}, "not a URL"},
		"not a URL":         {auth.Config{JWKSURL: "::"}, "not a URL"},
		"password in URL":   {auth.Config{JWKSURL: "https://u:hunter2@id.example/jwks"}, "password"},
		"several at once":   {auth.Config{Secret: ok[:5], Leeway: time.Hour}, "leeway"},
		"several at once 2": {auth.Config{Secret: ok[:5], Leeway: time.Hour}, "openssl"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewVerifier(t.Context(), tt.cfg, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want something about %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), secret[:5]) {
				t.Fatalf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestConfigHidesTheSecret(t *testing.T) {
	t.Parallel()
	var buf logBuffer
	cfg := auth.Config{Secret: []byte(secret), JWKSURL: "https://id.example/?key=hunter2"}
	buf.logger().Info("x", "cfg", cfg)
	text := fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg) + buf.String()
	if strings.Contains(text, secret) || strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%d", []byte(secret))) {
		t.Fatalf("the secret shows: %s", text)
	}
}

func TestWeakSecretForDevelopment(t *testing.T) {
	t.Parallel()
	weak := []byte("short")
	v, err := auth.NewVerifier(t.Context(), auth.Config{Secret: weak, WeakSecret: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := auth.Mint(weak, auth.Claims{User: "ann", TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if g, err := v.Verify(t.Context(), token); err != nil || g.User != "ann" {
		t.Errorf("got %v, %v", g, err)
	}
}
