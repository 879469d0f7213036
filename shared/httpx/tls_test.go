package httpx_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/httpx"
	"tidings/shared/httpx/certs/certstest"
)

// secured is a certificate of a test's own, and clients that trust it.
type secured struct {
	t   *testing.T
	ca  *certstest.CA
	dir string
	cfg *httpx.TLSConfig
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{t: t, ca: certstest.NewCA(t), dir: t.TempDir()}
	certFile, keyFile := s.ca.Issue(t, "first", time.Hour).Write(t, s.dir)
	s.cfg = &httpx.TLSConfig{CertFile: certFile, KeyFile: keyFile, Every: time.Millisecond}
	return s
}

// client speaks the protocol "HTTP/1.1" or "HTTP/2.0" on connections that end with the
// test.
func (s *secured) client(proto string) *http.Client {
	s.t.Helper()
	c := client(s.t)
	tr := c.Transport.(*http.Transport)
	tr.TLSClientConfig = &tls.Config{RootCAs: s.ca.Pool()}
	tr.Protocols = &http.Protocols{}
	tr.Protocols.SetHTTP1(proto == "HTTP/1.1")
	tr.Protocols.SetHTTP2(proto == "HTTP/2.0")
	return c
}

// serves returns the name of the certificate that a new connection is shown.
func (s *secured) serves(addr string) string {
	s.t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: s.ca.Pool()})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// text gets a page that must be there.
func text(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestProtocols: with TLS a client gets HTTP/2 if it can and HTTP/1.1 if not, and a
// handler sees that the request came over TLS. Without TLS there is HTTP/1.1 alone.
func TestProtocols(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/", func(c echo.Context) error {
		return c.String(200, fmt.Sprint(c.Request().Proto, " ", c.Scheme(), " ", c.Request().TLS != nil))
	})
	srv, url, _ := start(t, httpx.ServerConfig{Handler: e, TLS: s.cfg})
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		res, body := text(t, s.client(proto), url)
		if want := proto + " https true"; body != want || res.Proto != proto {
			t.Errorf("%s: got %s, %s", proto, res.Proto, body)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the headers are %v", proto, res.Header)
		}
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", srv.Addr().String(), &tls.Config{RootCAs: s.ca.Pool(), MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err != nil {
			continue
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("%s: a client that can do both got %q", tls.VersionName(version), got)
		}
		c.Close()
	}

	plain, url, _ := start(t, httpx.ServerConfig{Handler: e})
	if res, body := text(t, client(t), url); body != "HTTP/1.1 http false" || res.TLS != nil {
		t.Errorf("without TLS: got %s", body)
	}
	c := dial(t, plain)
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode < 400 {
		t.Errorf("HTTP/2 without TLS: got %v, %v", res, err)
	}
}

// TestListenWithBadFiles: what would fail at the first connection fails at once.
func TestListenWithBadFiles(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	other := filepath.Join(s.dir, "other.key")
	if err := os.WriteFile(other, s.ca.Issue(t, "other", time.Hour).Key, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cert, key, want string }{
		"none":        {"", "", "TLS"},
		"missing":     {filepath.Join(s.dir, "none"), s.cfg.KeyFile, "no such file"},
		"mismatched":  {s.cfg.CertFile, other, "does not match"},
		"not a chain": {s.cfg.KeyFile, s.cfg.KeyFile, s.cfg.KeyFile},
	} {
		_, err := httpx.Listen(httpx.ServerConfig{Addr: "127.0.0.1:0", TLS: &httpx.TLSConfig{CertFile: c.cert, KeyFile: c.key}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestReload: new connections are shown the new certificate, open streams go on, and
// files that make no pair change nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	var out logBuffer
	s := newSecured(t)
	registry := prometheus.NewRegistry()
	s.cfg.Registerer = registry
	lines := make(chan string)
	srv, url, _ := start(t, httpx.ServerConfig{Handler: teller(lines, patience), TLS: s.cfg, Log: out.logger(slog.LevelInfo)})
	res, err := s.client("HTTP/2.0").Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	tell(t, lines, res.Body, "one\n")
	if got := s.serves(srv.Addr().String()); got != "first" {
		t.Errorf("serves %q", got)
	}

	if err := os.WriteFile(s.cfg.CertFile, s.ca.Issue(t, "no key", time.Hour).Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bad pair is told", func() bool { return strings.Contains(out.String(), "does not match") })
	if got := s.serves(srv.Addr().String()); got != "first" {
		t.Errorf("with a bad pair: serves %q", got)
	}

	next := s.ca.Issue(t, "second", 5*time.Hour)
	next.Write(t, s.dir)
	eventually(t, "the new pair is served", func() bool { return s.serves(srv.Addr().String()) == "second" })
	tell(t, lines, res.Body, "two\n")
	if n := strings.Count(out.String(), "does not match"); n != 1 {
		t.Errorf("the bad pair was told %d times:\n%s", n, out.String())
	}
	c, err := tls.X509KeyPair(next.Cert, next.Key)
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "tidings_tls_certificate_expiry_timestamp_seconds" {
		t.Fatalf("metrics: %v, %v", families, err)
	}
	if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != float64(c.Leaf.NotAfter.Unix()) {
		t.Errorf("the gauge says %v, want %v", got, c.Leaf.NotAfter)
	}
}

// teller streams what comes from lines until the request ends.
func teller(lines <-chan string, stall time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := httpx.NewStreamWriter(w, stall)
		if out.Write() != nil {
			return
		}
		for {
			select {
			case line := <-lines:
				if out.Write([]byte(line)) != nil {
					return
				}
			case <-r.Context().Done():
				_ = out.Write([]byte("bye\n"))
				return
			}
		}
	})
}

// tell gives a teller a line and expects it at the other end.
func tell(t *testing.T, lines chan<- string, heard io.Reader, line string) {
	t.Helper()
	select {
	case lines <- line:
	case <-time.After(patience):
		t.Fatal("the stream has ended")
	}
	if got, err := bufio.NewReader(heard).ReadString('\n'); got != line {
		t.Errorf("the stream got %q, %v", got, err)
	}
}

// TestManyStreams: the tabs of a browser share one connection, and a stop ends their
// streams in good time and with a last word.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	const streams, rounds = 400, 5
	s := newSecured(t)
	var mu sync.Mutex
	var tabs []chan string
	srv, url, stop := start(t, httpx.ServerConfig{TLS: s.cfg, Grace: time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := make(chan string, rounds)
		mu.Lock()
		tabs = append(tabs, lines)
		mu.Unlock()
		teller(lines, patience).ServeHTTP(w, r)
	})})
	c := s.client("HTTP/2.0")
	open := func() *bufio.Reader {
		res, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return bufio.NewReader(res.Body)
	}
	readers := make([]*bufio.Reader, streams)
	for i := range readers {
		readers[i] = open()
	}
	if n := srv.Connections(); n != 1 {
		t.Errorf("%d streams took %d connections", streams, n)
	}
	for round := range rounds {
		for _, lines := range tabs {
			lines <- fmt.Sprintln(round)
		}
	}
	for i, r := range readers {
		for round := range rounds {
			if got, err := r.ReadString('\n'); got != fmt.Sprintln(round) {
				t.Fatalf("stream %d, line %d: %q, %v", i, round, got, err)
			}
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for i, r := range readers {
		if got, err := r.ReadString('\n'); got != "bye\n" {
			t.Fatalf("stream %d ended with %q, %v", i, got, err)
		}
	}
}

// TestStopWithDeafStreams: streams that do not look cannot hold up a stop, and neither
// can clients that do not read.
func TestStopWithDeafStreams(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]bool{"deaf handler": true, "deaf client": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecured(t)
			release, full := make(chan struct{}), make(chan struct{})
			_, url, stop := start(t, httpx.ServerConfig{TLS: s.cfg, Grace: time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).Flush()
				close(full)
				for !reads {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
				<-release
			})})
			t.Cleanup(func() { close(release) })
			res, err := s.client("HTTP/2.0").Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			<-full
			if err := stop(); !errors.Is(err, httpx.ErrForced) {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

// TestStallOverHTTP2: one stream whose client takes nothing ends as stalled, without
// harm to its neighbours, and a stream that only has nothing to say does not end.
func TestStallOverHTTP2(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	const stall = 100 * time.Millisecond
	quiet, stalls := make(chan string), make(chan error, 1)
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/quiet", echo.WrapHandler(teller(quiet, stall/2)))
	e.GET("/loud", func(c echo.Context) error {
		out := httpx.NewStreamWriter(c.Response(), stall)
		for {
			if err := out.Write(make([]byte, 4<<10)); err != nil {
				stalls <- err
				return err
			}
		}
	})
	srv, url, _ := start(t, httpx.ServerConfig{Handler: e, TLS: s.cfg})
	c := s.client("HTTP/2.0")
	one, err := c.Get(url + "/quiet")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Body.Close()
	two, err := c.Get(url + "/loud")
	if err != nil {
		t.Fatal(err)
	}
	defer two.Body.Close()
	// By the time that the loud stream has stalled, the quiet one has been silent for
	// longer than its own stall time.
	if err := <-stalls; !errors.Is(err, httpx.ErrStalled) {
		t.Errorf("the stream nobody reads ended with %v", err)
	}
	tell(t, quiet, one.Body, "still here\n")
	if n := srv.Connections(); n != 1 {
		t.Errorf("there are %d connections", n)
	}
}

// stopper is a connection with little room for what it has not read, which can be
// told to read no more.
type stopper struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
	stop   <-chan struct{}
}

func dialStopper(ctx context.Context, addr string, stop <-chan struct{}) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		return nil, err
	}
	return &stopper{Conn: c, closed: make(chan struct{}), stop: stop}, nil
}

// Read implements net.Conn.
func (s *stopper) Read(b []byte) (int, error) {
	select {
	case <-s.stop:
		<-s.closed
		return 0, net.ErrClosed
	default:
		return s.Conn.Read(b)
	}
}

// Close implements net.Conn.
func (s *stopper) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// TestStuckConnection: a client that reads nothing of its connection is cut. Its
// streams could not be reset one by one: that would have to be written.
func TestStuckConnection(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	const streams = 8 // each may send 4 MiB before it needs leave, so the socket fills
	stop, ended := make(chan struct{}), make(chan error, streams)
	_, url, _ := start(t, httpx.ServerConfig{TLS: s.cfg, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := httpx.NewStreamWriter(w, 50*time.Millisecond)
		_ = out.Write()
		<-stop
		for {
			if err := out.Write(make([]byte, 64<<10)); err != nil {
				ended <- err
				return
			}
		}
	})}, func(s *httpx.Server) { s.ShortenStuck(200 * time.Millisecond) })
	c := s.client("HTTP/2.0")
	c.Timeout = 0 // it must not be the client that ends this
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) { return dialStopper(ctx, addr, stop) }
	for range streams {
		res, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	close(stop)
	for range streams {
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("a handler hangs in a write")
		}
	}
}

// TestCrowd: HTTP/2 has no more requests at once than there may be connections, and
// says so.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	const most = 3
	release := make(chan struct{})
	_, url, _ := start(t, httpx.ServerConfig{MaxConns: most, TLS: s.cfg, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-release
	})})
	c := s.client("HTTP/2.0")
	for range most {
		res, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	res, body := text(t, c, url)
	if res.StatusCode != 503 || !strings.Contains(body, `"code":"overloaded"`) || res.Header.Get("Retry-After") != "5" || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %s %v %s", res.Status, res.Header, body)
	}
	close(release)
	eventually(t, "a place is free again", func() bool {
		res, _ := text(t, c, url)
		return res.StatusCode == 200
	})
}
