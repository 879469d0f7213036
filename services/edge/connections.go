package edge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// topicsBody is the body of POST /v1/connections/:conn/topics.
type topicsBody struct {
	Add    []string `json:"add"`
	Remove []string `json:"remove"`
}

// changeTopics is POST /v1/connections/:conn/topics: a live stream goes on with other
// topics, whichever edge has it.
func (e *Edge) changeTopics(c echo.Context) error {
	var body topicsBody
	if err := httpx.DecodeJSON(c.Request().Body, &body); err != nil {
		return err
	}
	ch, err := e.topicsChange(httpx.Grant(c), wish{"add", body.Add}, wish{"remove", body.Remove})
	if err != nil {
		return err
	}
	return e.answerChange(c, ch)
}

// wish is a list of topics and what its client calls it.
type wish struct {
	param  string
	topics []string
}

// topicsChange checks a wish for other topics against the grant of who wishes it.
func (e *Edge) topicsChange(g *auth.Grant, add, remove wish) (connection.Change, error) {
	ch := connection.Change{User: g.User}
	for _, s := range add.topics {
		p, err := mayRead(add.param, s, g)
		if err != nil {
			return ch, err
		}
		ch.Add = append(ch.Add, p)
	}
	for _, s := range remove.topics {
		p, err := parsePattern(remove.param, s, g)
		if err != nil {
			return ch, err
		}
		ch.Remove = append(ch.Remove, p)
	}
	if len(ch.Add)+len(ch.Remove) == 0 {
		return ch, httpx.Bad(add.param, "no_topics", "Say which topics to add or to remove.")
	}
	if len(ch.Add) > e.cfg.Topics || len(ch.Remove) > e.cfg.Topics {
		return ch, httpx.Bad(add.param, "too_many_topics", fmt.Sprintf("One connection takes at most %d topics.", e.cfg.Topics))
	}
	return ch, nil
}

// renewToken is POST /v1/connections/:conn/token: a live stream goes on with a newer
// token, {"token":"…"} or else the one the request itself is made with.
func (e *Edge) renewToken(c echo.Context) error {
	var body struct {
		Token string `json:"token"`
	}
	if c.Request().ContentLength != 0 {
		if err := httpx.DecodeJSON(c.Request().Body, &body); err != nil {
			return err
		}
	}
	var g *auth.Grant
	var err error
	if body.Token != "" {
		g, err = e.cfg.Auth.Verify(c.Request().Context(), body.Token)
	} else {
		g, err = e.cfg.Auth.Authenticate(c.Request())
	}
	if err != nil {
		return err
	}
	return e.answerChange(c, connection.Change{User: g.User, Grant: g})
}

// answerChange changes a connection wherever it is and tells what it is now.
func (e *Edge) answerChange(c echo.Context, ch connection.Change) error {
	state, err := e.change(c.Request().Context(), c.Param("conn"), ch)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, state)
}

// change changes a connection of this edge or of another one.
func (e *Edge) change(ctx context.Context, name string, ch connection.Change) (connection.State, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	tag, ok := connection.TagOf(name)
	if ok && tag != e.host.Tag() && e.cfg.core() != nil {
		return e.changeElsewhere(ctx, tag, name, ch)
	}
	return e.host.Change(ctx, name, ch)
}
