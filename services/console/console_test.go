package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tidings/services/console"
	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// secret signs the tokens of these tests.
const secret = "0123456789abcdef0123456789abcdef"

// newHandler returns the console as a process serves it.
func newHandler(t *testing.T, cfg console.Config) http.Handler {
	t.Helper()
	v, err := auth.NewVerifier(t.Context(), auth.Config{Secret: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(cfg, &auth.Authenticator{Verifier: v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := httpx.NewEcho(httpx.EchoConfig{})
	c.Routes(e)
	return e
}

// do sends one request with headers given as name, value, name, value.
func do(h http.Handler, method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// body reads an answer.
func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// links returns the addresses of assets in a page.
func links(page string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`"(/console/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestIndex(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	r := do(h, http.MethodGet, "/")
	page := body(t, r)
	if r.StatusCode != http.StatusOK || !strings.Contains(page, "<title>Tidings</title>") {
		t.Fatalf("status %d, body %q", r.StatusCode, page)
	}
	for name, want := range map[string]string{
		"Content-Type":           "text/html; charset=utf-8",
		"Cache-Control":          "no-cache",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
			"img-src 'self' data:; font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(links(page)) != 4 {
		t.Errorf("links %q: want script, what it shares with its parts, style and icon", links(page))
	}
}

// The policy forbids what is inline; a page that has it would be dead on arrival.
func TestIndexHasNothingInline(t *testing.T) {
	t.Parallel()
	page := body(t, do(newHandler(t, console.Config{}), http.MethodGet, "/"))
	for _, bad := range []string{"<style", " style=", " onload=", " onclick=", "javascript:", "//"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(page) {
		t.Error("the page has an inline script")
	}
}

func TestAssetsAreKeptByTheirHash(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	for _, link := range links(body(t, do(h, http.MethodGet, "/"))) {
		r := do(h, http.MethodGet, link)
		if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: status %d, Cache-Control %q", link, r.StatusCode, r.Header.Get("Cache-Control"))
		}
		if r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: no policy", link)
		}
		plain, _, query := strings.Cut(link, "?")
		if !query { // the hash is in the name
			continue
		}
		for _, other := range []string{plain, plain + "?v=0000000000000000"} {
			if got := do(h, http.MethodGet, other).Header.Get("Cache-Control"); got != "no-cache" {
				t.Errorf("%s: Cache-Control %q, want no-cache", other, got)
			}
		}
	}
}

// TestParts follows the imports of the page's script: each part is there, and kept for
// its name holds a hash.
func TestParts(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	seen := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		r := do(h, http.MethodGet, path)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
		if got := r.Header.Get("Cache-Control"); len(seen) > 1 && got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		for _, m := range regexp.MustCompile(`(?:from|import)\(?"\./([^"]+)"`).FindAllStringSubmatch(body(t, r), -1) {
			follow("/console/assets/" + m[1])
		}
	}
	follow("/console/assets/app.js")
	if len(seen) < 10 {
		t.Errorf("the page has the parts %v alone", seen)
	}
	if r := do(h, http.MethodGet, "/console/assets/mailbox-AAAAAAAA.js"); r.StatusCode != http.StatusNotFound {
		t.Errorf("a part of another version: status %d", r.StatusCode)
	}
}

func TestAssetRevalidation(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	const path = "/console/assets/app.js"
	plain := do(h, http.MethodGet, path)
	tag := plain.Header.Get("ETag")
	if tag == "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("ETag %q, Vary %q", tag, plain.Header.Get("Vary"))
	}
	r := do(h, http.MethodGet, path, "If-None-Match", tag)
	if r.StatusCode != http.StatusNotModified || body(t, r) != "" {
		t.Errorf("status %d for the tag it gave", r.StatusCode)
	}
	if r := do(h, http.MethodGet, path, "If-None-Match", tag, "Accept-Encoding", "gzip"); r.StatusCode != http.StatusOK {
		t.Errorf("status %d: the tag of one encoding matched another", r.StatusCode)
	}
	if r := do(h, http.MethodHead, path); r.StatusCode != http.StatusOK || r.Header.Get("ETag") != tag || body(t, r) != "" {
		t.Errorf("HEAD: status %d, ETag %q", r.StatusCode, r.Header.Get("ETag"))
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	const path = "/console/assets/app.js"
	want := body(t, do(h, http.MethodGet, path))
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "gzip, deflate, br": true, "br;q=1, GZIP;q=0.5": true,
		"gzip;q=0": false, "identity": false, "x-gzip-like": false, "gzip;q=abc": false,
	} {
		r := do(h, http.MethodGet, path, "Accept-Encoding", accept)
		got := body(t, r)
		if is := r.Header.Get("Content-Encoding") == "gzip"; is != zipped {
			t.Errorf("%q: gzip is %v, want %v", accept, is, zipped)
			continue
		}
		if zipped {
			z, err := gzip.NewReader(bytes.NewReader([]byte(got)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if got != want {
			t.Errorf("%q: the content differs", accept)
		}
	}
}

func TestUnknownPathsAreProblems(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{})
	for _, path := range []string{
		"/nothing", "/console", "/console/assets/", "/console/assets/nothing.js", "/console/assets/index.html",
		"/console/assets/..%2fconsole.go", "/console/assets/%2e%2e/console.go", "/console/api/nothing",
	} {
		r := do(h, http.MethodGet, path)
		if r.StatusCode != http.StatusNotFound || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, type %q", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r := do(h, http.MethodPost, "/"); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /: status %d", r.StatusCode)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{Version: "1.2.3", Node: "edge-1", Dev: true})
	token, err := auth.Mint([]byte(secret), auth.Claims{User: "ann@example.com", TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := do(h, http.MethodGet, "/console/api/info", "Authorization", "Bearer "+token)
	var got map[string]any
	if err := json.Unmarshal([]byte(body(t, r)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"version": "1.2.3", "node": "edge-1", "prefix": "tidings", "dev": true, "user": "ann@example.com"}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
	}
	if len(got) != len(want) || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("body %v, Cache-Control %q", got, r.Header.Get("Cache-Control"))
	}
}

func TestInfoNeedsAToken(t *testing.T) {
	t.Parallel()
	h := newHandler(t, console.Config{Node: "edge-1"})
	for name, headers := range map[string][]string{
		"none": nil,
		"bad":  {"Authorization", "Bearer nonsense"},
	} {
		r := do(h, http.MethodGet, "/console/api/info", headers...)
		got := body(t, r)
		if r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" || strings.Contains(got, "edge-1") {
			t.Errorf("%s: status %d, body %s", name, r.StatusCode, got)
		}
	}
}

func TestBadPrefix(t *testing.T) {
	t.Parallel()
	if _, err := console.New(console.Config{Prefix: "a.b"}, &auth.Authenticator{}, nil); err == nil {
		t.Error("New took a prefix of two tokens")
	}
}
