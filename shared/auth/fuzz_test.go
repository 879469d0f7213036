package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"tidings/shared/auth"
	"tidings/shared/subject"
)

// signed checks a token's signature with the standard library alone.
func signed(token string) bool {
	dot := strings.LastIndexByte(token, '.')
	head, _, _ := strings.Cut(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	raw, err2 := base64.RawURLEncoding.DecodeString(head)
	var header struct{ Alg string }
	if errors.Join(err, err2, json.Unmarshal(raw, &header)) != nil {
		return false
	}
	text := []byte(token[:dot])
	sum := sha256.Sum256(text)
	switch header.Alg {
	case "HS256":
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(text)
		return hmac.Equal(m.Sum(nil), sig)
	case "RS256":
		return rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], sig) == nil
	case "ES256":
		return len(sig) == 64 && ecdsa.Verify(&ecKey().PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	case "EdDSA":
		return ed25519.Verify(edKey().Public().(ed25519.PublicKey), text, sig)
	}
	return false
}

// checkGrant checks what must hold for every grant made of a token.
func checkGrant(t *testing.T, g *auth.Grant) {
	t.Helper()
	if _, err := subject.ParseTopic(string(subject.User(g.User))); err != nil || !utf8.ValidString(g.User) || len(g.User) > auth.MaxUserBytes {
		t.Errorf("user is %q: %v", g.User, err)
	}
	if g.Expires.IsZero() || g.Expired(time.Now().Add(-time.Second)) {
		t.Errorf("the grant ends at %s", g.Expires)
	}
	for _, list := range [][]subject.Pattern{g.Sub, g.Pub} {
		if len(list) > auth.MaxPatterns {
			t.Errorf("%d patterns", len(list))
		}
		for _, p := range list {
			if _, err := subject.ParsePattern(string(p)); err != nil {
				t.Errorf("pattern: %v", err)
			}
		}
	}
}

// checkRefusal checks what must hold for every refusal.
func checkRefusal(t *testing.T, g *auth.Grant, err error) {
	t.Helper()
	var e *auth.Error
	if g != nil || !errors.As(err, &e) || e.Code == "" || e.Reason == "" || !utf8.ValidString(e.Reason) || len(e.Reason) > 1000 {
		t.Errorf("refusal is %v, %#v", g, err)
	}
}

// FuzzVerify: nothing panics, and nothing is granted without a good signature.
func FuzzVerify(f *testing.F) {
	v := verifier(f, auth.Config{
		Secret:   []byte(secret),
		KeysFile: file(f, publicPEM(rsaKey().Public())+publicPEM(ecKey().Public())+publicPEM(edKey().Public())),
	})
	c := claimsOf("ann")
	f.Add(hs(c))
	f.Add(hs(payload(`{"sub":["room.>"],"admin":true}`)))
	f.Add(sign(jwt.SigningMethodRS256, rsaKey(), map[string]any{"kid": "a"}, c))
	f.Add(sign(jwt.SigningMethodES256, ecKey(), nil, c))
	f.Add(sign(jwt.SigningMethodEdDSA, edKey(), nil, c))
	f.Add(sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, c))
	f.Add(sign(jwt.SigningMethodHS256, marshalPublic(rsaKey().Public()), nil, c))
	f.Add(expiredToken())
	f.Add("a.b.c")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		g, err := v.Verify(t.Context(), token)
		if err != nil {
			checkRefusal(t, g, err)
			return
		}
		if !signed(token) {
			t.Fatalf("granted %v without a good signature: %q", g, token)
		}
		checkGrant(t, g)
	})
}

// FuzzClaims: whatever an issuer signs is either refused or a sound grant.
func FuzzClaims(f *testing.F) {
	v := secretVerifier(f)
	f.Add([]byte(`{"sub":"ann","exp":99999999999,"jti":"x","nbf":1,"iat":1.5,"aud":["a"],"iss":"b"}`))
	f.Add([]byte(`{"sub":"ann","exp":99999999999,"tidings":{"sub":["room.ops","room.orders.>"],"pub":["room.chat.*"],"notify":true,"admin":true,"x":{}}}`))
	f.Add([]byte(`{"sub":"a@b","exp":1e11,"tidings":null}`))
	f.Add([]byte(`{"sub":"\ud800","exp":99999999999,"sub":"x"}`))
	f.Add([]byte(`[1]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		g, err := v.Verify(t.Context(), hs(payload))
		if err != nil {
			checkRefusal(t, g, err)
			return
		}
		checkGrant(t, g)
	})
}

// FuzzKeysFile: a key file is refused or makes a verifier that does not accept a
// token it has no key for.
func FuzzKeysFile(f *testing.F) {
	f.Add([]byte(publicPEM(ecKey().Public())))
	f.Add([]byte(certificate(rsaKey())))
	f.Add(jwks(jwk(rsaKey().Public(), "a", "RS256"), jwk(edKey().Public(), "b", ""), jwk([]byte(strings.Repeat("s", 32)), "c", "")))
	f.Add([]byte(jwk(ecKey().Public(), "a", "")))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":"AQAB"},{"kty":"EC"},{"kty":"OKP"},{"kty":"oct"},{}]}`))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n"))
	token := sign(jwt.SigningMethodRS256, otherRSA(), nil, claimsOf("eve"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := auth.NewVerifier(t.Context(), auth.Config{KeysFile: file(t, string(data))}, nil)
		if err != nil {
			return
		}
		g, err := v.Verify(t.Context(), token)
		checkRefusal(t, g, err)
	})
}

// FuzzAuthenticate: no headers let anyone in without a credential from elsewhere,
// and with the cookie only from a trusted origin.
func FuzzAuthenticate(f *testing.F) {
	v := secretVerifier(f)
	good := token("ann")
	f.Add("GET", "edge.example", "127.0.0.1:1", "Bearer x", "ticket=x", "a=b; tidings_token=@", "https://edge.example")
	f.Add("POST", "localhost", "[::1]:1", "", "", "tidings_token=@", "null")
	f.Add("POST", "edge.example:80", "x", "", "%zz;", "tidings_token=\"@\"", "http://edge.example")
	f.Fuzz(func(t *testing.T, method, host, peer, authorization, query, cookies, origin string) {
		r := request("GET", here)
		r.Method, r.Host, r.RemoteAddr, r.URL.RawQuery = method, host, peer, query
		for name, value := range map[string]string{bearer: authorization, cookie: strings.ReplaceAll(cookies, "@", good), "Origin": origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		a := &auth.Authenticator{Verifier: v, Tickets: auth.NewTickets(auth.NewMemoryTickets(0), 0), Local: &auth.Grant{User: "dev"}}
		g, err := a.Authenticate(r)
		switch {
		case err != nil:
			checkRefusal(t, g, err)
		case g.User == "dev":
			if origin != "" || authorization != "" || !strings.Contains(peer, "127.") && !strings.Contains(peer, ":") {
				t.Errorf("a local grant for peer %q, origin %q", peer, origin)
			}
		case origin != "" && !strings.EqualFold(strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://"), ":0123456789"), strings.TrimRight(host, ":0123456789")):
			t.Errorf("the cookie worked for origin %q at host %q", origin, host)
		case origin == "" && method != "GET" && method != "HEAD":
			t.Errorf("the cookie worked for %s without origin", method)
		}
	})
}
