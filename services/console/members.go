package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/mesh"
)

// roster is the body of GET mesh.
type roster struct {
	At      time.Time     `json:"at"`
	Members []mesh.Member `json:"members"`
	Gone    []mesh.Member `json:"gone"`
}

// lookAround is GET mesh: who is there now, and who has gone in the last minute.
func (c *Console) lookAround(ctx echo.Context) error {
	if _, err := query(ctx); err != nil {
		return err
	}
	m, err := c.mesh()
	if err != nil {
		return err
	}
	r, err := m.Look(ctx.Request().Context())
	if err != nil {
		return problem(err)
	}
	return ctx.JSON(http.StatusOK, roster{At: time.Now().UTC(), Members: present(r.Members), Gone: present(r.Gone)})
}

// present makes a list that is there in JSON, though it may be empty.
func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// absent is a member that did not answer.
type absent struct {
	Service string `json:"service"`
	Node    string `json:"node"`
	Tag     string `json:"tag"`
	Reason  string `json:"reason"`
}

// absents tells who did not answer. A refusal of the question itself is the operator's
// fault, and the same from all.
func absents(silent []mesh.Silent) ([]absent, error) {
	list := []absent{}
	for _, s := range silent {
		x := absent{Service: s.Member.Service, Node: s.Member.Node, Tag: s.Member.Tag, Reason: "no answer in time"}
		refusal, ok := errors.AsType[*mesh.Error](s.Err)
		switch {
		case ok && refusal.Code == mesh.CodeBad:
			name, _, _ := strings.Cut(refusal.Detail, " ")
			return nil, httpx.Bad(name, "bad_"+name, strings.ToUpper(refusal.Detail[:1])+refusal.Detail[1:]+".").WithCause(s.Err)
		case ok:
			x.Reason = refusal.Detail
		case errors.Is(s.Err, mesh.ErrNobody):
			x.Reason = "it has just gone"
		}
		list = append(list, x)
	}
	return list, nil
}

// ask asks all edges and tells who did not answer.
func ask[T any](ctx echo.Context, c *Console, question string, body any) ([]mesh.Answer[T], []absent, error) {
	return askNode[T](ctx, c, "", question, body)
}

// askNode asks the edges of one node, or all if it is not named.
func askNode[T any](ctx echo.Context, c *Console, node, question string, body any) ([]mesh.Answer[T], []absent, error) {
	m, err := c.mesh()
	if err != nil {
		return nil, nil, err
	}
	within := ctx.Request().Context()
	r, err := m.Look(within)
	if err != nil {
		return nil, nil, problem(err)
	}
	var edges []mesh.Member
	for _, x := range r.Of(edgeName) {
		if node == "" || x.Node == node {
			edges = append(edges, x)
		}
	}
	answers, silent, err := mesh.AskThose[T](within, m, edges, question, body)
	if err != nil {
		return nil, nil, problem(err)
	}
	missing, err := absents(silent)
	return answers, missing, err
}
