package edge

import (
	"errors"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/wire"
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
			return e.host.Refuse(c, wire.Keys)
		}
		return err
	}
	req, err := e.parseRequest(c.Request(), g)
	if err != nil {
		return err
	}
	if e.unable() != nil && !e.host.Draining() {
		return e.host.Refuse(c, wire.Away)
	}
	return e.host.Serve(c, req)
}
