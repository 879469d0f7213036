package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tidings/shared/auth"
	"tidings/shared/httpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer is a log's writer that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

// document is what a caller sees of a problem.
type document struct {
	Type, Title, Code, Detail, Hint, Param string
	Status                                 int
	RequestID                              string `json:"request_id"`
}

// ask sends one request through h without a network.
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func problem(t *testing.T, w *httptest.ResponseRecorder) document {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	var d document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if d.Status != w.Code || d.Type != "urn:tidings:problem:"+d.Code || d.Title == "" || d.Detail == "" {
		t.Errorf("incomplete problem with status %d: %+v", w.Code, d)
	}
	if d.RequestID == "" || d.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("request id %q, header %q", d.RequestID, w.Header().Get("X-Request-Id"))
	}
	return d
}

// faults is an error of another package that can show itself.
type faults struct{ p *httpx.Problem }

func (f faults) Error() string           { return "secret faults" }
func (f faults) Problem() *httpx.Problem { return f.p }

var errStore = errors.New("secret store is away")

func TestErrorRendering(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		want   document // non-empty fields must match
		header map[string]string
		log    string // level under which the error is logged
	}{
		{
			name: "problem", err: httpx.Bad("topics", "bad_topic", "It is bad.").WithHint("Make it good.").WithCause(errStore),
			status: 400, code: "bad_topic", want: document{Detail: "It is bad.", Hint: "Make it good.", Param: "topics", Title: "Bad Request"}, log: "DEBUG",
		},
		{
			name: "wrapped problem", err: fmt.Errorf("secret: %w", httpx.NewProblem(503, "away", "It is away.").WithRetryAfter(1200*time.Millisecond)),
			status: 503, code: "away", header: map[string]string{"Retry-After": "2"}, log: "WARN",
		},
		{name: "broken problem", err: &httpx.Problem{Detail: "secret"}, status: 500, code: "internal", log: "ERROR"},
		{
			name: "no token", err: &auth.Error{Code: auth.CodeTokenMissing, Reason: "no credential was sent", Err: errStore},
			status: 401, code: "token_missing", want: document{Detail: "No credential was sent."},
			header: map[string]string{"WWW-Authenticate": `Bearer realm="tidings"`}, log: "DEBUG",
		},
		{
			name: "bad token", err: fmt.Errorf("secret: %w", &auth.Error{Code: auth.CodeTokenExpired, Reason: `it "ended" …`}),
			status: 401, code: "token_expired",
			header: map[string]string{"WWW-Authenticate": `Bearer realm="tidings", error="invalid_token", error_description="It 'ended' ."`}, log: "DEBUG",
		},
		{name: "origin", err: &auth.Error{Code: auth.CodeOriginRefused, Reason: "x"}, status: 403, code: "origin_refused", header: map[string]string{"WWW-Authenticate": ""}, log: "DEBUG"},
		{name: "keys", err: &auth.Error{Code: auth.CodeKeysUnavailable, Reason: "x", Err: errStore}, status: 503, code: "keys_unavailable", header: map[string]string{"Retry-After": "5"}, log: "WARN"},
		{name: "problemer", err: fmt.Errorf("x: %w", faults{httpx.NewProblem(422, "invalid_events", "Some are bad.")}), status: 422, code: "invalid_events", log: "DEBUG"},
		{name: "problemer without", err: faults{}, status: 500, code: "internal", log: "ERROR"},
		{name: "classified", err: fmt.Errorf("append: %w", errStore), status: 503, code: "log_unavailable", log: "WARN"},
		{name: "too large", err: fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 77}), status: 413, code: "body_too_large", want: document{Detail: "The body is over 77 bytes."}, log: "DEBUG"},
		{name: "echo 415", err: echo.ErrUnsupportedMediaType, status: 415, code: "unsupported_media_type", log: "DEBUG"},
		{name: "echo 400", err: echo.NewHTTPError(400, "secret type names"), status: 400, code: "bad_request", log: "DEBUG"},
		{name: "echo 500", err: echo.NewHTTPError(500, "secret"), status: 500, code: "internal", log: "ERROR"},
		{name: "echo redirect", err: echo.NewHTTPError(302, "secret"), status: 500, code: "internal", log: "ERROR"},
		{name: "echo with a problem inside", err: echo.NewHTTPError(400, "secret").SetInternal(httpx.Bad("a", "bad_a", "A is bad.")), status: 400, code: "bad_a", log: "DEBUG"},
		{name: "timeout", err: fmt.Errorf("secret: %w", context.DeadlineExceeded), status: 504, code: "timeout", header: map[string]string{"Retry-After": "2"}, log: "WARN"},
		{name: "cancelled by ourselves", err: context.Canceled, status: 500, code: "internal", log: "ERROR"},
		{name: "anything", err: errors.New("secret"), status: 500, code: "internal", want: document{Title: "Internal Server Error"}, log: "ERROR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out logBuffer
			e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelDebug), Classify: func(err error) *httpx.Problem {
				if errors.Is(err, errStore) {
					return httpx.NewProblem(503, "log_unavailable", "The log is away.")
				}
				return nil
			}})
			e.GET("/x", func(c echo.Context) error {
				// What a failed answer leaves behind must not reach the problem.
				c.Response().Header().Set("Content-Length", "9999")
				c.Response().Header().Set("ETag", "x")
				return tt.err
			})
			w := ask(e, "GET", "/x?ticket=abc", "")
			d := problem(t, w)
			if w.Code != tt.status || d.Code != tt.code {
				t.Errorf("got %d %s, want %d %s", w.Code, d.Code, tt.status, tt.code)
			}
			for _, pair := range [][2]string{{tt.want.Detail, d.Detail}, {tt.want.Hint, d.Hint}, {tt.want.Param, d.Param}, {tt.want.Title, d.Title}} {
				if pair[0] != "" && pair[0] != pair[1] {
					t.Errorf("got %q, want %q", pair[1], pair[0])
				}
			}
			for k, v := range tt.header {
				if got := w.Header().Get(k); got != v {
					t.Errorf("%s is %q, want %q", k, got, v)
				}
			}
			if strings.Contains(w.Body.String(), "secret") || w.Header().Get("ETag") != "" || w.Header().Get("Content-Length") == "9999" {
				t.Errorf("the answer leaks: %v %s", w.Header(), w.Body)
			}
			log := out.String()
			if strings.Count(log, "request failed") != 1 || !strings.Contains(log, "level="+tt.log) {
				t.Errorf("the error must be logged once, as %s:\n%s", tt.log, log)
			}
			if strings.Contains(log, "ticket") || strings.Contains(log, "abc") {
				t.Errorf("the log has the query:\n%s", log)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.HEAD("/x", func(echo.Context) error { return errStore })
	w := ask(e, "HEAD", "/x", "")
	if w.Code != 500 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/v1/things/:id", func(c echo.Context) error { return c.NoContent(204) })
	e.PUT("/v1/things/:id", func(c echo.Context) error { return c.NoContent(204) })

	w := ask(e, "DELETE", "/v1/things/1", "")
	if d := problem(t, w); w.Code != 405 || d.Code != "method_not_allowed" {
		t.Errorf("got %d %+v", w.Code, d)
	}
	for _, m := range []string{"GET", "PUT"} {
		if !strings.Contains(w.Header().Get("Allow"), m) {
			t.Errorf("Allow is %q", w.Header().Get("Allow"))
		}
	}
	w = ask(e, "GET", "/v1/nothing", "")
	if d := problem(t, w); w.Code != 404 || d.Code != "not_found" {
		t.Errorf("got %d %+v", w.Code, d)
	}
	w = ask(e, "GET", "/v1/things/1", "")
	for k, v := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "", "Vary": ""} {
		if got := w.Header().Get(k); got != v {
			t.Errorf("%s is %q, want %q", k, got, v)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/x", func(c echo.Context) error { return c.String(200, httpx.RequestID(c)) })
	for id, kept := range map[string]bool{
		"": false, "abc-123": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		"a b": false, "a\tb": false, "ä": false, `a"b`: false, `a\b`: false, "<script>": false, "a\x7f": false,
	} {
		w := ask(e, "GET", "/x", "", "X-Request-Id", id)
		got := w.Body.String()
		if got != w.Header().Get("X-Request-Id") || (got == id) != kept || len(got) < 7 {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	var out logBuffer
	e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelInfo)})
	e.GET("/x", func(echo.Context) error { panic("secret in a panic") })
	e.GET("/half", func(c echo.Context) error {
		_, _ = io.WriteString(c.Response(), "half of it")
		panic("too late")
	})
	e.GET("/abort", func(echo.Context) error { panic(http.ErrAbortHandler) })

	w := ask(e, "GET", "/x", "")
	if d := problem(t, w); w.Code != 500 || d.Code != "internal" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	log := out.String()
	if strings.Count(log, "request failed") != 1 || !strings.Contains(log, "panic: secret in a panic") || !strings.Contains(log, "stack=") {
		t.Errorf("the log misses the panic:\n%s", log)
	}
	for _, path := range []string{"/half", "/abort"} {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("%s: the connection must be cut, got %v", path, v)
				}
			}()
			ask(e, "GET", path, "")
		}()
	}
	if !strings.Contains(out.String(), "too late") {
		t.Errorf("the log misses the second panic:\n%s", out.String())
	}
}

// TestBegunAnswer: an error after the first byte is logged and changes nothing.
func TestBegunAnswer(t *testing.T) {
	t.Parallel()
	var out logBuffer
	e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelInfo)})
	e.GET("/x", func(c echo.Context) error { return errors.Join(c.String(200, "fine"), errStore) })
	w := ask(e, "GET", "/x", "")
	if w.Code != 200 || w.Body.String() != "fine" || strings.Count(out.String(), errStore.Error()) != 1 {
		t.Errorf("got %d %q, log:\n%s", w.Code, w.Body, out.String())
	}
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	var out logBuffer
	e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelInfo)})
	e.GET("/x", func(c echo.Context) error { return fmt.Errorf("wait: %w", c.Request().Context().Err()) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/x", nil))
	if w.Code != httpx.StatusClientGone || strings.Contains(out.String(), "request failed") || !strings.Contains(out.String(), "code=client_gone") {
		t.Errorf("got %d, log:\n%s", w.Code, out.String())
	}
}

func TestRealIP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, remote, xff, want string
		trusted                 []string
	}{
		{name: "nobody is trusted", remote: "127.0.0.1:1", xff: "6.6.6.6", want: "127.0.0.1"},
		{name: "private is not trusted by itself", remote: "10.0.0.9:1", xff: "6.6.6.6", want: "10.0.0.9", trusted: []string{"10.1.0.0/16"}},
		{name: "proxy", remote: "10.1.0.9:1", xff: "6.6.6.6", want: "6.6.6.6", trusted: []string{"10.1.0.0/16"}},
		{name: "spoofed", remote: "10.1.0.9:1", xff: "1.1.1.1, 6.6.6.6", want: "6.6.6.6", trusted: []string{"10.1.2.3/16"}},
		{name: "two proxies", remote: "[fd00::1]:1", xff: "6.6.6.6, 10.1.0.1", want: "6.6.6.6", trusted: []string{"10.1.0.0/16", "fd00::/8"}},
		{name: "garbage", remote: "10.1.0.9:1", xff: "nonsense", want: "10.1.0.9", trusted: []string{"10.1.0.0/16"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var prefixes []netip.Prefix
			for _, s := range tt.trusted {
				prefixes = append(prefixes, netip.MustParsePrefix(s))
			}
			e := httpx.NewEcho(httpx.EchoConfig{TrustedProxies: prefixes})
			e.GET("/x", func(c echo.Context) error { return c.String(200, c.RealIP()) })
			r := httptest.NewRequest("GET", "/x", nil)
			r.RemoteAddr = tt.remote
			r.Header.Set("X-Forwarded-For", tt.xff)
			r.Header.Set("X-Real-Ip", "7.7.7.7")
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if got := w.Body.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMetricsAndAccessLog(t *testing.T) {
	t.Parallel()
	var out logBuffer
	reg := prometheus.NewRegistry()
	e := httpx.NewEcho(httpx.EchoConfig{Log: out.logger(slog.LevelDebug), Registerer: reg})
	// A second Echo of the same process counts into the same metrics.
	other := httpx.NewEcho(httpx.EchoConfig{Registerer: reg})
	routes := func(e *echo.Echo) {
		// A group's catch-all must not become a route either.
		e.Group("/v1/unknown", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
		e.GET("/v1/things/:id", func(c echo.Context) error { return c.NoContent(204) })
		e.GET("/v1/stream", func(c echo.Context) error { httpx.MarkStream(c); return c.NoContent(200) })
	}
	routes(e)
	routes(other)
	for i := range 3 {
		ask(e, "GET", fmt.Sprintf("/v1/things/%d?token=t0ken", i), "", "Authorization", "Bearer t0ken")
		ask(e, "GET", fmt.Sprintf("/v1/unknown/%d", i), "")
		ask(e, "GET", fmt.Sprintf("/elsewhere/%d", i), "")
	}
	ask(other, "GET", "/v1/things/9", "")
	ask(e, "BREW", "/v1/things/1", "")
	ask(e, "GET", "/v1/stream", "")

	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"tidings_http_requests_total 204 GET /v1/things/:id":   4,
		"tidings_http_requests_total 404 GET unmatched":        6,
		"tidings_http_requests_total 405 other /v1/things/:id": 1,
		"tidings_http_requests_total 200 GET /v1/stream":       1,
		"tidings_http_request_seconds GET /v1/things/:id":      4,
		"tidings_http_request_seconds GET unmatched":           6,
		"tidings_http_request_seconds other /v1/things/:id":    1,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	log := out.String()
	if strings.Contains(log, "t0ken") || strings.Contains(log, "elsewhere") {
		t.Errorf("the access log tells too much:\n%s", log)
	}
	if !strings.Contains(log, "method=GET route=/v1/things/:id status=204 took=") || !strings.Contains(log, "stream=true") {
		t.Errorf("the access log tells too little:\n%s", log)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	local := &auth.Grant{User: "dev"}
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/open", func(c echo.Context) error { return c.String(200, fmt.Sprint(httpx.Grant(c) == nil)) })
	e.GET("/who", func(c echo.Context) error { return c.String(200, httpx.Grant(c).User) }, httpx.Authenticate(&auth.Authenticator{Local: local}))

	if w := ask(e, "GET", "/open", ""); w.Body.String() != "true" {
		t.Errorf("a grant from nowhere: %q", w.Body)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1/who", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "dev" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	w = ask(e, "GET", "/who", "")
	if d := problem(t, w); w.Code != 401 || d.Code != "token_missing" || w.Header().Get("WWW-Authenticate") != `Bearer realm="tidings"` {
		t.Errorf("got %d %+v %v", w.Code, d, w.Header())
	}
	w = ask(e, "GET", "/who", "", "Authorization", "Bearer nonsense")
	if d := problem(t, w); w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("got %d %+v %v", w.Code, d, w.Header())
	}
	w = ask(e, "GET", "/who", "", "Cookie", "tidings_token=x", "Origin", "https://evil.example")
	if d := problem(t, w); w.Code != 403 || d.Code != "origin_refused" {
		t.Errorf("got %d %+v", w.Code, d)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.POST("/x", func(c echo.Context) error {
		var v struct {
			Name string `json:"name"`
		}
		if err := c.Bind(&v); err != nil {
			return err
		}
		return c.String(200, v.Name)
	})
	if w := ask(e, "POST", "/x?Name=query", `{"name":"body"}`); w.Body.String() != "body" {
		t.Errorf("got %q", w.Body)
	}
	w := ask(e, "POST", "/x", `{"name":"body","admin":true}`)
	if d := problem(t, w); d.Code != "unknown_field" || d.Param != "admin" {
		t.Errorf("got %+v", d)
	}
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	p := httpx.Bad("topic", "bad_topic", "It is bad.").WithCause(errStore)
	if q := p.WithHint("h").WithParam("q").WithRetryAfter(time.Second); q == p || p.Hint != "" || p.Param != "topic" || p.RetryAfter != 0 {
		t.Error("With must copy")
	}
	data, err := json.Marshal(map[string]any{"error": p})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"error":{"type":"urn:tidings:problem:bad_topic","title":"Bad Request","status":400,"code":"bad_topic","detail":"It is bad.","param":"topic"}}`
	if string(data) != want {
		t.Errorf("got %s", data)
	}
	if !errors.Is(p, errStore) || p.Error() != "bad_topic (topic): It is bad.: "+errStore.Error() {
		t.Errorf("got %v", p)
	}
}
