package main_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/shared/httpx/certs/certstest"
)

// TestTLS: with a certificate, what dev prints and up logs are addresses that work.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	certFile, keyFile := ca.Issue(t, "tidings", time.Hour).Write(t, t.TempDir())
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	page := func(url string) {
		t.Helper()
		resp, err := (&http.Client{Transport: tr}).Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.Proto != "HTTP/2.0" || !strings.Contains(string(body), "<html") {
			t.Errorf("the page: %s %s, %v", resp.Proto, resp.Status, err)
		}
	}

	d := launch(t, devSpec(t.TempDir(), "--tls-cert", certFile, "--tls-key", keyFile))
	page(d.out.await(t, `Console\s+(https://\S+)/#token=\S+\n`)[1])
	d.out.await(t, `Stream\s+curl -N .* 'https://\S+/v1/events\?topics=room\.ops'\n`)
	d.out.await(t, `Publish\s+curl -d .* https://\S+/v1/events\n`)
	d.out.await(t, `Metrics\s+http://\S+/metrics\n`)
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	up := launch(t, spec{
		args: []string{"up", "console", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", t.TempDir()},
		env:  []string{"TIDINGS_JWT_SECRET=" + secret, "TIDINGS_TLS_CERT=" + certFile, "TIDINGS_TLS_KEY=" + keyFile},
	})
	page(up.log.await(t, `msg=listening .*http=(https://\S+) admin=http://`)[1])
	if code := up.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestBadTLS: half a pair is a fault of the settings, like every other in one go; files
// that are no pair end the start.
func TestBadTLS(t *testing.T) {
	t.Parallel()
	certFile, _ := certstest.NewCA(t).Issue(t, "tidings", time.Hour).Write(t, t.TempDir())
	_, log, code := run(t, spec{args: []string{"up", "console", "--tls-cert", certFile, "--raw=maybe", "--drain=-1s"}})
	for _, want := range []string{"--tls-cert: needs tls-key", "--raw: \"maybe\" must be true or false", "--drain: "} {
		if code != 2 || !strings.Contains(log, want) {
			t.Errorf("exit code %d, %q misses %q", code, log, want)
		}
	}
	none := filepath.Join(t.TempDir(), "none.key")
	_, log, code = run(t, devSpec(t.TempDir(), "--tls-cert", certFile, "--tls-key", none))
	if code != 1 || !strings.Contains(log, "TLS key: ") || !strings.Contains(log, none) {
		t.Errorf("exit code %d, said %q", code, log)
	}
}
