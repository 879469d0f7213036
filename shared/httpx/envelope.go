package httpx

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
)

const (
	// maxRequestID is the longest X-Request-Id that is taken over from a caller. The
	// common formats (UUID, ULID, trace ids) fit; more would only fill our log.
	maxRequestID = 64
	// maxStack is how many bytes of a panic's stack are logged: enough for the frames
	// that matter, not enough for a recursion to flood the log.
	maxStack = 8 << 10
)

// envelope is what surrounds every handler.
type envelope struct {
	log      *slog.Logger
	maxBody  int64
	bodyTime time.Duration
	cors     *cors
	classify func(error) *Problem
	metrics  *metrics // nil without a registerer
}

// wrap is the one middleware of NewEcho. It is the outermost: it sees the final
// status, because it answers errors itself instead of leaving them to Echo, which
// would do that after all middleware.
func (v *envelope) wrap(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		v.identify(c)
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		handled, err := v.cors.apply(c)
		var broken *panicked
		if !handled && err == nil {
			err = v.call(c, next)
			broken, _ = errors.AsType[*panicked](err)
		}
		code := ""
		if err != nil {
			code = v.fail(c, err)
		}
		v.observe(c, err, code, time.Since(start))
		if broken != nil && broken.begun {
			// The answer is incomplete. Ending it normally would make it look whole.
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}

// identify gives the request its id: the caller's, if it is harmless, so that a
// proxy's log and ours can be joined; else a new random one.
func (v *envelope) identify(c echo.Context) {
	id := c.Request().Header.Get(echo.HeaderXRequestID)
	if !harmless(id) {
		id = rand.Text()
	}
	c.Set(requestIDKey, id)
	c.Response().Header().Set(echo.HeaderXRequestID, id)
}

// harmless reports whether a foreign id may be logged and sent back.
func harmless(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '"' || id[i] == '\\' || id[i] == '<' {
			return false
		}
	}
	return true
}

// panicked is the error that a handler's panic becomes.
type panicked struct {
	value any
	stack []byte
	begun bool // the answer had begun
}

// Error implements error. It is only ever logged.
func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// call limits the body, runs the handler and turns its panic into an error. The
// panic with which a handler asks net/http to cut the connection passes.
func (v *envelope) call(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler:
			panic(value)
		default:
			stack := debug.Stack()
			err = &panicked{value: value, stack: stack[:min(len(stack), maxStack)], begun: c.Response().Committed}
		}
	}()
	if err := limitBody(c, v.maxBody, v.bodyTime); err != nil {
		return err
	}
	return next(c)
}

// fail answers with the problem that err is, unless an answer has begun, and logs
// what the caller may not see. It returns the problem's code.
func (v *envelope) fail(c echo.Context, err error) string {
	p := ended(c.Request().Context(), err)
	if p == nil {
		p = ProblemOf(err, v.classify)
	}
	v.report(c, p, err)
	if c.Response().Committed {
		return p.Code
	}
	if e, ok := errors.AsType[*auth.Error](err); ok && p.Status == http.StatusUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, challenge(e))
	}
	if err := writeProblem(c, p); err != nil {
		// The client is gone or the connection was hijacked: nobody is left to tell.
		v.log.DebugContext(c.Request().Context(), "a problem could not be sent", "request_id", RequestID(c), "err", err)
	}
	return p.Code
}

// writeProblem sends p. It takes back the headers of the answer that the handler
// had in mind.
func writeProblem(c echo.Context, p *Problem) error {
	body, err := json.Marshal(p.document(RequestID(c)))
	if err != nil {
		return fmt.Errorf("marshal problem: %w", err)
	}
	h := c.Response().Header()
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "ETag", "Last-Modified", "Expires"} {
		h.Del(name)
	}
	p.setHeaders(h, len(body))
	c.Response().WriteHeader(p.Status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if _, err := c.Response().Write(body); err != nil {
		return fmt.Errorf("write problem: %w", err)
	}
	return nil
}

// report logs an error once: ours as errors, those of something behind us as
// warnings, and a caller's only when someone looks closely.
func (v *envelope) report(c echo.Context, p *Problem, err error) {
	level := slog.LevelDebug
	switch {
	case p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout:
		level = slog.LevelWarn
	case p.Status >= 500:
		level = slog.LevelError
	}
	if !v.log.Enabled(c.Request().Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", RequestID(c)), slog.String("route", route(c, err)), slog.String("code", p.Code), slog.Any("err", err),
	}
	if b, ok := errors.AsType[*panicked](err); ok {
		attrs = append(attrs, slog.String("stack", string(b.stack)))
	}
	v.log.LogAttrs(context.WithoutCancel(c.Request().Context()), level, "request failed", attrs...)
}

// observe writes the access log and counts. Neither ever sees the path itself, the
// query or a header: they may hold names, tickets and tokens.
func (v *envelope) observe(c echo.Context, err error, code string, took time.Duration) {
	status, stream := c.Response().Status, c.Get(streamKey) != nil
	where, method := route(c, err), knownMethod(c.Request().Method)
	v.metrics.count(where, method, status, took, stream)
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("route", where), slog.Int("status", status),
		slog.Duration("took", took), slog.String("request_id", RequestID(c)),
	}
	if code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	if stream {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	// What went well is for debugging: at a thousand connections a second, the log
	// would cost more than the connections.
	level := slog.LevelDebug
	if status >= http.StatusBadRequest {
		level = slog.LevelInfo
	}
	v.log.LogAttrs(context.WithoutCancel(c.Request().Context()), level, "request", attrs...)
}
