package edge

import (
	"errors"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// Routes registers the edge's routes.
func (e *Edge) Routes(r *echo.Echo) {
	known := httpx.Authenticate(e.cfg.Auth)
	r.GET("/v1/events", e.events) // authenticates itself: some refusals are not 4xx
	r.POST("/v1/tickets", e.issueTicket, known)
	r.GET("/v1/topics/:topic/events", e.history, known)
	r.POST("/v1/publish", e.publish, known)
}

// events is GET /v1/events: a Server-Sent Events stream.
func (e *Edge) events(c echo.Context) error {
	httpx.MarkStream(c)
	g, err := e.cfg.Auth.Authenticate(c.Request())
	if err != nil {
		var refusal *auth.Error
		if errors.As(err, &refusal) && refusal.Code == auth.CodeKeysUnavailable {
			return e.refuse(c, byeKeys)
		}
		return err
	}
	req, err := e.parseRequest(c.Request(), g)
	if err != nil {
		return err
	}
	if e.draining.Load() {
		return e.refuse(c, byeDraining)
	}
	if e.unable() != nil {
		return e.refuse(c, byeAway)
	}
	s := newConn(e, g, c.RealIP(), req.patterns)
	s.gzip = httpx.AcceptsGzip(c.Request().Header)
	if bye, ok := e.conns.admit(s, &e.cfg); !ok {
		return e.refuse(c, bye)
	}
	// From here on whoever serves the connection releases it.
	if e.draining.Load() { // it began while we were joining
		e.conns.release(s)
		return e.refuse(c, byeDraining)
	}
	void, err := s.locate(c.Request().Context(), req)
	if err != nil {
		e.conns.release(s)
		e.log.Warn("a connection could not find its place in the log", "err", err)
		return e.refuse(c, byeAway)
	}
	result := "fresh"
	if s.resumed {
		result = "resumed"
	}
	e.metrics.connects.WithLabelValues(result).Inc()
	retry, words := s.opening(void)
	if e.raw != nil && e.raw.serve(c, s, retry, words) {
		return nil
	}
	e.serveOrdinary(c, s, retry, words)
	return nil
}

// serveOrdinary keeps the handler's goroutine until the stream ends.
func (e *Edge) serveOrdinary(c echo.Context, s *conn, retry, words []byte) {
	defer e.conns.release(s)
	o := newOrdinary(s)
	e.conns.join(o)
	defer e.conns.leave(o)
	if e.draining.Load() { // it began while we were joining
		o.leaveWithin(0)
	}
	o.view = e.tail.Join(o, s.patterns)
	defer o.view.Leave()
	o.out = openStream(c.Response(), e.cfg.Stall, s.gzip)
	cause := causeGone
	if o.send(retry) == nil && o.send(words) == nil {
		cause = o.run(c.Request().Context())
	}
	e.metrics.ends.WithLabelValues(cause).Inc()
}

// refuse answers a wish that may come true later. Any status but 200 would make a
// native EventSource give up for ever.
func (e *Edge) refuse(c echo.Context, b Bye) error {
	e.metrics.connects.WithLabelValues(b.Code).Inc()
	b = b.withRetry()
	s := openStream(c.Response(), e.cfg.Stall, false)
	// The client may be gone; there is nobody to tell then.
	_ = s.Write(appendRetry(nil, b.RetryMS), appendControl(nil, zeroCursor, typeBye, b))
	return nil
}
