package unsubscribe_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tidings/services/mailer/unsubscribe"
	"tidings/shared/httpx"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
)

const (
	keyA = telemetry.Secret("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	keyB = telemetry.Secret("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

// rig is a service behind its routes and what it was asked to do.
type rig struct {
	*testing.T
	service *unsubscribe.Service
	server  *httptest.Server
	acted   []unsubscribe.Choice
	fail    error
}

func (r *rig) Act(_ context.Context, c unsubscribe.Choice) error {
	r.acted = append(r.acted, c)
	return r.fail
}

// serve makes a rig whose actor is a, or the rig itself if a is nil.
func serve(t *testing.T, a unsubscribe.Actor, keys ...telemetry.Secret) *rig {
	t.Helper()
	r := &rig{T: t}
	if a == nil {
		a = r
	}
	if keys == nil {
		keys = []telemetry.Secret{keyA}
	}
	e := httpx.NewEcho(httpx.EchoConfig{Log: testkit.Log(t)})
	r.server = httptest.NewServer(e)
	t.Cleanup(r.server.Close)
	var err error
	r.service, err = unsubscribe.New(unsubscribe.Config{
		Keys: keys, PublicURL: r.server.URL, Brand: "Acme & <Sons>", Actor: a,
		Label: func(c string) string { return strings.ToUpper(c) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.service.Routes(e)
	return r
}

func (r *rig) link(user, category string) string {
	r.Helper()
	s, err := r.service.URL(user, category, "ann@example.com")
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// send sends a request and returns the answer with its body.
func (r *rig) send(method, link, accept, kind, body string) (*http.Response, string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, link, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		r.Error("redirected")
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	if len(res.Cookies()) > 0 {
		r.Errorf("%s sets cookies", method)
	}
	return res, string(got)
}

const (
	formType = "application/x-www-form-urlencoded"
	browser  = "text/html,application/xhtml+xml,*/*;q=0.8"
)

func (r *rig) form(link string, values url.Values) (*http.Response, string) {
	r.Helper()
	return r.send(http.MethodPost, link, browser, formType, values.Encode())
}

// hash is that of ann@example.com.
func hash(t *testing.T) string {
	t.Helper()
	h, err := suppress.Hash("mail", "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestOneClick: a program's POST acts, in both forms of RFC 8058, and nothing less does.
func TestOneClick(t *testing.T) {
	t.Parallel()
	want := unsubscribe.Choice{User: "ann", Category: "orders", Channel: "mail", AddressHash: hash(t), OneClick: true}
	multipart := "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n"
	for _, c := range []struct {
		name, method, kind, body, query string
		status                          int
		acts                            bool
	}{
		{"urlencoded", "POST", formType, "List-Unsubscribe=One-Click", "", 200, true},
		{"with charset", "POST", formType + "; charset=utf-8", "List-Unsubscribe=One-Click", "", 200, true},
		{"multipart", "POST", "multipart/form-data; boundary=x", multipart, "", 200, true},
		{"GET", "GET", "", "", "", 200, false},
		{"HEAD", "HEAD", "", "", "", 200, false},
		{"GET with query", "GET", "", "", "?List-Unsubscribe=One-Click&do=unsubscribe&scope=all", 200, false},
		{"POST with query", "POST", formType, "", "?List-Unsubscribe=One-Click", 400, false},
		{"POST of nothing", "POST", "", "", "", 400, false},
		{"another value", "POST", formType, "List-Unsubscribe=Two-Clicks", "", 400, false},
		{"no form", "POST", "application/json", `{"List-Unsubscribe":"One-Click"}`, "", 400, false},
		{"broken form", "POST", formType, "%zz", "", 400, false},
		{"broken multipart", "POST", "multipart/form-data; boundary=x", "--y", "", 400, false},
		{"no boundary", "POST", "multipart/form-data", multipart, "", 400, false},
		{"too large", "POST", formType, "a=" + strings.Repeat("x", 10000), "", 413, false},
		{"PUT", "PUT", formType, "List-Unsubscribe=One-Click", "", 405, false},
		{"DELETE", "DELETE", "", "", "", 405, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, nil)
			res, body := r.send(c.method, r.link("ann", "orders")+c.query, "", c.kind, c.body)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", res.StatusCode, c.status, body)
			}
			switch {
			case c.acts && (len(r.acted) != 1 || r.acted[0] != want):
				t.Errorf("acted %+v", r.acted)
			case !c.acts && len(r.acted) > 0:
				t.Errorf("acted %+v", r.acted)
			case c.method == "HEAD" && body != "":
				t.Errorf("HEAD has a body: %s", body)
			}
		})
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	r := serve(t, nil)
	res, body := r.send(http.MethodGet, r.link("ann", "orders"), browser, "", "")
	for _, want := range []string{"Acme &amp; &lt;Sons&gt;", "Only mails about “ORDERS”", `<form method="post">`, `value="all"`, `name="viewport"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "http:", "https:", "ann@example.com"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow",
		"Content-Type": "text/html; charset=UTF-8", "X-Content-Type-Options": "nosniff", "Vary": "Accept",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, rest, _ := strings.Cut(body, "<style>")
	css, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if got := res.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
	if _, body := r.send(http.MethodGet, r.link("ann", ""), browser, "", ""); strings.Contains(body, `type="radio"`) || !strings.Contains(body, `name="scope" value="all"`) {
		t.Errorf("a link without category offers one: %s", body)
	}
}

// TestForm walks through the page: unsubscribe, undo, again.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		category, do, scope string
		want                []unsubscribe.Choice
		says                string
	}{
		{"orders", "unsubscribe", "category", []unsubscribe.Choice{{Category: "orders"}}, "You won’t get mails about “ORDERS” any more."},
		{"orders", "unsubscribe", "all", []unsubscribe.Choice{{}}, "You won’t get mails from Acme &amp; &lt;Sons&gt; any more."},
		{"orders", "undo", "category", []unsubscribe.Choice{{Category: "orders", Undo: true}}, "We took that back."},
		{"orders", "undo", "all", []unsubscribe.Choice{{Undo: true}}, "We took that back."},
		{"orders", "again", "category", []unsubscribe.Choice{{Category: "orders", Undo: true}, {Undo: true}}, "Welcome back"},
		{"", "unsubscribe", "category", []unsubscribe.Choice{{}}, "any more."},
		{"", "again", "all", []unsubscribe.Choice{{Undo: true}}, "Welcome back"},
	} {
		t.Run(c.category+" "+c.do+" "+c.scope, func(t *testing.T) {
			t.Parallel()
			r := serve(t, nil)
			res, body := r.form(r.link("ann", c.category), url.Values{"do": {c.do}, "scope": {c.scope}})
			if res.StatusCode != http.StatusOK || !strings.Contains(body, c.says) {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
			if len(r.acted) != len(c.want) {
				t.Fatalf("acted %+v", r.acted)
			}
			for i, want := range c.want {
				want.User, want.Channel, want.AddressHash = "ann", "mail", hash(t)
				if r.acted[i] != want {
					t.Errorf("acted %+v, want %+v", r.acted[i], want)
				}
			}
			if c.do == "unsubscribe" && !strings.Contains(body, `name="do" value="undo"`) {
				t.Errorf("no undo: %s", body)
			}
		})
	}
	r := serve(t, nil)
	for _, bad := range []url.Values{{"do": {"explode"}, "scope": {"all"}}, {"do": {"undo"}, "scope": {"world"}}, {"do": {"undo"}}, {"scope": {"all"}}} {
		if res, _ := r.form(r.link("ann", "orders"), bad); res.StatusCode != http.StatusBadRequest || len(r.acted) > 0 {
			t.Errorf("%v: status %d, acted %v", bad, res.StatusCode, r.acted)
		}
	}
}

// TestBadLink: every change of a link makes it none of ours.
func TestBadLink(t *testing.T) {
	t.Parallel()
	r := serve(t, nil)
	good := r.link("ann", "orders")
	base, token := good[:strings.LastIndex(good, "/")+1], good[strings.LastIndex(good, "/")+1:]
	tokens := []string{"x", "AA", token + "A", token[1:], token[:len(token)-1], token + "=", strings.Repeat("A", 255), strings.Repeat("A", 4000)}
	for i := range token {
		other := byte('A')
		if token[i] == 'A' {
			other = 'B'
		}
		tokens = append(tokens, token[:i]+string(other)+token[i+1:])
	}
	for _, bad := range tokens {
		res, body := r.send(http.MethodPost, base+bad, "", formType, "List-Unsubscribe=One-Click")
		var p struct{ Code string }
		if err := json.Unmarshal([]byte(body), &p); err != nil || res.StatusCode != http.StatusNotFound || p.Code != "link_unknown" {
			t.Errorf("%.60s: status %d, %s", bad, res.StatusCode, body)
		}
	}
	res, body := r.send(http.MethodGet, base+"x", browser, "", "")
	if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "This link does not work") || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	if len(r.acted) > 0 {
		t.Errorf("acted %v", r.acted)
	}
}

// TestKeys: the first key signs, all verify, and others do not.
func TestKeys(t *testing.T) {
	t.Parallel()
	old, rotated, other := serve(t, nil, keyA), serve(t, nil, keyB, keyA), serve(t, nil, keyB)
	path := func(link string) string { return link[strings.Index(link, "/v1/"):] }
	for _, c := range []struct {
		name     string
		from, at *rig
		status   int
	}{
		{"old link, rotated", old, rotated, 200},
		{"new link, rotated", rotated, rotated, 200},
		{"new link, new key", rotated, other, 200},
		{"old link, key gone", old, other, 404},
		{"new link, old key", rotated, old, 404},
	} {
		if res, _ := c.at.send(http.MethodGet, c.at.server.URL+path(c.from.link("u", "c")), "", "", ""); res.StatusCode != c.status {
			t.Errorf("%s: %d", c.name, res.StatusCode)
		}
	}
}

// TestLong: a link has a length that survives; the user gives way, the category can't.
func TestLong(t *testing.T) {
	t.Parallel()
	r := serve(t, nil)
	for _, c := range []struct{ user, category, kept string }{
		{strings.Repeat("u", 129), "orders", strings.Repeat("u", 129)},
		{strings.Repeat("u", 130), "orders", ""},
		{"ann", strings.Repeat("c", 132), "ann"},
		{"ann", strings.Repeat("c", 133), ""},
		{"ann", strings.Repeat("c", 135), ""},
	} {
		link := r.link(c.user, c.category)
		if n := len(link) - strings.LastIndex(link, "/") - 1; n > unsubscribe.MaxToken {
			t.Errorf("a token of %d bytes", n)
		}
		r.acted = nil
		r.send(http.MethodPost, link, "", formType, "List-Unsubscribe=One-Click")
		if len(r.acted) != 1 || r.acted[0].User != c.kept || r.acted[0].Category != c.category {
			t.Errorf("%d and %d bytes: %+v", len(c.user), len(c.category), r.acted)
		}
	}
	if _, err := r.service.URL("u", strings.Repeat("c", 136), "a@b"); !errors.Is(err, unsubscribe.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	if _, err := r.service.URL("u", "c", ""); !errors.Is(err, suppress.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
}

// TestFailure: who could not be heard is told so, and can try again.
func TestFailure(t *testing.T) {
	t.Parallel()
	r := serve(t, nil)
	r.fail = errors.New("secret inside")
	res, body := r.send(http.MethodPost, r.link("u", "c"), "", formType, "List-Unsubscribe=One-Click")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "unsubscribe_unavailable") || strings.Contains(body, "secret") {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	res, body = r.form(r.link("u", "c"), url.Values{"do": {"unsubscribe"}, "scope": {"all"}})
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "Try again") || strings.Contains(body, "secret") ||
		!strings.Contains(body, `name="scope" value="all"`) {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	res, body = r.send(http.MethodPost, r.link("u", "c"), "", formType, "do=undo&scope=all")
	if res.StatusCode != 503 || !strings.Contains(body, "unsubscribe_unavailable") {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}

// TestOnList: with the real list behind it, a link does what it says and undoing does
// not wash other reasons away.
func TestOnList(t *testing.T) {
	t.Parallel()
	list, err := suppress.Open(t.Context(), testkit.NATS(t), testkit.Space(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, unsubscribe.OnList(list))
	stopped := func(category string, transactional bool) string {
		entries, err := list.Of(t.Context(), "mail", "Ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		e, _ := suppress.Stops(entries, category, transactional)
		return string(e.Cause)
	}
	link := r.link("ann", "orders")
	r.send(http.MethodPost, link, "", formType, "List-Unsubscribe=One-Click")
	if stopped("orders", false) != "unsubscribed" || stopped("news", false) != "" {
		t.Error("one click did not stop the category alone")
	}
	r.form(link, url.Values{"do": {"unsubscribe"}, "scope": {"all"}})
	if stopped("news", false) != "unsubscribed" || stopped("news", true) != "" {
		t.Error("everything did not stop all but what is transactional")
	}
	r.form(link, url.Values{"do": {"undo"}, "scope": {"all"}})
	if stopped("news", false) != "" || stopped("orders", false) != "unsubscribed" {
		t.Error("undo did not take back what was done")
	}
	if err := list.Add(t.Context(), "mail", "ann@example.com", suppress.Entry{Cause: suppress.Complained}); err != nil {
		t.Fatal(err)
	}
	r.form(link, url.Values{"do": {"again"}, "scope": {"category"}})
	if stopped("orders", false) != "complained" {
		t.Error("a complaint was washed away")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := unsubscribe.Config{Keys: []telemetry.Secret{keyA}, PublicURL: "https://news.example.com/mail/", Actor: unsubscribe.ActorFunc(nil)}
	s, err := unsubscribe.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if link, err := s.URL("u", "c", "a@b"); err != nil || !strings.HasPrefix(link, "https://news.example.com/mail/v1/unsubscribe/") {
		t.Errorf("link %q, %v", link, err)
	}
	for name, change := range map[string]func(*unsubscribe.Config){
		"no keys":       func(c *unsubscribe.Config) { c.Keys = nil },
		"many keys":     func(c *unsubscribe.Config) { c.Keys = make([]telemetry.Secret, 17) },
		"short key":     func(c *unsubscribe.Config) { c.Keys = []telemetry.Secret{keyA, "short-and-secret"} },
		"no actor":      func(c *unsubscribe.Config) { c.Actor = nil },
		"no URL":        func(c *unsubscribe.Config) { c.PublicURL = "" },
		"plain http":    func(c *unsubscribe.Config) { c.PublicURL = "http://news.example.com" },
		"query":         func(c *unsubscribe.Config) { c.PublicURL = "https://news.example.com/?a=b" },
		"user":          func(c *unsubscribe.Config) { c.PublicURL = "https://u:p@news.example.com" },
		"other scheme":  func(c *unsubscribe.Config) { c.PublicURL = "ftp://news.example.com" },
		"no URL at all": func(c *unsubscribe.Config) { c.PublicURL = "https://%zz" },
	} {
		cfg := good
		change(&cfg)
		if _, err := unsubscribe.New(cfg); err == nil || strings.Contains(err.Error(), "short-and-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzToken: no token but ours opens anything.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"", "AQ", "AQRtYWlsAAA", strings.Repeat("_", 255), "AQ//", "AQ=="} {
		f.Add(s)
	}
	acted := unsubscribe.ActorFunc(func(context.Context, unsubscribe.Choice) error { return errors.New("acted") })
	s, err := unsubscribe.New(unsubscribe.Config{Keys: []telemetry.Secret{keyA, keyB}, PublicURL: "http://localhost", Actor: acted})
	if err != nil {
		f.Fatal(err)
	}
	e := httpx.NewEcho(httpx.EchoConfig{})
	s.Routes(e)
	f.Fuzz(func(t *testing.T, token string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/unsubscribe/x", strings.NewReader("List-Unsubscribe=One-Click"))
		req.URL.Path = "/v1/unsubscribe/" + token
		req.Header.Set("Content-Type", formType)
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%q: %d", token, rec.Code)
		}
	})
}
