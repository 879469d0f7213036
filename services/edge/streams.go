package edge

import (
	"errors"
	"maps"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/codec"
	"tidings/services/edge/connection"
	"tidings/services/edge/ordinary"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// Routes registers the edge's routes.
func (e *Edge) Routes(r *echo.Echo) {
	known := httpx.Authenticate(e.cfg.Auth)
	r.GET("/v1/events", e.events) // these authenticate themselves: some refusals are not 4xx
	r.GET("/v1/ws", e.socket)
	r.GET("/v1/poll", e.poll)
	r.POST("/v1/tickets", e.issueTicket, known)
	r.POST("/v1/connections/:conn/topics", e.changeTopics, known)
	r.POST("/v1/connections/:conn/token", e.renewToken) // the token may be in the body
	r.GET("/v1/topics/:topic/events", e.history, known)
	r.POST("/v1/publish", e.publish, known)
	e.notificationRoutes(r)
}

// events is GET /v1/events: a stream of Server-Sent Events.
func (e *Edge) events(c echo.Context) error {
	httpx.MarkStream(c)
	conn, start, bye, err := e.admit(c, formSSE)
	switch {
	case err != nil:
		return err
	case bye != nil:
		e.ordinary.Refuse(c, *bye)
		return nil
	}
	e.serve(c, conn, start)
	return nil
}

// socket is GET /v1/ws: the same as messages of a WebSocket, which takes commands.
func (e *Edge) socket(c echo.Context) error {
	shake, err := websocket.Accept(c.Request(), true)
	if refusal, ok := errors.AsType[*websocket.HandshakeError](err); ok {
		maps.Copy(c.Response().Header(), refusal.Header)
		return err
	}
	conn, start, bye, err := e.admit(c, formSocket(shake.Deflate))
	switch {
	case err != nil:
		return err
	case bye != nil:
		return e.ordinary.RefuseSocket(c, &shake, *bye)
	}
	start.Handshake = &shake
	e.serve(c, conn, start)
	return nil
}

// poll is GET /v1/poll: what comes next, for those whom nothing else reaches.
func (e *Edge) poll(c echo.Context) error {
	httpx.MarkStream(c)
	wait, err := parseWait(c.Request())
	if err != nil {
		return err
	}
	conn, start, bye, err := e.admit(c, formList)
	switch {
	case err != nil:
		return err
	case bye != nil:
		return ordinary.Problem(*bye)
	}
	return e.ordinary.Poll(c, conn, start, wait)
}

// form is how a request wants to be answered.
type form struct {
	codec  func(echo.Context) codec.Codec
	params []string // that the form has beyond those of all
	// silent says that it may begin without topics, since it can ask for them later.
	silent bool
}

var (
	formSSE = form{codec: func(c echo.Context) codec.Codec {
		return codec.SSE(httpx.AcceptsGzip(c.Request().Header))
	}}
	formList = form{codec: func(echo.Context) codec.Codec { return codec.List() }, params: []string{"wait"}}
)

func formSocket(deflate bool) form {
	return form{codec: func(echo.Context) codec.Codec { return codec.WebSocket(deflate) }, silent: true}
}

// admit makes a connection of a request. A refusal that will pass is a bye, any other
// one an error.
func (e *Edge) admit(c echo.Context, f form) (*connection.Conn, connection.Start, *wire.Bye, error) {
	var none connection.Start
	g, err := e.cfg.Auth.Authenticate(c.Request())
	if refusal, ok := errors.AsType[*auth.Error](err); ok && refusal.Code == auth.CodeKeysUnavailable {
		return nil, none, e.host.Refused(&wire.Keys), nil
	}
	if err != nil {
		return nil, none, nil, err
	}
	req, err := e.parseRequest(c.Request(), g, f)
	if err != nil {
		return nil, none, nil, err
	}
	if e.unable() != nil && !e.host.Draining() {
		return nil, none, e.host.Refused(&wire.Away), nil
	}
	req.Codec, req.IP = f.codec(c), c.RealIP()
	conn, start, bye := e.host.Admit(c.Request().Context(), &req)
	return conn, start, bye, nil
}

// serve gives a connection to the first sink that can serve it.
func (e *Edge) serve(c echo.Context, conn *connection.Conn, start connection.Start) {
	for _, s := range e.sinks {
		if s.Serve(c, conn, start) {
			return
		}
	}
	e.host.Release(conn, connection.CauseFailed)
}
