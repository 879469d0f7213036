package ordinary

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/codec"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
	"tidings/shared/httpx"
)

// Refuse answers a wish for a stream that may come true later. Any status but 200
// would make a native EventSource give up for ever.
func (s *Sink) Refuse(c echo.Context, b wire.Bye) {
	b = b.WithRetry()
	form := codec.SSE(false)
	out := openStream(c, s.h.Config().Stall, false)
	// The client may be gone; there is nobody to tell then.
	_ = out.Write(form.Opening(b.RetryMS), form.Farewell(b))
}

// RefuseSocket is Refuse for a WebSocket, which is opened for it: browsers hide every
// other answer from a page.
func (s *Sink) RefuseSocket(c echo.Context, shake *websocket.Handshake, b wire.Bye) error {
	nc, _, err := httpx.Hijack(c, http.StatusSwitchingProtocols)
	if err != nil {
		return Problem(b)
	}
	defer nc.Close()
	form := codec.WebSocket(false)
	out := &takenWriter{nc: nc, stall: s.h.Config().Stall}
	if out.Write(shake.AppendHead(nil, c.Response().Header()), form.Farewell(b)) == nil {
		part(nc)
		ignore(nc) // until the client hangs up, or the time is up
	}
	return nil
}

// Problem is a refusal, or an end, where a status is seen: that of a long-poll.
func Problem(b wire.Bye) error {
	if !b.Return {
		return httpx.NewProblem(http.StatusForbidden, b.Code, b.Reason)
	}
	b = b.WithRetry()
	return httpx.NewProblem(http.StatusServiceUnavailable, b.Code, b.Reason).
		WithRetryAfter(time.Duration(b.RetryMS) * time.Millisecond)
}
