package httpx

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultMaxBody bounds a request's body in bytes. It is the largest event that
// NATS takes in its default configuration; nothing sensible is larger.
const DefaultMaxBody = 1 << 20

// Keys of Echo's context that this package uses.
const (
	streamKey    = "tidings.stream"
	requestIDKey = "tidings.request_id"
)

// EchoConfig is what NewEcho needs. The zero value works.
type EchoConfig struct {
	// Log gets one line a request and the errors that callers may not see. Nil
	// means none.
	Log *slog.Logger
	// Registerer gets the request metrics. Nil means none. Several Echos may share
	// one; they count together.
	Registerer prometheus.Registerer
	// MaxBody bounds the body of a request in bytes; 0 means DefaultMaxBody. Routes
	// may set tighter limits of their own.
	MaxBody int64
	// Origins are the browser origins that may use the API from other hosts, each
	// exactly as browsers send it: "https://app.example.com". "*" stands for every
	// origin, but without cookies.
	Origins []string
	// TrustedProxies may tell the client's address in X-Forwarded-For. The header is
	// ignored when it comes from anywhere else.
	TrustedProxies []netip.Prefix
	// Classify explains errors of packages that this one cannot know, before they
	// become "internal". It answers nil for what it does not know either. May be nil.
	Classify func(error) *Problem

	// bodyTime is how long a body may take; 0 means the constant. Tests shorten it.
	bodyTime time.Duration
}

// NewEcho returns an Echo with all that every route needs: request ids, security
// headers, CORS, body limits, recovery from panics, error answers, access log and
// metrics. Its Bind is DecodeJSON on the body and nothing else. Add routes before
// it serves, and give middleware to routes rather than to a Group: Echo adds a
// catch-all to a group with middleware, which answers 404 where 405 is right.
func NewEcho(cfg EchoConfig) *echo.Echo {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.bodyTime <= 0 {
		cfg.bodyTime = bodyTime
	}
	v := &envelope{log: cfg.Log, maxBody: cfg.MaxBody, bodyTime: cfg.bodyTime, cors: newCORS(cfg.Origins), classify: cfg.Classify, metrics: newMetrics(cfg.Registerer)}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.StdLogger = slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)
	e.Logger.SetOutput(e.StdLogger.Writer())
	e.Binder = binder{}
	e.HTTPErrorHandler = func(err error, c echo.Context) { v.fail(c, err) }
	e.IPExtractor, e.SchemeExtractor = extractors(cfg.TrustedProxies)
	e.Use(v.wrap)
	return e
}

// extractors say how Echo learns the client's address and scheme: from the
// connection, and from headers only where a trusted proxy made it. Echo's own
// defaults trust every private address.
func extractors(trusted []netip.Prefix) (echo.IPExtractor, echo.SchemeExtractor) {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect(), echo.ExtractSchemeDirect()
	}
	opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		p = p.Masked()
		opts = append(opts, echo.TrustIPRange(&net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(opts...), echo.ExtractSchemeFromHeaders(opts...)
}

// binder makes Echo's Bind as strict as DecodeJSON. Echo's own also fills fields
// from the query and ignores what it does not know.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(v any, c echo.Context) error { return DecodeJSON(c.Request().Body, v) }

// MarkStream says that the answer to this request is a stream that stays open. Its
// duration is then left out of the histogram, where it would mean nothing.
func MarkStream(c echo.Context) { c.Set(streamKey, true) }

// Hijack takes over the connection of a request, as http.ResponseController does,
// and marks it as a stream whose answer has begun with status: errors that the
// handler returns afterwards are only logged. The caller must write the head,
// and must close the connection.
func Hijack(c echo.Context, status int) (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.Response()).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack: %w", err)
	}
	MarkStream(c)
	c.Response().Status, c.Response().Committed = status, true
	return conn, rw, nil
}

// RequestID returns the id of a request, which is also in its answer's header
// X-Request-Id and in the log; "" outside NewEcho's handlers.
func RequestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}
