package app_test

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"tidings/shared/httpx/certs/certstest"
)

// browser makes a client that trusts the authority and forces HTTP/2 or does without.
func browser(t *testing.T, ca *certstest.CA, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: http2}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestTLS: a process that ends TLS itself serves what any other serves, over HTTP/2
// to who can, and knows that its clients came over TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	certFile, keyFile := ca.Issue(t, "tidings", 24*time.Hour).Write(t, t.TempDir())
	p := start(t, settings(t, "--tls-cert="+certFile, "--tls-key="+keyFile)).ready()
	if !strings.HasPrefix(p.URL(), "https://127.0.0.1:") || !strings.HasPrefix(p.AdminURL(), "http://127.0.0.1:") {
		t.Errorf("it listens at %s and %s", p.URL(), p.AdminURL())
	}
	two, one := browser(t, ca, true), browser(t, ca, false)
	streams := map[string]*listener{"HTTP/2.0": p.listenBy(two, "room.ops"), "HTTP/1.1": p.listenBy(one, "room.ops")}
	if code, body := requestBy(t, two, http.MethodPost, p.URL()+"/v1/events", `{"topic":"room.ops","data":{"n":1}}`, "Authorization", "Bearer "+token(t)); code != http.StatusCreated {
		t.Errorf("post: %d %s", code, body)
	}
	for proto, l := range streams {
		if l.resp.Proto != proto {
			t.Errorf("a stream over %s, want %s", l.resp.Proto, proto)
		}
		if data := l.until("message"); !strings.Contains(data, `"data":{"n":1}`) {
			t.Errorf("%s: got %s", proto, data)
		}
	}

	// The cookie is for pages of this host, and its pages come over TLS.
	for origin, want := range map[string]int{
		p.URL():                     http.StatusOK,
		"http://" + host(p.URL()):   http.StatusForbidden,
		"https://evil.example":      http.StatusForbidden,
		"https://127.0.0.1.example": http.StatusForbidden,
	} {
		if code, body := requestBy(t, one, http.MethodGet, p.URL()+"/v1/topics/room.ops/events", "", "Cookie", "tidings_token="+token(t), "Origin", origin); code != want {
			t.Errorf("the cookie from %s: %d %s, want %d", origin, code, body, want)
		}
	}
	expiry := regexp.MustCompile(`(?m)^tidings_tls_certificate_expiry_timestamp_seconds [1-9]\S*$`)
	if _, body := get(t, p.AdminURL()+"/metrics"); !expiry.MatchString(body) {
		t.Error("there is no metric of the certificate's end")
	}

	if err := p.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
	for proto, l := range streams {
		if bye := l.until("tidings.bye"); !strings.Contains(bye, `"code":"draining"`) {
			t.Errorf("%s: bye: %s", proto, bye)
		}
	}
}

// TestRaw: on Linux a stream's socket is taken over and costs no goroutine, unless the
// setting leaves it to the sink that has one for each. Not in parallel: goroutines are
// the whole process's.
func TestRaw(t *testing.T) {
	for flag, raw := range map[string]bool{"--raw": runtime.GOOS == "linux", "--raw=false": false} {
		p := start(t, settings(t, flag)).ready()
		l := p.listenBy(browser(t, certstest.NewCA(t), false), "room.ops")
		p.post("room.ops", "1")
		l.until("message")
		if _, body := get(t, p.AdminURL()+"/debug/pprof/goroutine?debug=1"); strings.Contains(body, "edge/ordinary.(*Sink).serve") == raw {
			t.Errorf("%s: a goroutine of the ordinary sink: %v, want %v", flag, raw, !raw)
		}
		if err := p.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	}
}
