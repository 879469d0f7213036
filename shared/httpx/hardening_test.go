package httpx_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

// short is a bound in time that a test can wait for. What a test then waits for is
// the end of a connection, never this time.
const short = 300 * time.Millisecond

// hello answers at once.
func hello() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
}

// drip sends text one byte at a time, again and again, until nobody takes it.
func drip(w io.Writer, text string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(text) {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
		<-tick.C
	}
}

// end reads until the connection ends, and fails if it does not within patience.
func end(t *testing.T, c net.Conn) string {
	t.Helper()
	said, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("the connection is still open; it said %q", said)
	}
	return string(said)
}

// transport is one way to reach a server.
type transport struct {
	tls   bool
	proto string
}

// transports are all of them.
func transports() map[string]transport {
	return map[string]transport{
		"plain":  {proto: "HTTP/1.1"},
		"TLS":    {proto: "HTTP/1.1", tls: true},
		"HTTP/2": {proto: "HTTP/2.0", tls: true},
	}
}

// reach gives a server what the transport needs and returns a client for it.
func (tr transport) reach(t *testing.T, s *secured, cfg *httpx.ServerConfig) *http.Client {
	t.Helper()
	if !tr.tls {
		return client(t)
	}
	cfg.TLS = s.cfg
	return s.client(tr.proto)
}

// TestSlowLoris: however a client delays its head or its handshake, it is cut in
// time, and as many of them as there are do not hold up anybody else.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	const many, headerTime = 50, time.Second // long enough for honest handshakes on a busy machine
	secure := newSecured(t)
	handshake := func(t *testing.T, c net.Conn) net.Conn {
		t.Helper()
		s := tls.Client(c, &tls.Config{RootCAs: secure.ca.Pool(), ServerName: "localhost"})
		if err := s.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		transport
		open func(*testing.T, net.Conn) net.Conn
		text string // dripped; nothing for silence
	}{
		"a head":              {text: "GET / HTTP/1.1\r\nX-" + strings.Repeat("a", 1000)},
		"headers":             {text: "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000)},
		"silence":             {},
		"a head over TLS":     {transport: transport{tls: true, proto: "HTTP/1.1"}, open: handshake, text: "GET / HTTP/1.1\r\nX-" + strings.Repeat("a", 1000)},
		"silence over TLS":    {transport: transport{tls: true, proto: "HTTP/1.1"}, open: handshake},
		"no handshake":        {transport: transport{tls: true, proto: "HTTP/2.0"}},
		"half of a handshake": {transport: transport{tls: true, proto: "HTTP/2.0"}, text: "\x16\x03\x01\x10\x00\x01\x00\x0f\xfc\x03\x03" + strings.Repeat("a", 4000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := httpx.ServerConfig{Handler: hello()}
			client := c.reach(t, secure, &cfg)
			s, url, _ := start(t, cfg, func(s *httpx.Server) { s.ShortenHeader(headerTime) })
			var wg sync.WaitGroup
			conns := make([]net.Conn, many)
			for i := range conns {
				conns[i] = dial(t, s)
				if c.open != nil {
					conns[i] = c.open(t, conns[i])
				}
				if c.text != "" {
					wg.Go(func() { drip(conns[i], c.text) })
				}
			}
			if _, body := text(t, client, url); body != "hello" {
				t.Errorf("somebody else got %q", body)
			}
			for _, c := range conns {
				end(t, c)
			}
			eventually(t, "the places are free again", func() bool {
				client.CloseIdleConnections()
				return s.Connections() == 0
			})
			for _, c := range conns {
				c.Close()
			}
			wg.Wait()
		})
	}
}

// TestHeaderFlood: a head over the bound is refused before it is all there, however it
// is made, and one below it is not.
func TestHeaderFlood(t *testing.T) {
	t.Parallel()
	const most = 64 << 20 // more than any buffer on the way holds
	s, _, _ := start(t, httpx.ServerConfig{Handler: hello()})
	for name, c := range map[string]struct{ head, more, want string }{
		"a long header":      {head: "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", more: "aaaaaaaa", want: "431"},
		"many headers":       {head: "GET / HTTP/1.1\r\nHost: x\r\n", more: "A: b\r\n", want: "431"},
		"a long name":        {head: "GET / HTTP/1.1\r\nHost: x\r\n", more: "Aaaaaaaa", want: "431"},
		"a long path":        {head: "GET /", more: "aaaaaaaa", want: "431"},
		"a folded header":    {head: "GET / HTTP/1.1\r\nHost: x\r\nX-Long: a", more: "\r\n aaaa", want: "431"},
		"many cookies":       {head: "GET / HTTP/1.1\r\nHost: x\r\n", more: "Cookie: a=bbbbbbbbbbbbbbbbbbbb\r\n", want: "431"},
		"a token of 16 KiB":  {head: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + strings.Repeat("a", 16<<10) + "\r\n\r\n", want: "200"},
		"a thousand headers": {head: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n", want: "200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, s)
			done := make(chan struct{})
			sent := 0
			go func() {
				defer close(done)
				_, err := io.WriteString(conn, c.head)
				for block := strings.Repeat(c.more, 500); err == nil && c.more != "" && sent < most; sent += len(block) {
					_, err = io.WriteString(conn, block)
				}
			}()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			switch {
			case errors.Is(err, syscall.ECONNRESET) && c.more != "":
				// The server waits for half a second before it cuts who goes on sending; on a
				// busy machine the answer may be lost.
			case err != nil:
				t.Error(err)
			default:
				res.Body.Close()
				if !strings.HasPrefix(res.Status, c.want) {
					t.Errorf("got %s, want %s", res.Status, c.want)
				}
				end(t, conn)
			}
			conn.Close()
			<-done
			if sent >= most {
				t.Errorf("the server took %d bytes", sent)
			}
		})
	}
}

// TestHeaderFloodOverHTTP2: the bound is the same, and clients are told it.
func TestHeaderFloodOverHTTP2(t *testing.T) {
	t.Parallel()
	secure := newSecured(t)
	_, url, _ := start(t, httpx.ServerConfig{Handler: hello(), TLS: secure.cfg})
	c := secure.client("HTTP/2.0")
	for size, want := range map[int]bool{16 << 10: true, 40 << 10: false} {
		text(t, c, url) // now the client has been told
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("a", size))
		res, err := c.Do(req)
		if err == nil {
			res.Body.Close()
		}
		if ok := err == nil && res.StatusCode == 200; ok != want {
			t.Errorf("%d bytes: got %v, %v", size, res, err)
		}
	}
}

// TestDrippedBody: a body that does not arrive in time is refused by name, and its
// connection does not stay.
func TestDrippedBody(t *testing.T) {
	t.Parallel()
	secure := newSecured(t)
	for name, tr := range transports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused := make(chan error, 1)
			e := httpx.NewEcho(httpx.EchoConfig{}.WithBodyTime(short))
			e.POST("/", func(c echo.Context) error {
				var v any
				err := c.Bind(&v)
				refused <- err
				return err
			})
			cfg := httpx.ServerConfig{Handler: e}
			client := tr.reach(t, secure, &cfg)
			s, url, _ := start(t, cfg)
			body, sender := io.Pipe()
			done := make(chan struct{})
			go func() { defer close(done); drip(sender, `{"a":"`+strings.Repeat("a", 10000)) }()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			// A client that is still sending when its connection ends may miss the answer.
			if err == nil {
				defer res.Body.Close()
				if res.Proto != tr.proto || res.StatusCode != http.StatusRequestTimeout {
					t.Errorf("got %s %s", res.Proto, res.Status)
				}
			} else if tr.proto != "HTTP/1.1" {
				t.Error(err)
			}
			if p := httpx.ProblemOf(<-refused, nil); p.Code != httpx.CodeBodyTimeout {
				t.Errorf("the handler got %v", p)
			}
			body.Close()
			<-done
			eventually(t, "the place is free again", func() bool {
				client.CloseIdleConnections() // it may not have known yet that it is idle
				return s.Connections() == 0
			})
		})
	}
}

// TestUnreadAnswer: a client that asks and does not read loses its answer, and a
// stream, which moves its deadline, outlives it.
func TestUnreadAnswer(t *testing.T) {
	t.Parallel()
	secure := newSecured(t)
	for name, tr := range transports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed, lines := make(chan error, 1), make(chan string)
			e := httpx.NewEcho(httpx.EchoConfig{})
			e.GET("/stream", echo.WrapHandler(teller(lines, patience)))
			e.GET("/endless", func(c echo.Context) error {
				for {
					if _, err := c.Response().Write(make([]byte, 64<<10)); err != nil {
						failed <- err
						return err
					}
				}
			})
			cfg := httpx.ServerConfig{Handler: e}
			client := tr.reach(t, secure, &cfg)
			_, url, _ := start(t, cfg, func(s *httpx.Server) { s.ShortenAnswer(short) })
			stream, err := client.Get(url + "/stream")
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			res, err := client.Get(url + "/endless")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			select {
			case <-failed:
			// Sooner than the client gives up, but later than package tls, which takes another
			// five seconds for a word of farewell.
			case <-time.After(patience * 4 / 5):
				t.Fatal("the handler still writes")
			}
			tell(t, lines, stream.Body, "still here\n")
		})
	}
}

// TestNotTLS: what is not TLS is told so, or cut, at once.
func TestNotTLS(t *testing.T) {
	t.Parallel()
	secure := newSecured(t)
	s, url, _ := start(t, httpx.ServerConfig{Handler: hello(), TLS: secure.cfg})
	res, err := client(t).Get("http" + strings.TrimPrefix(url, "https"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(body), "HTTP request to an HTTPS server") {
		t.Errorf("plain HTTP: got %s %s", res.Status, body)
	}
	for name, bytes := range map[string]string{
		"garbage":          "\x00\x01\x02garbage that is no TLS record",
		"a huge record":    "\x16\x03\x01\xff\xff" + strings.Repeat("a", 100),
		"SSL 3":            "\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + strings.Repeat("\x00", 41),
		"a broken hello":   "\x16\x03\x01\x00\x08\x01\x00\x00\x04\xff\xff\xff\xff",
		"application data": "\x17\x03\x03\x00\x05hello",
	} {
		c := dial(t, s)
		if _, err := io.WriteString(c, bytes); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if said := end(t, c); len(said) > 64 {
			t.Errorf("%s: got %q", name, said)
		}
	}
	eventually(t, "the places are free again", func() bool { return s.Connections() == 0 })
	if _, body := text(t, secure.client("HTTP/2.0"), url); body != "hello" {
		t.Errorf("afterwards: got %q", body)
	}
}

// TestRefusedBodyOverHTTP2: a body that is too large costs its sender the request, not
// the connection that it shares with streams.
func TestRefusedBodyOverHTTP2(t *testing.T) {
	t.Parallel()
	secure := newSecured(t)
	lines := make(chan string)
	e := httpx.NewEcho(httpx.EchoConfig{MaxBody: 1000})
	e.GET("/", echo.WrapHandler(teller(lines, patience)))
	e.POST("/", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		return c.NoContent(204)
	})
	s, url, _ := start(t, httpx.ServerConfig{Handler: e, TLS: secure.cfg})
	c := secure.client("HTTP/2.0")
	stream, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	for size, want := range map[int]int{1000: 204, 1001: 413, 10 << 20: 413} {
		for range 3 {
			res, err := c.Post(url, "text/plain", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%d bytes: got %s", size, res.Status)
			}
		}
	}
	tell(t, lines, stream.Body, "still here\n")
	if n := s.Connections(); n != 1 {
		t.Errorf("there are %d connections", n)
	}
}
