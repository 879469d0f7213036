package auth_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/shared/auth"
	"tidings/shared/subject"
)

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

// payload writes claims with a tidings member given as JSON.
func payload(tidings string) []byte {
	return fmt.Appendf(nil, `{"sub":"ann","exp":%d,"tidings":%s}`, in(time.Hour), tidings)
}

func TestGrantOfToken(t *testing.T) {
	t.Parallel()
	v := secretVerifier(t)
	g := wantUser(t, v, hs(fmt.Appendf(nil, `{"sub":"ann@example.com","exp":%d,"jti":"t-1","tidings":
		{"sub":["room.ops","room.orders.>"],"pub":["room.chat.*"],"notify":true,"admin":false,"later":{"x":[1]}}}`, in(time.Hour))), "ann@example.com")
	if !slices.Equal(g.Sub, []subject.Pattern{"room.ops", "room.orders.>"}) || !slices.Equal(g.Pub, []subject.Pattern{"room.chat.*"}) {
		t.Errorf("patterns are %v and %v", g.Sub, g.Pub)
	}
	if !g.Notify || g.Admin || g.TokenID != "t-1" {
		t.Errorf("grant is %v", g)
	}
	if g = wantUser(t, v, hs(claimsOf("ann")), "ann"); g.Sub != nil || g.Pub != nil || g.Notify || g.Admin {
		t.Errorf("a token without the claim grants %v", g)
	}
	if g = wantUser(t, v, hs(payload(`{"admin":true}`)), "ann"); !g.Admin {
		t.Error("admin was lost")
	}
	// Names are matched exactly: another case is another, unknown, member.
	if g = wantUser(t, v, hs(payload(`{"Admin":true,"SUB":["room.x"]}`)), "ann"); g.Admin || g.Sub != nil {
		t.Errorf("members in another case grant %v", g)
	}
	wantRefusal(t, v, hs(fmt.Appendf(nil, `{"SUB":"ann","exp":%d}`, in(time.Hour))), auth.CodeTokenInvalid)
}

func TestVerifyClaims(t *testing.T) {
	t.Parallel()
	v := secretVerifier(t)
	list := func(n int) string { return `["room.x` + strings.Repeat(`","room.x`, n-1) + `"]` }
	tests := map[string]any{
		"no sub":                map[string]any{"exp": in(time.Hour)},
		"empty sub":             claimsOf(""),
		"sub a number":          with(claimsOf(""), "sub", 5),
		"sub null":              with(claimsOf(""), "sub", nil),
		"sub too long":          claimsOf(strings.Repeat("a", 201)),
		"sub too long escaped":  claimsOf(strings.Repeat("@", 100)),
		"sub with newline":      claimsOf("ann\n"),
		"sub with DEL":          claimsOf("ann\x7f"),
		"sub with C1":           claimsOf("ann\u0085"),
		"sub a lone surrogate":  fmt.Appendf(nil, `{"sub":"\ud800","exp":%d}`, in(time.Hour)),
		"exp a string":          with(claimsOf("ann"), "exp", "99999999999"),
		"exp null":              with(claimsOf("ann"), "exp", nil),
		"exp negative":          with(claimsOf("ann"), "exp", -1),
		"exp beyond all time":   with(claimsOf("ann"), "exp", 1e300),
		"nbf a string":          with(claimsOf("ann"), "nbf", "0"),
		"nbf beyond all time":   with(claimsOf("ann"), "nbf", 1e300),
		"iat a bool":            with(claimsOf("ann"), "iat", true),
		"jti a number":          with(claimsOf("ann"), "jti", 1),
		"jti too long":          with(claimsOf("ann"), "jti", strings.Repeat("j", 201)),
		"tidings null":          payload(`null`),
		"tidings a list":        payload(`["room.x"]`),
		"tidings twice a name":  payload(`{"sub":["room.x"],"sub":["room.y"]}`),
		"patterns a string":     payload(`{"sub":"room.x"}`),
		"patterns null":         payload(`{"pub":null}`),
		"pattern a number":      payload(`{"pub":[1]}`),
		"pattern null":          payload(`{"pub":[null]}`),
		"pattern empty":         payload(`{"sub":[""]}`),
		"pattern of wrong root": payload(`{"sub":["room.x","rooms.y"]}`),
		"pattern with > inside": payload(`{"sub":["room.>.x"]}`),
		"pattern unescaped":     payload(`{"pub":["room.a b"]}`),
		"pattern misescaped":    payload(`{"pub":["room.a=2d"]}`),
		"too many patterns":     payload(`{"sub":` + list(101) + `}`),
		"notify a string":       payload(`{"notify":"yes"}`),
		"admin a number":        payload(`{"admin":1}`),
		"admin null":            payload(`{"admin":null}`),
	}
	for name, p := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, v, hs(p), auth.CodeTokenInvalid)
		})
	}
	wantUser(t, v, hs(payload(`{"sub":`+list(100)+`,"pub":`+list(100)+`}`)), "ann")
	wantUser(t, v, hs(claimsOf(strings.Repeat("a", 200))), strings.Repeat("a", 200))
	wantUser(t, v, hs(claimsOf("Žofie 🙂")), "Žofie 🙂")
	if e := wantRefusal(t, v, hs(payload(`{"pub":["room.x","rooms.y"]}`)), auth.CodeTokenInvalid); !strings.Contains(e.Reason, "tidings.pub[1]") || !strings.Contains(e.Reason, "rooms.y") {
		t.Errorf("the reason does not name the pattern: %s", e.Reason)
	}
	if g := wantUser(t, v, hs(with(claimsOf("ann"), "exp", float64(in(time.Hour))+0.5)), "ann"); g.Expires.Nanosecond() == 0 {
		t.Error("the fraction of exp was lost")
	}
}

func TestGrantMay(t *testing.T) {
	t.Parallel()
	g := &auth.Grant{
		User: "ann@example.com",
		Sub:  []subject.Pattern{"room.ops", "room.orders.>", "room.*.log"},
		Pub:  []subject.Pattern{"room.chat.*"},
	}
	admin := &auth.Grant{User: "root", Admin: true}
	var none *auth.Grant
	tests := []struct {
		g    *auth.Grant
		p    subject.Pattern
		want bool
	}{
		{g, "all", true},
		{g, "user.ann=40example=2Ecom", true},
		{g, "user.bob", false},
		{g, "user.*", false},
		{g, "*", false},
		{g, ">", false},
		{g, "room.ops", true},
		{g, "room.ops.x", false},
		{g, "room.orders.1.2", true},
		{g, "room.orders.>", true},
		{g, "room.orders", false},
		{g, "room.>", false},
		{g, "room.*.log", true},
		{g, "room.a.log", true},
		{g, "room.chat.x", false},
		{admin, ">", true},
		{admin, "user.ann", true},
		{none, "all", false},
		{&auth.Grant{}, "all", true},
		{&auth.Grant{}, "user.", false},
	}
	for _, tt := range tests {
		if got := tt.g.MaySubscribe(tt.p); got != tt.want {
			t.Errorf("%v may subscribe to %s: %t", tt.g, tt.p, got)
		}
	}
	for topic, want := range map[subject.Topic]bool{
		"room.chat.x": true, "room.chat.x.y": false, "room.ops": false, "all": false, "user.ann=40example=2Ecom": false,
	} {
		if got := g.MayPublish(topic); got != want {
			t.Errorf("may publish to %s: %t", topic, got)
		}
		if !admin.MayPublish(topic) || none.MayPublish(topic) {
			t.Errorf("admin or nil is wrong about %s", topic)
		}
	}
}

func TestGrantExpired(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var none *auth.Grant
	for _, tt := range []struct {
		g    *auth.Grant
		want bool
	}{
		{&auth.Grant{}, false},
		{&auth.Grant{Expires: now.Add(1)}, false},
		{&auth.Grant{Expires: now}, true},
		{none, true},
	} {
		if got := tt.g.Expired(now); got != tt.want {
			t.Errorf("%v expired: %t", tt.g, got)
		}
	}
}

func TestGrantInLogs(t *testing.T) {
	t.Parallel()
	var buf logBuffer
	var none *auth.Grant
	g := &auth.Grant{User: "a\nb", Sub: []subject.Pattern{"room.x"}, TokenID: "id-1", Expires: time.Unix(0, 0)}
	buf.logger().Info("x", "grant", g, "none", none)
	for _, text := range []string{g.String(), buf.String()} {
		if strings.Contains(strings.TrimSpace(text), "\n") || !strings.Contains(text, `a\nb`) || !strings.Contains(text, "id-1") {
			t.Errorf("log text is %q", text)
		}
	}
	if none.String() != "grant(none)" || !strings.Contains(buf.String(), "none=none") {
		t.Errorf("nil grant: %s %s", none, buf.String())
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	c := auth.Claims{
		User: "ann", Sub: []string{"room.>"}, Pub: []string{"room.chat.*"}, Notify: true, Admin: true,
		TTL: time.Hour, ID: "t-1", Audience: "tidings", Issuer: "me",
	}
	now := time.Now()
	token, err := auth.Mint([]byte(secret), c, now)
	if err != nil {
		t.Fatal(err)
	}
	g := wantUser(t, verifier(t, auth.Config{Secret: []byte(secret), Audience: "tidings", Issuer: "me"}), token, "ann")
	if g.Expires.Unix() != now.Add(time.Hour).Unix() || g.TokenID != "t-1" || !g.Notify || !g.Admin ||
		!slices.Equal(g.Sub, []subject.Pattern{"room.>"}) || !slices.Equal(g.Pub, []subject.Pattern{"room.chat.*"}) {
		t.Errorf("grant is %v", g)
	}

	many := slices.Repeat([]string{"room." + strings.Repeat("x", 200)}, 100)
	for name, change := range map[string]func(*auth.Claims){
		"no user":       func(c *auth.Claims) { c.User = "" },
		"bad user":      func(c *auth.Claims) { c.User = "a\x00" },
		"user not text": func(c *auth.Claims) { c.User = "\xff" },
		"no TTL":        func(c *auth.Claims) { c.TTL = 0 },
		"negative TTL":  func(c *auth.Claims) { c.TTL = -time.Hour },
		"bad sub":       func(c *auth.Claims) { c.Sub = []string{"x"} },
		"bad pub":       func(c *auth.Claims) { c.Pub = []string{"room.>.x"} },
		"too large":     func(c *auth.Claims) { c.Sub, c.Pub = many, many },
		"bad id":        func(c *auth.Claims) { c.ID = "\n" },
		"bad issuer":    func(c *auth.Claims) { c.Issuer = "\xff" },
	} {
		bad := c
		change(&bad)
		if token, err := auth.Mint([]byte(secret), bad, now); err == nil || token != "" {
			t.Errorf("%s: minted, error %v", name, err)
		}
	}
	if _, err := auth.Mint(nil, c, now); err == nil {
		t.Error("an empty secret signs")
	}
}

func TestGenerateSecret(t *testing.T) {
	t.Parallel()
	a, b := auth.GenerateSecret(), auth.GenerateSecret()
	if len(a) != 64 || a == b {
		t.Fatalf("secrets of %d bytes, equal: %t", len(a), a == b)
	}
	token := must(auth.Mint([]byte(a), auth.Claims{User: "ann", TTL: time.Minute}, time.Now()))
	wantUser(t, verifier(t, auth.Config{Secret: []byte(a)}), token, "ann")
	wantRefusal(t, verifier(t, auth.Config{Secret: []byte(b)}), token, auth.CodeTokenInvalid)
}
