package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tidings/shared/auth"
)

// request makes a request from another machine; change is applied to it.
func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.1:1234"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func token(user string) string {
	return must(auth.Mint([]byte(secret), auth.Claims{User: user, TTL: time.Hour}, time.Now()))
}

func expiredToken() string {
	return must(auth.Mint([]byte(secret), auth.Claims{User: "old", TTL: time.Hour}, time.Now().Add(-2*time.Hour)))
}

const (
	cookie = "Cookie"
	bearer = "Authorization"
	name   = auth.CookieName + "="
	here   = "http://edge.example/v1/events"
)

func TestAuthenticateSources(t *testing.T) {
	t.Parallel()
	tickets := auth.NewTickets(auth.NewMemoryTickets(0), 0)
	ticket := func() string {
		s, _, err := tickets.Issue(t.Context(), &auth.Grant{User: "tim", Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	full := auth.Authenticator{Verifier: secretVerifier(t), Tickets: tickets, Local: &auth.Grant{User: "dev", Admin: true}}
	bare := auth.Authenticator{Verifier: full.Verifier}
	bob, ann := "Bearer "+token("bob"), name+token("ann")
	spent := ticket()
	if _, err := tickets.Redeem(t.Context(), spent); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		a    auth.Authenticator
		r    *http.Request
		want string // A user or a code.
	}{
		{"nothing", full, request("GET", here), auth.CodeTokenMissing},
		{"other cookie", full, request("GET", here, cookie, "a=b; x"+ann), auth.CodeTokenMissing},
		{"bearer", full, request("GET", here, bearer, bob), "bob"},
		{"bearer by POST from anywhere", full, request("POST", here, bearer, bob, "Origin", "https://evil.example"), "bob"},
		{"bearer in lower case", full, request("GET", here, bearer, "bearer  "+bob[7:]+" "), "bob"},
		{"bearer first", full, request("GET", here+"?ticket="+ticket(), bearer, bob, cookie, ann), "bob"},
		{"bad bearer, good ticket and cookie", full, request("GET", here+"?ticket="+ticket(), bearer, "Bearer x", cookie, ann), auth.CodeTokenMalformed},
		{"expired bearer, good cookie", full, request("GET", here, bearer, "Bearer "+expiredToken(), cookie, ann), auth.CodeTokenExpired},
		{"empty header", full, request("GET", here, bearer, ""), auth.CodeTokenMalformed},
		{"empty bearer", full, request("GET", here, bearer, "Bearer ", cookie, ann), auth.CodeTokenMalformed},
		{"basic", full, request("GET", here, bearer, "Basic dTpw", cookie, ann), auth.CodeTokenMalformed},
		{"token without scheme", full, request("GET", here, bearer, bob[7:]), auth.CodeTokenMalformed},
		{"two headers", full, request("GET", here, bearer, bob, bearer, bob), auth.CodeTokenMalformed},
		{"long header", full, request("GET", here, bearer, "Bearer "+strings.Repeat("x", 1<<20)), auth.CodeTokenMalformed},
		{"long spaces", full, request("GET", here, bearer, "Bearer"+strings.Repeat(" ", 1<<20)), auth.CodeTokenMalformed},

		{"ticket", full, request("GET", here+"?ticket="+ticket()), "tim"},
		{"ticket from another origin", full, request("GET", here+"?ticket="+ticket(), "Origin", "https://evil.example"), "tim"},
		{"ticket before cookie", full, request("GET", here+"?ticket="+ticket(), cookie, ann), "tim"},
		{"spent ticket, good cookie", full, request("GET", here+"?ticket="+spent, cookie, ann), auth.CodeTicketInvalid},
		{"empty ticket, good cookie", full, request("GET", here+"?ticket=", cookie, ann), auth.CodeTicketInvalid},
		{"bare ticket, good cookie", full, request("GET", here+"?ticket", cookie, ann), auth.CodeTicketInvalid},
		{"broken ticket, good cookie", full, request("GET", here+"?ticket=%zz", cookie, ann), auth.CodeTicketInvalid},
		{"two tickets", full, request("GET", here+"?ticket="+ticket()+"&ticket="+ticket()), auth.CodeTicketInvalid},
		{"tickets not taken", bare, request("GET", here+"?ticket="+ticket(), cookie, ann), "ann"},
		{"only a ticket, not taken", bare, request("GET", here+"?ticket="+ticket()), auth.CodeTokenMissing},
		{"a token is no ticket", full, request("GET", here+"?ticket="+token("eve")), auth.CodeTicketInvalid},
		{"no token in the query", full, request("GET", here+"?token="+token("eve")+"&access_token="+token("eve")), auth.CodeTokenMissing},

		{"cookie", full, request("GET", here, cookie, "a=b; "+ann+"; c=d"), "ann"},
		{"quoted cookie", full, request("GET", here, cookie, name+`"`+token("ann")+`"`), "ann"},
		{"cookie in a second header", full, request("GET", here, cookie, "a=b", cookie, ann), "ann"},
		{"the same cookie twice", full, request("GET", here, cookie, ann+"; "+ann), "ann"},
		{"two different cookies", full, request("GET", here, cookie, ann+"; "+name+token("eve")), auth.CodeTokenMalformed},
		{"empty cookie", full, request("GET", here, cookie, name), auth.CodeTokenMalformed},
		{"cookie with junk", full, request("GET", here, cookie, name+"a\x01,b"), auth.CodeTokenMalformed},
		{"expired cookie", full, request("GET", here, cookie, name+expiredToken()), auth.CodeTokenExpired},
		{"two cookies from elsewhere", full, request("GET", here, cookie, ann+"; "+name+"x", "Origin", "https://evil.example"), auth.CodeOriginRefused},

		{"no verifier", auth.Authenticator{}, request("GET", here, bearer, bob), auth.CodeTokenInvalid},
		{"nothing at all", auth.Authenticator{}, request("GET", here), auth.CodeTokenMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantOutcome(t, &tt.a, tt.r, tt.want)
		})
	}
}

// wantOutcome checks for a user, or, if want is one, a code.
func wantOutcome(t *testing.T, a *auth.Authenticator, r *http.Request, want string) {
	t.Helper()
	g, err := a.Authenticate(r)
	if err == nil {
		if g.User != want {
			t.Fatalf("granted %v, want %s", g, want)
		}
		return
	}
	if g != nil {
		t.Fatalf("both a grant and %v", err)
	}
	e := wantCode(t, err, want, strings.TrimPrefix(r.Header.Get(bearer), "Bearer "))
	if c := strings.TrimPrefix(r.Header.Get(cookie), name); len(c) > 3 && strings.Contains(e.Error(), c) {
		t.Fatalf("the error shows the cookie: %v", err)
	}
}

func TestAuthenticateCookieOrigin(t *testing.T) {
	t.Parallel()
	v := secretVerifier(t)
	ann := name + token("ann")
	const no = auth.CodeOriginRefused
	tests := []struct {
		header   []string // Beside the cookie.
		get, set string   // Outcomes of GET and HEAD, and of POST, PUT, DELETE and so on.
	}{
		{nil, "ann", no},
		{[]string{"Origin", "http://edge.example"}, "ann", "ann"},
		{[]string{"Origin", "https://edge.example"}, "ann", "ann"}, // A proxy may have ended TLS.
		{[]string{"Origin", "http://EDGE.example:80"}, "ann", "ann"},
		{[]string{"Origin", "https://edge.example:443"}, "ann", "ann"},
		{[]string{"Origin", "http://edge.example:8080"}, no, no},
		{[]string{"Origin", "https://app.example"}, "ann", "ann"},
		{[]string{"Origin", "https://APP.example:443"}, "ann", "ann"},
		{[]string{"Origin", "http://app.example"}, no, no},
		{[]string{"Origin", "https://app.example:8443"}, no, no},
		{[]string{"Origin", "http://dev.example:3000"}, "ann", "ann"},
		{[]string{"Origin", "https://evil.example"}, no, no},
		{[]string{"Origin", "https://edge.example.evil.example"}, no, no},
		{[]string{"Origin", "https://evil-edge.example"}, no, no},
		{[]string{"Origin", "https://edge.example@evil.example"}, no, no},
		{[]string{"Origin", "https://sub.app.example"}, no, no},
		{[]string{"Origin", "https://app.example/"}, no, no},
		{[]string{"Origin", "https://app.example/x"}, no, no},
		{[]string{"Origin", "https://app.example?"}, no, no},
		{[]string{"Origin", "null"}, no, no},
		{[]string{"Origin", ""}, no, no},
		{[]string{"Origin", "*"}, no, no},
		{[]string{"Origin", "edge.example"}, no, no},
		{[]string{"Origin", "ftp://edge.example"}, no, no},
		{[]string{"Origin", "https://" + strings.Repeat("a", 1000)}, no, no},
		{[]string{"Origin", "https://app.example", "Origin", "https://app.example"}, no, no},
		{[]string{"Sec-Fetch-Site", "same-origin"}, "ann", no},
		{[]string{"Sec-Fetch-Site", "none"}, "ann", no},
		{[]string{"Sec-Fetch-Site", "same-site"}, no, no},
		{[]string{"Sec-Fetch-Site", "cross-site"}, no, no},
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, "ann", "ann"},
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example"}, no, no},
		{[]string{"Referer", "http://edge.example/"}, "ann", no},
	}
	a := &auth.Authenticator{Verifier: v, Origins: []string{"*", "junk", "https://app.example/", "http://Dev.example:3000"}}
	for _, tt := range tests {
		header := append([]string{cookie, ann}, tt.header...)
		for method, want := range map[string]string{
			"GET": tt.get, "HEAD": tt.get,
			"POST": tt.set, "PUT": tt.set, "PATCH": tt.set, "DELETE": tt.set, "OPTIONS": tt.set, "get": tt.set,
		} {
			r := request("GET", here, header...)
			r.Method = method
			t.Run(method+" "+strings.Join(tt.header, " ")[:min(60, len(strings.Join(tt.header, " ")))], func(t *testing.T) {
				t.Parallel()
				wantOutcome(t, a, r, want)
			})
		}
	}
	t.Run("with TLS here", func(t *testing.T) {
		t.Parallel()
		r := request("POST", here, cookie, ann, "Origin", "http://edge.example")
		r.TLS = &tls.ConnectionState{}
		wantOutcome(t, a, r, no)
		r = request("POST", here, cookie, ann, "Origin", "https://edge.example")
		r.TLS = &tls.ConnectionState{}
		wantOutcome(t, a, r, "ann")
	})
	t.Run("IPv6 host with port", func(t *testing.T) {
		t.Parallel()
		wantOutcome(t, a, request("POST", "http://[::1]:8080/", cookie, ann, "Origin", "http://[::1]:8080"), "ann")
		wantOutcome(t, a, request("POST", "http://[::1]:8080/", cookie, ann, "Origin", "http://[::1]:8081"), no)
	})
	t.Run("bad cookie from elsewhere", func(t *testing.T) {
		t.Parallel()
		wantOutcome(t, a, request("POST", here, cookie, name+"x"), no)
	})
}

func TestAuthenticateLocal(t *testing.T) {
	t.Parallel()
	dev := &auth.Grant{User: "dev", Admin: true}
	a := &auth.Authenticator{Verifier: secretVerifier(t), Local: dev}
	const no = auth.CodeTokenMissing
	tests := []struct {
		name, peer, host string
		header           []string
		want             string
	}{
		{"IPv4", "127.0.0.1:9", "127.0.0.1:8080", nil, "dev"},
		{"IPv4 other loopback", "127.0.0.2:9", "127.1.2.3", nil, "dev"},
		{"IPv6", "[::1]:9", "[::1]:8080", nil, "dev"},
		{"IPv6 without port", "[::1]:9", "[::1]", nil, "dev"},
		{"mapped", "[::ffff:127.0.0.1]:9", "localhost:8080", nil, "dev"},
		{"localhost", "127.0.0.1:9", "LocalHost", nil, "dev"},
		{"harmless headers", "127.0.0.1:9", "localhost", []string{"Accept", "*/*", "User-Agent", "curl", "Cookie", "a=b"}, "dev"},
		{"remote peer", "192.0.2.1:9", "localhost", nil, no},
		{"private peer", "10.0.0.1:9", "localhost", nil, no},
		{"unspecified peer", "0.0.0.0:9", "localhost", nil, no},
		{"unix socket", "@", "localhost", nil, no},
		{"no peer", "", "localhost", nil, no},
		{"name of the machine", "127.0.0.1:9", "box.example:8080", nil, no},
		{"rebound name", "127.0.0.1:9", "evil.example", nil, no},
		{"lookalike", "127.0.0.1:9", "localhost.evil.example", nil, no},
		{"lookalike address", "127.0.0.1:9", "127.0.0.1.evil.example", nil, no},
		{"unspecified host", "127.0.0.1:9", "0.0.0.0:8080", nil, no},
		{"no host", "127.0.0.1:9", "", nil, no},
		{"broken host", "127.0.0.1:9", "localhost:x", nil, no},
		{"Origin", "127.0.0.1:9", "localhost", []string{"Origin", "http://localhost"}, no},
		{"Origin null", "127.0.0.1:9", "localhost", []string{"Origin", "null"}, no},
		{"Origin empty", "127.0.0.1:9", "localhost", []string{"Origin", ""}, no},
		{"Sec-Fetch-Site", "127.0.0.1:9", "localhost", []string{"Sec-Fetch-Site", "same-origin"}, no},
		{"Sec-Fetch-Site none", "127.0.0.1:9", "localhost", []string{"Sec-Fetch-Site", "none"}, no},
		{"Sec-Fetch-Mode", "127.0.0.1:9", "localhost", []string{"Sec-Fetch-Mode", "navigate"}, no},
		{"Sec-Fetch-Dest", "127.0.0.1:9", "localhost", []string{"Sec-Fetch-Dest", "document"}, no},
		{"Sec-Fetch-User", "127.0.0.1:9", "localhost", []string{"Sec-Fetch-User", "?1"}, no},
		{"Forwarded", "127.0.0.1:9", "localhost", []string{"Forwarded", "for=192.0.2.1"}, no},
		{"X-Forwarded-For", "127.0.0.1:9", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, no},
		{"X-Forwarded-Host", "127.0.0.1:9", "localhost", []string{"X-Forwarded-Host", "x"}, no},
		{"X-Forwarded-Proto", "127.0.0.1:9", "localhost", []string{"X-Forwarded-Proto", "https"}, no},
		{"X-Forwarded-Port", "127.0.0.1:9", "localhost", []string{"X-Forwarded-Port", "443"}, no},
		{"X-Real-Ip", "127.0.0.1:9", "localhost", []string{"X-Real-Ip", "192.0.2.1"}, no},
		{"Via", "127.0.0.1:9", "localhost", []string{"Via", "1.1 proxy"}, no},
		{"Referer", "127.0.0.1:9", "localhost", []string{"Referer", "http://evil.example/"}, no},
		{"bad bearer", "127.0.0.1:9", "localhost", []string{bearer, "Bearer x"}, auth.CodeTokenMalformed},
		{"bad cookie", "127.0.0.1:9", "localhost", []string{cookie, name + "x"}, auth.CodeTokenMalformed},
		{"empty cookie", "127.0.0.1:9", "localhost", []string{cookie, name}, auth.CodeTokenMalformed},
		{"expired cookie", "127.0.0.1:9", "localhost", []string{cookie, name + expiredToken()}, auth.CodeTokenExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request("POST", "http://x/", tt.header...)
			if tt.want != "dev" && tt.want != no {
				r.Method = "GET"
			}
			r.RemoteAddr, r.Host = tt.peer, tt.host
			wantOutcome(t, a, r, tt.want)
		})
	}
	r := request("GET", "http://localhost/")
	r.RemoteAddr = "127.0.0.1:9"
	r.Header["x-forwarded-for"] = []string{"not canonical"}
	wantOutcome(t, a, r, no)
	delete(r.Header, "x-forwarded-for")
	g, err := a.Authenticate(r)
	if err != nil || g == dev {
		t.Fatalf("the configured grant itself was handed out, or %v", err)
	}
	wantOutcome(t, &auth.Authenticator{}, r, no)
	wantOutcome(t, &auth.Authenticator{Local: &auth.Grant{User: "dev", Expires: time.Now()}}, r, no)
}

func TestAuthenticateRealServer(t *testing.T) {
	t.Parallel()
	a := &auth.Authenticator{Verifier: secretVerifier(t), Local: &auth.Grant{User: "dev"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, err := a.Authenticate(r); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		} else {
			w.Header().Set("X-User", g.User)
		}
	}))
	defer s.Close()
	for _, tt := range []struct{ header, value, want string }{
		{"Accept", "*/*", "dev"},
		{"Origin", s.URL, ""},
		{bearer, "Bearer " + token("bob"), "bob"},
		{cookie, name + token("ann"), "ann"},
	} {
		u := must(url.Parse(s.URL))
		r := (&http.Request{Method: "GET", URL: u, Header: http.Header{tt.header: {tt.value}}}).WithContext(t.Context())
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-User"); got != tt.want {
			t.Errorf("%s: user is %q, want %q", tt.header, got, tt.want)
		}
	}
}
