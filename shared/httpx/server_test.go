package httpx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

// patience bounds what should happen at once.
const patience = 10 * time.Second

// start runs a server on a free port. stop ends it and gives what Run returned.
func start(t *testing.T, cfg httpx.ServerConfig, change ...func(*httpx.Server)) (s *httpx.Server, url string, stop func() error) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s, err := httpx.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range change {
		fn(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var ran error
	go func() { defer close(done); ran = s.Run(ctx) }()
	stop = func() error { cancel(); <-done; return ran }
	t.Cleanup(func() { _ = stop() })
	scheme := "http://"
	if cfg.TLS != nil {
		scheme = "https://"
	}
	return s, scheme + s.Addr().String(), stop
}

// client makes connections that end with the test.
func client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// dial opens a raw connection that ends with the test.
func dial(t *testing.T, s *httpx.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for a condition without a fixed time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited too long: %s", what)
		}
	}
}

func TestServerPortAndStop(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/", func(c echo.Context) error { return c.String(200, "hello") })
	s, url, stop := start(t, httpx.ServerConfig{Handler: e})
	if a, ok := s.Addr().(*net.TCPAddr); !ok || a.Port == 0 {
		t.Fatalf("Addr is %v", s.Addr())
	}
	if _, err := httpx.Listen(httpx.ServerConfig{Addr: s.Addr().String()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening twice gave %v", err)
	}
	res, err := client(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil || string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := stop(); err != nil {
		t.Errorf("a clean stop returned %v", err)
	}
	if _, err := client(t).Get(url); err == nil {
		t.Error("the listener is still open")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close after Run: %v", err)
	}
	eventually(t, "connections are counted down", func() bool { return s.Connections() == 0 })
}

func TestServerNeverRun(t *testing.T) {
	t.Parallel()
	s, err := httpx.Listen(httpx.ServerConfig{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("a closed server must not run")
	}
	if _, err := httpx.Listen(httpx.ServerConfig{Addr: "nonsense"}); err == nil {
		t.Error("a bad address must be refused")
	}
}

// TestGracefulStop: a request that is running when the stop begins is answered,
// and its context has not ended.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	began, told := make(chan struct{}), make(chan struct{})
	_, url, stop := start(t, httpx.ServerConfig{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-told
			_, _ = fmt.Fprint(w, r.Context().Err())
		}),
		OnShutdown: func(context.Context) { close(told) },
	})
	answer := make(chan string, 1)
	c := client(t)
	go func() {
		res, err := c.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-began
	if err := stop(); err != nil {
		t.Errorf("got %v", err)
	}
	if got := <-answer; got != "<nil>" {
		t.Errorf("the request ended with %q", got)
	}
}

// TestGraceOver: a request that sees its context end may still say goodbye; one
// that does not look is cut.
func TestGraceOver(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"polite": false, "deaf": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, release := make(chan struct{}), make(chan struct{})
			e := httpx.NewEcho(httpx.EchoConfig{})
			e.GET("/", func(c echo.Context) error {
				close(began)
				if deaf {
					<-release
					return nil
				}
				<-c.Request().Context().Done()
				return c.Request().Context().Err()
			})
			_, url, stop := start(t, httpx.ServerConfig{Handler: e, Grace: time.Millisecond})
			t.Cleanup(func() { close(release) })
			answer := make(chan string, 1)
			c := client(t)
			go func() {
				res, err := c.Get(url)
				if err != nil {
					answer <- "cut"
					return
				}
				defer res.Body.Close()
				body, _ := io.ReadAll(res.Body)
				answer <- string(body)
			}()
			<-began
			err, got := stop(), <-answer
			if deaf && (!errors.Is(err, httpx.ErrForced) || got != "cut") {
				t.Errorf("got %v, %q", err, got)
			}
			if !deaf && (err != nil || !strings.Contains(got, "shutting_down")) {
				t.Errorf("got %v, %q", err, got)
			}
		})
	}
}

// TestStreamThroughMiddleware: flushing, deadlines and hijacking work behind all
// of NewEcho's middleware.
func TestStreamThroughMiddleware(t *testing.T) {
	t.Parallel()
	var out logBuffer
	e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelDebug)})
	next := make(chan struct{})
	e.GET("/flush", func(c echo.Context) error {
		httpx.MarkStream(c)
		control := http.NewResponseController(c.Response())
		if err := control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		_, _ = io.WriteString(c.Response(), "one\n")
		if err := control.Flush(); err != nil {
			return err
		}
		<-next
		_, _ = io.WriteString(c.Response(), "two\n")
		return nil
	})
	e.GET("/hijack", func(c echo.Context) error {
		conn, rw, err := httpx.Hijack(c, http.StatusOK)
		if err != nil {
			return err
		}
		defer conn.Close()
		raw, ok := conn.(syscall.Conn)
		if !ok {
			return fmt.Errorf("%T has no SyscallConn", conn)
		}
		if _, err := raw.SyscallConn(); err != nil {
			return err
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		return errors.Join(rw.Flush(), errStore)
	})
	s, url, _ := start(t, httpx.ServerConfig{Handler: e})
	c := client(t)

	res, err := c.Get(url + "/flush")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); line != "one\n" {
		t.Errorf("got %q, %v", line, err)
	}
	close(next)
	if line, err := lines.ReadString('\n'); line != "two\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}

	res, err = c.Get(url + "/hijack")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
	eventually(t, "the error after the hijack is logged", func() bool { return strings.Contains(out.String(), "route=/hijack status=200") })
	if !strings.Contains(out.String(), errStore.Error()) {
		t.Errorf("the log misses the error:\n%s", out.String())
	}
	c.CloseIdleConnections()
	eventually(t, "a hijacked connection gives its place back", func() bool { return s.Connections() == 0 })
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	e := httpx.NewEcho(httpx.EchoConfig{MaxBody: 1000})
	e.POST("/", func(c echo.Context) error {
		n, err := io.Copy(io.Discard, c.Request().Body)
		read.Store(n)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		return c.String(200, fmt.Sprint(n))
	})
	s, _, _ := start(t, httpx.ServerConfig{Handler: e})
	for _, tt := range []struct {
		name, head, body string
		status           string
	}{
		{name: "fits", head: "Content-Length: 1000", body: strings.Repeat("x", 1000), status: "200"},
		{name: "declared", head: "Content-Length: 1001", status: "413"},
		{name: "chunked fits", head: "Transfer-Encoding: chunked", body: "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n0\r\n\r\n", status: "200"},
		{name: "chunked", head: "Transfer-Encoding: chunked", body: "7d0\r\n" + strings.Repeat("x", 2000) + "\r\n0\r\n\r\n", status: "413"},
	} {
		func() {
			c := dial(t, s)
			if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", tt.head, tt.body); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if !strings.HasPrefix(res.Status, tt.status) || read.Load() > 1000 {
				t.Errorf("%s: got %s %s after %d bytes", tt.name, res.Status, body, read.Load())
			}
			if tt.status == "413" && !strings.Contains(string(body), `"body_too_large"`) {
				t.Errorf("%s: got %s", tt.name, body)
			}
		}()
	}
}

// TestConnectionCap: at the cap new connections wait and get their turn.
func TestConnectionCap(t *testing.T) {
	t.Parallel()
	var out logBuffer
	s, _, stop := start(t, httpx.ServerConfig{
		MaxConns: 2, Log: out.logger(slog.LevelWarn),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }),
	})
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	answered := func(c net.Conn) error {
		if _, err := io.WriteString(c, request); err != nil {
			return err
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	first, second := dial(t, s), dial(t, s)
	if err := errors.Join(answered(first), answered(second)); err != nil {
		t.Fatal(err)
	}
	third := dial(t, s)
	got := make(chan error, 1)
	go func() { got <- answered(third) }()
	eventually(t, "the log tells that the server is full", func() bool { return strings.Contains(out.String(), "connections are taken") })
	if s.Connections() != 2 {
		t.Errorf("%d connections", s.Connections())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("the third connection got %v", err)
	}
	// A stop must not hang in an Accept that waits for a place.
	if err := stop(); err != nil {
		t.Error(err)
	}
}
