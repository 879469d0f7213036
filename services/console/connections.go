package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/mesh"
)

// defaultPage is how many connections or topics a page has unless asked for more or
// fewer, which may be maxPage at most.
const defaultPage, maxPage = 100, 500

// connectionsQuestion is what an edge is asked for connections.
type connectionsQuestion struct {
	User  string `json:"user,omitempty"`
	IP    string `json:"ip,omitempty"`
	Topic string `json:"topic,omitempty"`
	State string `json:"state,omitempty"`
	Limit int    `json:"limit"`
	After string `json:"after,omitempty"`
}

// connectionsAnswer is an edge's page of connections, in the order of their names.
type connectionsAnswer struct {
	Connections []json.RawMessage `json:"connections"`
	Total       int               `json:"total"`
	Last        string            `json:"last"`
	More        bool              `json:"more"`
}

// connections is the body of GET connections.
type connections struct {
	Connections []json.RawMessage `json:"connections"`
	// Total is how many there are on all pages; Next is the "after" of the next one, ""
	// if this is the last.
	Total  int      `json:"total"`
	Next   string   `json:"next"`
	Silent []absent `json:"silent"`
}

// listConnections is GET connections: those of all edges, page by page.
func (c *Console) listConnections(ctx echo.Context) error {
	q, err := query(ctx, "user", "ip", "topic", "state", "node", "limit", "after")
	if err != nil {
		return err
	}
	limit, err := limitOf(q.Get("limit"))
	if err != nil {
		return err
	}
	answers, silent, err := askNode[connectionsAnswer](ctx, c, q.Get("node"), "connections", connectionsQuestion{
		User: q.Get("user"), IP: q.Get("ip"), Topic: q.Get("topic"), State: q.Get("state"), Limit: limit, After: q.Get("after"),
	})
	if err != nil {
		return err
	}
	page, err := merge(answers, limit)
	if err != nil {
		return err
	}
	page.Silent = silent
	return ctx.JSON(http.StatusOK, page)
}

// limitOf reads how many a page is to have.
func limitOf(s string) (int, error) {
	n, err := number(map[string][]string{"limit": {s}}, "limit")
	switch {
	case err != nil:
		return 0, err
	case n > maxPage:
		return 0, httpx.Bad("limit", "bad_limit", "limit must be 500 at most.")
	case n == 0:
		return defaultPage, nil
	}
	return n, nil
}

// merge makes one page of those of several edges, in the order of the connections'
// names. Beyond the last one of an edge that has more nothing is known yet.
func merge(answers []mesh.Answer[connectionsAnswer], limit int) (connections, error) {
	type named struct {
		name string
		body json.RawMessage
	}
	page := connections{Connections: []json.RawMessage{}}
	var list []named
	horizon := ""
	for _, a := range answers {
		page.Total += a.Value.Total
		if a.Value.More && (horizon == "" || a.Value.Last < horizon) {
			horizon = a.Value.Last
		}
		for _, body := range a.Value.Connections {
			var x struct {
				Conn string `json:"conn"`
			}
			if err := json.Unmarshal(body, &x); err != nil {
				return page, err
			}
			list = append(list, named{x.Conn, body})
		}
	}
	slices.SortFunc(list, func(a, b named) int { return strings.Compare(a.name, b.name) })
	for _, x := range list {
		if horizon != "" && x.name > horizon || len(page.Connections) == limit {
			if page.Next = horizon; len(page.Connections) > 0 {
				page.Next = list[len(page.Connections)-1].name
			}
			return page, nil
		}
		page.Connections = append(page.Connections, x.body)
	}
	page.Next = horizon
	return page, nil
}

// cutBody says whether those whose connections are cut may come back.
type cutBody struct {
	Return *bool `json:"return"`
}

// cutQuestion is what an edge is asked to cut.
type cutQuestion struct {
	Conn   string `json:"conn,omitempty"`
	User   string `json:"user,omitempty"`
	Return *bool  `json:"return,omitempty"`
}

// cutAnswer is how many connections an edge has cut.
type cutAnswer struct {
	Cut int `json:"cut"`
}

// cut is the body of the answer to both.
type cut struct {
	Cut    int      `json:"cut"`
	Silent []absent `json:"silent"`
}

// cutConnection is POST connections/:conn/cut.
func (c *Console) cutConnection(ctx echo.Context) error {
	var body cutBody
	if ctx.Request().ContentLength != 0 {
		if err := httpx.DecodeJSON(ctx.Request().Body, &body); err != nil {
			return err
		}
	}
	name := ctx.Param("conn")
	done, err := c.cut(ctx, cutQuestion{Conn: name, Return: body.Return})
	if err != nil {
		return err
	}
	if done.Cut == 0 && len(done.Silent) == 0 {
		return httpx.NewProblem(http.StatusNotFound, "connection_unknown", "There is no such live connection.").WithParam("conn")
	}
	return ctx.JSON(http.StatusOK, done)
}

// cutUser is POST cut.
func (c *Console) cutUser(ctx echo.Context) error {
	var body struct {
		User string `json:"user"`
		cutBody
	}
	if err := httpx.DecodeJSON(ctx.Request().Body, &body); err != nil {
		return err
	}
	if body.User == "" {
		return httpx.Bad("user", "bad_user", "Say whose connections to cut.")
	}
	done, err := c.cut(ctx, cutQuestion{User: body.User, Return: body.Return})
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, done)
}

// cut has all edges cut connections.
func (c *Console) cut(ctx echo.Context, q cutQuestion) (cut, error) {
	answers, silent, err := ask[cutAnswer](ctx, c, "cut", q)
	done := cut{Silent: silent}
	if err != nil {
		return done, err
	}
	for _, a := range answers {
		done.Cut += a.Value.Cut
	}
	c.audit(ctx, "cut", "conn", q.Conn, "user", q.User, "return", q.Return == nil || *q.Return, "cut", done.Cut, "silent", len(silent))
	return done, nil
}
