package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/stream"
)

const (
	// notifierName is who answers for notifications in the mesh.
	notifierName = "notifier"
	// notifierTime bounds one question: the election of a leader of a stream is over by
	// then, and a page still waits.
	notifierTime = 6 * time.Second
	// notifierRetry is when to come back while there is no notifier: one that restarts is
	// there again by then.
	notifierRetry = 2 * time.Second
	// changeBytes bounds the body of a change of the inbox or of preferences: with the
	// question around it, it is what a member of the mesh takes. It holds some thousand ids.
	changeBytes = mesh.MaxAsked - 4<<10
	// maxParam bounds one parameter of GET /v1/inbox in bytes; all sound ones are shorter.
	maxParam = 256
)

// The questions that a notifier answers.
const (
	askInbox       = "inbox"
	askInboxState  = "inbox-state"
	askPreferences = "preferences"
)

// notifications forwards what people ask about their own notifications to whichever
// notifier is there.
type notifications struct {
	edge *Edge
	mesh *mesh.Mesh
}

// inboxQuestion asks for a page of somebody's inbox. The notifier knows what the
// parameters of GET /v1/inbox mean.
type inboxQuestion struct {
	User  string            `json:"user"`
	Query map[string]string `json:"query"`
}

// stateQuestion changes what somebody has seen, read and so on.
type stateQuestion struct {
	User string          `json:"user"`
	Ops  json.RawMessage `json:"ops"`
}

// preferencesQuestion asks for somebody's preferences, changed by a merge patch if there
// is one.
type preferencesQuestion struct {
	User  string          `json:"user"`
	Patch json.RawMessage `json:"patch,omitempty"`
}

// notificationRoutes registers the routes for people's own notifications.
func (e *Edge) notificationRoutes(r *echo.Echo) {
	known := httpx.Authenticate(e.cfg.Auth)
	n := &notifications{edge: e, mesh: mesh.New(e.cfg.NATS, e.cfg.Space, e.log)}
	r.GET("/v1/inbox", n.inbox, known)
	r.POST("/v1/inbox/state", n.changeState, known)
	r.GET("/v1/preferences", n.preferences, known)
	r.PUT("/v1/preferences", n.changePreferences, known)
}

// inbox is GET /v1/inbox?limit&before&category&filter: a page of the caller's inbox, and
// the cursor from which a stream tells what came after it.
func (n *notifications) inbox(c echo.Context) error {
	q, err := parseInboxQuery(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	// Before the question: what comes between the two is in both, which does no harm.
	cursor, err := n.edge.position(c.Request().Context())
	if err != nil {
		return err
	}
	page, err := n.ask(c, askInbox, inboxQuestion{User: httpx.Grant(c).User, Query: q})
	if err != nil {
		return err
	}
	if page, err = withCursor(page, cursor); err != nil {
		return err
	}
	return answerPrivately(c, page)
}

// changeState is POST /v1/inbox/state: {"read":[…],"archived":[…],…}.
func (n *notifications) changeState(c echo.Context) error {
	ops, err := readObject(c, changeBytes)
	if err != nil {
		return err
	}
	return n.forward(c, askInboxState, stateQuestion{User: httpx.Grant(c).User, Ops: ops})
}

// preferences is GET /v1/preferences: the caller's own.
func (n *notifications) preferences(c echo.Context) error {
	return n.forward(c, askPreferences, preferencesQuestion{User: httpx.Grant(c).User})
}

// changePreferences is PUT /v1/preferences: the body is a JSON merge patch.
func (n *notifications) changePreferences(c echo.Context) error {
	patch, err := readObject(c, changeBytes)
	if err != nil {
		return err
	}
	return n.forward(c, askPreferences, preferencesQuestion{User: httpx.Grant(c).User, Patch: patch})
}

// forward asks a notifier and answers as it does.
func (n *notifications) forward(c echo.Context, name string, question any) error {
	answer, err := n.ask(c, name, question)
	if err != nil {
		return err
	}
	return answerPrivately(c, answer)
}

// answerPrivately answers with what no cache may keep.
func answerPrivately(c echo.Context, answer []byte) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSONBlob(http.StatusOK, append(answer, '\n'))
}

// ask asks a notifier. Its problems are the caller's.
func (n *notifications) ask(c echo.Context, name string, question any) (json.RawMessage, error) {
	if n.edge.cfg.NATS == nil {
		return nil, httpx.NewProblem(http.StatusNotImplemented, "no_notifications", "This node has no NATS to reach a notifier.")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), notifierTime)
	defer cancel()
	var answer json.RawMessage
	err := n.mesh.AskAny(ctx, notifierName, name, question, &answer)
	if errors.Is(err, mesh.ErrNobody) || errors.Is(err, natsx.ErrAway) {
		return nil, httpx.NewProblem(http.StatusServiceUnavailable, "notifier_away", "Notifications cannot be reached at the moment.").
			WithHint("Try again a little later; events go on.").WithRetryAfter(notifierRetry).WithCause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask a notifier: %w", err)
	}
	return answer, nil
}

// position is a place in the log that is not after its present end. The edge follows the
// log, so it knows one without asking, unless it has just started.
func (e *Edge) position(ctx context.Context) (event.Cursor, error) {
	if x := e.tail.Extent(); x.Epoch != "" {
		return event.Cursor{Epoch: x.Epoch, Seq: x.Head}, nil
	}
	x, err := e.cfg.Log.Epoch(ctx)
	if err != nil {
		return event.Cursor{}, stream.Problem(err)
	}
	return event.Cursor{Epoch: x.Epoch, Seq: x.Last}, nil
}

// withCursor adds the cursor to an object.
func withCursor(object []byte, cursor event.Cursor) ([]byte, error) {
	object = bytes.TrimSpace(object)
	body, ok := bytes.CutPrefix(object, []byte("{"))
	if !ok || len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("a notifier answered with something else than an object")
	}
	out := make([]byte, 0, len(object)+len(`"cursor":"",`)+len(cursor.String()))
	out = append(out, `{"cursor":"`...)
	out = cursor.Append(out)
	out = append(out, '"')
	if rest := bytes.TrimSpace(body); rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, body...), nil
}

// readObject reads a body of at most limit bytes that is an object of JSON. What is in it
// is checked by those who know.
func readObject(c echo.Context, limit int64) (json.RawMessage, error) {
	var object json.RawMessage
	if err := httpx.DecodeJSON(http.MaxBytesReader(c.Response().Writer, c.Request().Body, limit), &object); err != nil {
		return nil, err
	}
	if len(object) == 0 || object[0] != '{' {
		return nil, httpx.NewProblem(http.StatusBadRequest, httpx.CodeBadField, "The body must be an object.")
	}
	return object, nil
}

// parseInboxQuery reads the names of the parameters; the notifier checks the values.
func parseInboxQuery(raw string) (map[string]string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, httpx.Bad("query", "bad_query", "The query string is malformed.")
	}
	known := []string{"limit", "before", "category", "filter"}
	q := map[string]string{}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, httpx.Bad(name, "unknown_parameter", "There is no such parameter here.").
				WithHint("Known are " + strings.Join(known, ", ") + ".")
		case len(values) > 1 || len(values[0]) > maxParam:
			return nil, httpx.Bad(name, "bad_parameter", "A parameter is given once, and shortly.")
		}
		q[name] = values[0]
	}
	return q, nil
}
