package edge

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// writePiece is how much must go out within the stall time: at 16 KiB a minute a
// reader counts as slow, not as stalled.
const writePiece = 16 << 10

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
	if bye, ok := e.conns.add(s, &e.cfg); !ok {
		return e.refuse(c, bye)
	}
	defer e.conns.remove(s)
	if e.draining.Load() { // it began while we were joining
		return e.refuse(c, byeDraining)
	}
	s.view = e.tail.Join(s, req.patterns)
	defer s.view.Leave()
	void, err := s.locate(c.Request().Context(), req)
	if err != nil {
		e.log.Warn("a connection could not find its place in the log", "err", err)
		return e.refuse(c, byeAway)
	}
	s.sink = openStream(c.Response(), e.cfg.Stall)
	if err := s.begin(void); err != nil {
		e.metrics.ends.WithLabelValues(causeGone).Inc()
		return nil
	}
	result := "fresh"
	if s.resumed {
		result = "resumed"
	}
	e.metrics.connects.WithLabelValues(result).Inc()
	e.metrics.ends.WithLabelValues(s.run(c.Request().Context())).Inc()
	return nil
}

// refuse answers a wish that may come true later. Any status but 200 would make a
// native EventSource give up for ever.
func (e *Edge) refuse(c echo.Context, b Bye) error {
	e.metrics.connects.WithLabelValues(b.Code).Inc()
	b = b.withRetry()
	s := openStream(c.Response(), e.cfg.Stall)
	// The client may be gone; there is nobody to tell then.
	_ = s.Write(appendRetry(nil, b.RetryMS), appendControl(nil, zeroCursor, typeBye, b))
	return nil
}

// httpStream is the ordinary sink: the handler's goroutine writes and flushes. It
// works on every transport net/http serves.
type httpStream struct {
	w     io.Writer
	rc    *http.ResponseController
	stall time.Duration
}

// openStream writes the response head.
func openStream(w *echo.Response, stall time.Duration) *httpStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &httpStream{w: w, rc: http.NewResponseController(w), stall: stall}
}

// Write implements sink.
func (s *httpStream) Write(buffers ...[]byte) error {
	room := 0
	for _, b := range buffers {
		for len(b) > 0 {
			if room <= 0 {
				// Each piece gets the stall time anew, which makes it a bound on progress and
				// not on how long a slow reader may take in all.
				if err := s.rc.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
					return err
				}
				room = writePiece
			}
			n := min(len(b), room)
			if _, err := s.w.Write(b[:n]); err != nil {
				return stalled(err)
			}
			b, room = b[n:], room-n
		}
	}
	return stalled(s.rc.Flush())
}

// stalled recognises a write that ran into its deadline.
func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return err
}
