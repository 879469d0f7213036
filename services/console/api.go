package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
)

const (
	// askTime bounds what a request of the page may take in all.
	askTime = 4 * time.Second
	// awayRetry is when to ask again while NATS is away.
	awayRetry = 2 * time.Second
	// edgeName is what edges are called in the mesh.
	edgeName = "edge"
)

// api registers the routes of the API: info for whoever has a token, all others for
// operators.
func (c *Console) api(e *echo.Echo) {
	known := []echo.MiddlewareFunc{c.count, httpx.Authenticate(c.auth)}
	operators := append(slices.Clone(known), operator(askTime))
	e.GET(apiPath+"/info", c.info, known...)
	e.GET(apiPath+"/mesh", c.lookAround, operators...)
	e.GET(apiPath+"/connections", c.listConnections, operators...)
	e.POST(apiPath+"/connections/:conn/cut", c.cutConnection, operators...)
	e.POST(apiPath+"/cut", c.cutUser, operators...)
	e.GET(apiPath+"/topics", c.listTopics, operators...)
	e.GET(apiPath+"/streams", c.listStreams, operators...)
	e.POST(apiPath+"/token", c.mintToken, operators...)
	e.POST(apiPath+"/revoke", c.revoke, operators...)
	c.dead(e, operators, append(slices.Clone(known), operator(allTime)))
	c.previews(e, []echo.MiddlewareFunc{c.count}, operators)
}

// count counts requests, and keeps every answer out of caches.
func (c *Console) count(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		c.asked.Add(1)
		ctx.Response().Header().Set("Cache-Control", "no-store")
		return next(ctx)
	}
}

// operator lets only operators through, and bounds what they ask in time.
func operator(most time.Duration) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(ctx echo.Context) error {
			if g := httpx.Grant(ctx); g == nil || !g.Admin {
				return httpx.NewProblem(http.StatusForbidden, "admin_needed", "This is for operators.").
					WithHint("The token needs the claim tidings.admin.")
			}
			within, cancel := context.WithTimeout(ctx.Request().Context(), most)
			defer cancel()
			ctx.SetRequest(ctx.Request().WithContext(within))
			return next(ctx)
		}
	}
}

// audit writes down what an operator did.
func (c *Console) audit(ctx echo.Context, did string, args ...any) {
	args = append([]any{"did", did, "operator", httpx.Grant(ctx).User, "ip", ctx.RealIP()}, args...)
	c.log.InfoContext(ctx.Request().Context(), "audit", args...)
}

// Run makes the console a member of the mesh until ctx ends; then it returns nil. The
// routes work with or without it. It returns an error only if it could not join.
func (c *Console) Run(ctx context.Context) error {
	if c.cfg.Mesh == nil {
		<-ctx.Done()
		return nil
	}
	started := time.Now()
	member, err := c.cfg.Mesh.Join(mesh.Service{
		Name: "console", Node: c.cfg.Node, Version: c.cfg.Version,
		Description: "shows operators what goes on",
		Figures: func() any {
			return map[string]any{"requests": c.asked.Load(), "uptime_s": int64(time.Since(started).Seconds())}
		},
	})
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	<-ctx.Done()
	if err := member.Leave(); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

// info is the body of /console/api/info.
type info struct {
	Version string `json:"version"`
	Node    string `json:"node"`
	Prefix  string `json:"prefix"`
	Dev     bool   `json:"dev"`
	User    string `json:"user"`
}

// info answers who the caller is and where they are. The page asks it first, to
// learn whether its token is any good.
func (c *Console) info(ctx echo.Context) error {
	return ctx.JSON(http.StatusOK, info{
		Version: c.cfg.Version, Node: c.cfg.Node, Prefix: c.cfg.Prefix, Dev: c.cfg.Dev,
		User: httpx.Grant(ctx).User,
	})
}

// mesh returns the mesh, or why there is none.
func (c *Console) mesh() (*mesh.Mesh, error) {
	if c.cfg.Mesh == nil {
		return nil, unavailable("mesh")
	}
	return c.cfg.Mesh, nil
}

// unavailable is the answer where this process has not what it takes.
func unavailable(what string) error {
	return httpx.NewProblem(http.StatusNotImplemented, "no_"+what, "This process has no "+what+".")
}

// problem explains an error of the mesh or of NATS.
func problem(err error) error {
	switch {
	case errors.Is(err, natsx.ErrAway), errors.Is(err, context.DeadlineExceeded):
		return httpx.NewProblem(http.StatusServiceUnavailable, "nats_away", "NATS did not answer.").
			WithRetryAfter(awayRetry).WithCause(err)
	case errors.Is(err, natsx.ErrFull):
		return httpx.NewProblem(http.StatusInsufficientStorage, "nats_full", "NATS has no storage left.").WithCause(err)
	case errors.Is(err, natsx.ErrReadOnly):
		return httpx.NewProblem(http.StatusServiceUnavailable, "nats_refused", "The credentials of this process do not allow that in NATS.").WithCause(err)
	}
	return err
}

// query reads the parameters of a request, each known and there once.
func query(ctx echo.Context, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(ctx.Request().URL.RawQuery)
	if err != nil {
		return nil, httpx.Bad("query", "bad_query", "The query string is malformed.")
	}
	for name, values := range q {
		switch {
		case !slices.Contains(known, name):
			return nil, httpx.Bad(name, "unknown_parameter", "There is no such parameter here.").WithHint("Known are " + strings.Join(known, ", ") + ".")
		case len(values) > 1:
			return nil, httpx.Bad(name, "bad_query", "The parameter is there more than once.")
		}
	}
	return q, nil
}

// number reads a whole number of a query, 0 if it is not there.
func number(q url.Values, name string) (int, error) {
	s := q.Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, httpx.Bad(name, "bad_"+name, name+" must be a whole number from 1 on.")
	}
	return n, nil
}
