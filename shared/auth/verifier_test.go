package auth_test

import (
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tidings/shared/auth"
)

func TestVerifyAlgorithms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    auth.Config
		method jwt.SigningMethod
		key    any
	}{
		{"HS256 secret", auth.Config{Secret: []byte(secret)}, jwt.SigningMethodHS256, []byte(secret)},
		{"RS256 PEM", auth.Config{KeysFile: file(t, publicPEM(rsaKey().Public()))}, jwt.SigningMethodRS256, rsaKey()},
		{"RS256 PKCS1", auth.Config{KeysFile: file(t, block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)))}, jwt.SigningMethodRS256, rsaKey()},
		{"ES256 PEM", auth.Config{KeysFile: file(t, publicPEM(ecKey().Public()))}, jwt.SigningMethodES256, ecKey()},
		{"EdDSA PEM", auth.Config{KeysFile: file(t, publicPEM(edKey().Public()))}, jwt.SigningMethodEdDSA, edKey()},
		{"RS256 certificate", auth.Config{KeysFile: file(t, certificate(rsaKey()))}, jwt.SigningMethodRS256, rsaKey()},
		{"RS256 JWKS", auth.Config{KeysFile: file(t, string(jwks(jwk(rsaKey().Public(), "a", "RS256"))))}, jwt.SigningMethodRS256, rsaKey()},
		{"ES256 JWKS without alg", auth.Config{KeysFile: file(t, string(jwks(jwk(ecKey().Public(), "a", ""))))}, jwt.SigningMethodES256, ecKey()},
		{"EdDSA JWKS", auth.Config{KeysFile: file(t, string(jwks(jwk(edKey().Public(), "", "EdDSA"))))}, jwt.SigningMethodEdDSA, edKey()},
		{"HS256 JWKS file", auth.Config{KeysFile: file(t, string(jwks(jwk([]byte(secret), "s", ""))))}, jwt.SigningMethodHS256, []byte(secret)},
		{"single JWK", auth.Config{KeysFile: file(t, string(jwk(ecKey().Public(), "a", "")))}, jwt.SigningMethodES256, ecKey()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, tt.cfg)
			token := sign(tt.method, tt.key, nil, claimsOf("ann"))
			wantUser(t, v, token, "ann")
			dot := strings.LastIndexByte(token, '.')
			wantRefusal(t, v, token[:dot+1], auth.CodeTokenInvalid)
			flipped := must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
			flipped[len(flipped)/2] ^= 1
			wantRefusal(t, v, token[:dot+1]+rawURL(flipped), auth.CodeTokenInvalid)
			// A good signature of other claims.
			parts := strings.Split(sign(tt.method, tt.key, nil, claimsOf("eve")), ".")
			wantRefusal(t, v, parts[0]+"."+parts[1]+token[dot:], auth.CodeTokenInvalid)
		})
	}
}

func TestVerifyAlgorithmIsPinned(t *testing.T) {
	t.Parallel()
	rsaPEM := publicPEM(rsaKey().Public())
	all := verifier(t, auth.Config{
		Secret:   []byte(secret),
		KeysFile: file(t, rsaPEM+publicPEM(ecKey().Public())+publicPEM(edKey().Public())),
	})
	none := rawURL([]byte(`{"alg":"none"}`)) + "." + rawURL(must(jsonOf(claimsOf("eve")))) + "."
	tests := map[string]string{
		"RSA PEM as secret":       sign(jwt.SigningMethodHS256, []byte(rsaPEM), nil, claimsOf("eve")),
		"RSA DER as secret":       sign(jwt.SigningMethodHS256, marshalPublic(rsaKey().Public()), nil, claimsOf("eve")),
		"Ed25519 key as secret":   sign(jwt.SigningMethodHS256, []byte(edKey()[32:]), nil, claimsOf("eve")),
		"none":                    none,
		"None":                    strings.Replace(none, rawURL([]byte(`{"alg":"none"}`)), rawURL([]byte(`{"alg":"None"}`)), 1),
		"no alg":                  strings.Replace(none, rawURL([]byte(`{"alg":"none"}`)), rawURL([]byte(`{}`)), 1),
		"none, properly unsigned": sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, claimsOf("eve")),
		"HS384":                   sign(jwt.SigningMethodHS384, []byte(secret), nil, claimsOf("eve")),
		"HS512":                   sign(jwt.SigningMethodHS512, []byte(secret), nil, claimsOf("eve")),
		"RS512":                   sign(jwt.SigningMethodRS512, rsaKey(), nil, claimsOf("eve")),
		"PS256":                   sign(jwt.SigningMethodPS256, rsaKey(), nil, claimsOf("eve")),
		"another RSA key":         sign(jwt.SigningMethodRS256, otherRSA(), nil, claimsOf("eve")),
		"another Ed25519 key":     sign(jwt.SigningMethodEdDSA, must(newEd()), nil, claimsOf("eve")),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, all, token, auth.CodeTokenInvalid)
		})
	}
	t.Run("key type decides where alg is missing", func(t *testing.T) {
		t.Parallel()
		v := verifier(t, auth.Config{KeysFile: file(t, string(jwks(jwk(rsaKey().Public(), "a", ""))))})
		wantRefusal(t, v, sign(jwt.SigningMethodHS256, []byte(rsaPEM), map[string]any{"kid": "a"}, claimsOf("eve")), auth.CodeTokenInvalid)
		wantRefusal(t, v, sign(jwt.SigningMethodES256, ecKey(), map[string]any{"kid": "a"}, claimsOf("eve")), auth.CodeTokenInvalid)
	})
}

func TestVerifyKeyIDs(t *testing.T) {
	t.Parallel()
	a, b := rsaKey(), otherRSA()
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	named := verifier(t, auth.Config{KeysFile: file(t, string(jwks(jwk(a.Public(), "a", ""), jwk(b.Public(), "b", ""))))})
	nameless := verifier(t, auth.Config{KeysFile: file(t, publicPEM(a.Public())+"between keys\n"+publicPEM(b.Public()))})

	wantUser(t, named, sign(jwt.SigningMethodRS256, a, kid("a"), claimsOf("ann")), "ann")
	wantUser(t, named, sign(jwt.SigningMethodRS256, b, kid("b"), claimsOf("ann")), "ann")
	wantUser(t, named, sign(jwt.SigningMethodRS256, a, nil, claimsOf("ann")), "ann")
	wantUser(t, named, sign(jwt.SigningMethodRS256, b, nil, claimsOf("ann")), "ann")
	wantRefusal(t, named, sign(jwt.SigningMethodRS256, a, kid("b"), claimsOf("ann")), auth.CodeTokenInvalid)
	wantRefusal(t, named, sign(jwt.SigningMethodRS256, a, kid("c"), claimsOf("ann")), auth.CodeTokenInvalid)
	wantRefusal(t, named, sign(jwt.SigningMethodRS256, a, kid(7), claimsOf("ann")), auth.CodeTokenMalformed)
	wantRefusal(t, named, sign(jwt.SigningMethodRS256, a, kid(strings.Repeat("k", 257)), claimsOf("ann")), auth.CodeTokenMalformed)

	wantUser(t, nameless, sign(jwt.SigningMethodRS256, a, nil, claimsOf("ann")), "ann")
	wantUser(t, nameless, sign(jwt.SigningMethodRS256, b, nil, claimsOf("ann")), "ann")
	wantUser(t, nameless, sign(jwt.SigningMethodRS256, b, kid("issuer's name"), claimsOf("ann")), "ann")
}

func TestVerifyShape(t *testing.T) {
	t.Parallel()
	v := secretVerifier(t)
	good := hs(claimsOf("ann"))
	parts := strings.Split(good, ".")
	signed := func(payload string) string { return hs([]byte(payload)) }
	tests := map[string]string{
		"empty":              "",
		"word":               "hello",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + "." + parts[2],
		"line break":         parts[0] + "\n." + parts[1] + "." + parts[2],
		"padding":            good + "=",
		"space":              " " + good,
		"oversize":           hs(with(claimsOf("ann"), "x", strings.Repeat("x", auth.MaxTokenBytes))),
		"header not JSON":    rawURL([]byte("{")) + "." + parts[1] + "." + parts[2],
		"header a list":      rawURL([]byte("[]")) + "." + parts[1] + "." + parts[2],
		"critical extension": sign(jwt.SigningMethodHS256, []byte(secret), map[string]any{"crit": []string{"b64"}, "b64": true}, claimsOf("ann")),
		"payload a list":     signed("[]"),
		"payload a string":   signed(`"ann"`),
		"payload broken":     signed(`{"sub":"ann"`),
		"payload not UTF-8":  signed("{\"sub\":\"\xff\",\"exp\":99999999999}"),
		"sub twice":          signed(`{"sub":"ann","sub":"eve","exp":99999999999}`),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, v, token, auth.CodeTokenMalformed)
		})
	}
	wantRefusal(t, v, signed("null"), auth.CodeTokenInvalid)
	// The last base64 digit of a signature has spare bits; only one spelling counts.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	other := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]
	wantRefusal(t, v, good[:len(good)-1]+string(other), auth.CodeTokenMalformed)
}

func TestVerifyTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		leeway time.Duration
		at     map[string]time.Duration // Claims, from now.
		code   string                   // "" means accepted.
	}{
		{"good", 0, map[string]time.Duration{"exp": time.Second}, ""},
		{"ended", 0, map[string]time.Duration{"exp": -30 * time.Second}, auth.CodeTokenExpired},
		{"ended within the leeway", 0, map[string]time.Duration{"exp": -29 * time.Second}, ""},
		{"ended, no leeway", -1, map[string]time.Duration{"exp": 0}, auth.CodeTokenExpired},
		{"ended, long leeway", time.Minute, map[string]time.Duration{"exp": -59 * time.Second}, ""},
		{"nbf passed", 0, map[string]time.Duration{"exp": time.Hour, "nbf": -time.Second}, ""},
		{"nbf within the leeway", 0, map[string]time.Duration{"exp": time.Hour, "nbf": 30 * time.Second}, ""},
		{"nbf in the future", 0, map[string]time.Duration{"exp": time.Hour, "nbf": 31 * time.Second}, auth.CodeTokenInvalid},
		{"iat in the future", 0, map[string]time.Duration{"exp": time.Hour, "iat": 31 * time.Second}, auth.CodeTokenInvalid},
		{"iat within the leeway", 0, map[string]time.Duration{"exp": time.Hour, "iat": 30 * time.Second}, ""},
		{"no exp", 0, nil, auth.CodeTokenInvalid},
		{"ended and not yet valid", 0, map[string]time.Duration{"exp": -time.Hour, "nbf": time.Hour}, auth.CodeTokenInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := verifier(t, auth.Config{Secret: []byte(secret), Leeway: tt.leeway})
				c := map[string]any{"sub": "ann"}
				for name, d := range tt.at {
					c[name] = in(d)
				}
				if tt.code != "" {
					wantRefusal(t, v, hs(c), tt.code)
					return
				}
				if g := wantUser(t, v, hs(c), "ann"); g.Expired(time.Now()) {
					t.Fatal("the grant was born expired")
				}
			})
		})
	}
}

func TestVerifyExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := secretVerifier(t)
		token := hs(map[string]any{"sub": "ann", "exp": in(time.Minute)})
		end := time.Unix(in(time.Minute), 0)
		if g := wantUser(t, v, token, "ann"); !g.Expires.Equal(end) {
			t.Fatalf("Expires is %s, want exp %s", g.Expires, end)
		}
		pass(time.Minute)
		g := wantUser(t, v, token, "ann")
		if want := end.Add(auth.DefaultLeeway); !g.Expires.Equal(want) {
			t.Fatalf("Expires in the leeway is %s, want %s", g.Expires, want)
		}
		pass(auth.DefaultLeeway)
		wantRefusal(t, v, token, auth.CodeTokenExpired)
		if !g.Expired(time.Now()) {
			t.Fatal("the grant outlives its token")
		}
	})
}

func TestVerifyAudienceAndIssuer(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Config{Secret: []byte(secret), Audience: "tidings", Issuer: "https://id.example"})
	claims := func(aud, iss any) map[string]any {
		c := claimsOf("ann")
		if aud != nil {
			c["aud"] = aud
		}
		if iss != nil {
			c["iss"] = iss
		}
		return c
	}
	const iss = "https://id.example"
	wantUser(t, v, hs(claims("tidings", iss)), "ann")
	wantUser(t, v, hs(claims([]string{"other", "tidings"}, iss)), "ann")
	for name, c := range map[string]map[string]any{
		"other audience":         claims("other", iss),
		"no audience":            claims(nil, iss),
		"empty audience":         claims([]string{}, iss),
		"audience of a number":   claims(5, iss),
		"audience with number":   claims([]any{"tidings", 5}, iss),
		"other issuer":           claims("tidings", "https://evil.example"),
		"no issuer":              claims("tidings", nil),
		"issuer of wrong type":   claims("tidings", []string{iss}),
		"expired as well":        with(claims("other", iss), "exp", in(-time.Hour)),
		"issuer with a slash":    claims("tidings", iss+"/"),
		"audience in wrong case": claims("Tidings", iss),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, v, hs(c), auth.CodeTokenInvalid)
		})
	}
	// Without the settings neither claim matters.
	wantUser(t, secretVerifier(t), hs(claims("other", "https://evil.example")), "ann")
}
