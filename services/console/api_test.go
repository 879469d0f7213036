package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tidings/services/console"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/testkit"
)

// fixture is a console in a mesh of edges that tests make up.
type fixture struct {
	t    *testing.T
	mesh *mesh.Mesh
	h    http.Handler
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t}
	f.mesh = mesh.New(testkit.NATS(t), testkit.Space(t), testkit.Log(t))
	v, err := auth.NewVerifier(t.Context(), auth.Config{Secret: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(console.Config{Mesh: f.mesh}, &auth.Authenticator{Verifier: v}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	e := httpx.NewEcho(httpx.EchoConfig{})
	c.Routes(e)
	f.h = e
	return f
}

// edge joins an edge that answers one question with a text, or not at all if it is "".
func (f *fixture) edge(node, question, answer string) {
	f.t.Helper()
	member, err := f.mesh.Join(mesh.Service{Name: "edge", Node: node, Tag: strings.ToUpper(node), Questions: map[string]mesh.Handler{
		question: func(ctx context.Context, _ []byte) (any, error) {
			if answer == "" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return json.RawMessage(answer), nil
		},
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = member.Leave() })
	testkit.Eventually(f.t, "the edge to be there", func() bool {
		r, err := f.mesh.Look(f.t.Context())
		return err == nil && len(r.Members) > 0 && strings.Contains(fmt.Sprint(r.Members), node)
	})
}

// ask asks as an operator, and returns the status and the body without its spaces.
func (f *fixture) ask(method, path, body string) (int, string) {
	f.t.Helper()
	token, err := auth.Mint([]byte(secret), auth.Claims{User: "op", Admin: true, TTL: time.Hour}, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/console/api/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		f.t.Errorf("%s: Cache-Control %q", path, got)
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

// TestPagesOfSeveralEdges: an edge whose page ended early must not have its connections
// skipped.
func TestPagesOfSeveralEdges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.edge("a", "connections", `{"connections":[{"conn":"A1"},{"conn":"A4"}],"total":9,"last":"A4","more":true}`)
	f.edge("b", "connections", `{"connections":[{"conn":"A2"},{"conn":"A5"}],"total":2,"last":"A5","more":false}`)
	for query, want := range map[string]string{
		"":               `{"connections":[{"conn":"A1"},{"conn":"A2"},{"conn":"A4"}],"total":11,"next":"A4","silent":[]}`,
		"?limit=2":       `{"connections":[{"conn":"A1"},{"conn":"A2"}],"total":11,"next":"A2","silent":[]}`,
		"?node=b":        `{"connections":[{"conn":"A2"},{"conn":"A5"}],"total":2,"next":"","silent":[]}`,
		"?node=b&user=x": `{"connections":[{"conn":"A2"},{"conn":"A5"}],"total":2,"next":"","silent":[]}`,
		"?node=c":        `{"connections":[],"total":0,"next":"","silent":[]}`,
	} {
		if code, got := f.ask(http.MethodGet, "connections"+query, ""); code != http.StatusOK || got != want {
			t.Errorf("%s: %d %s, want %s", query, code, got, want)
		}
	}
}

// TestSilentEdge: what the others say is told, and who said nothing.
func TestSilentEdge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.edge("a", "topics", `{"topics":[{"topic":"room.a","subscribers":1,"held":2,"events":3,"last":4},{"topic":"room.b","subscribers":1,"events":9}],"total":700}`)
	f.edge("b", "topics", `{"topics":[{"topic":"room.a","subscribers":4,"held":1,"events":5,"last":4}],"total":1}`)
	f.edge("c", "topics", "")
	want := `{"topics":[{"topic":"room.a","subscribers":5,"held":2,"events":5,"last":4},{"topic":"room.b","subscribers":1,"held":0,"events":9,"last":0}],` +
		`"total":700,"silent":[{"service":"edge","node":"c","tag":"C","reason":"no answer in time"}]}`
	if code, got := f.ask(http.MethodGet, "topics?sort=subscribers", ""); code != http.StatusOK || got != want {
		t.Errorf("%d %s, want %s", code, got, want)
	}
	if code, got := f.ask(http.MethodGet, "topics?sort=events&limit=1", ""); code != http.StatusOK || !strings.Contains(got, `[{"topic":"room.b"`) {
		t.Errorf("%d %s", code, got)
	}
	// An edge that cannot say what it has cut is no proof that there was nothing.
	if code, got := f.ask(http.MethodPost, "connections/X/cut", ""); code != http.StatusOK || !strings.Contains(got, `{"cut":0,"silent":[`) {
		t.Errorf("%d %s", code, got)
	}
}

// TestWithoutAnything: a console that has no NATS, no secret and no streams says so.
func TestWithoutAnything(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, h: newHandler(t, console.Config{})}
	for path, method := range map[string]string{
		"mesh": http.MethodGet, "connections": http.MethodGet, "topics": http.MethodGet, "streams": http.MethodGet,
		"cut": http.MethodPost, "token": http.MethodPost, "revoke": http.MethodPost,
		"dead": http.MethodGet, "dead/1": http.MethodGet, "dead/redrive": http.MethodPost, "dead/1/redrive": http.MethodPost,
		"templates": http.MethodGet, "templates/welcome": http.MethodGet,
	} {
		if code, got := f.ask(method, path, `{"user":"a"}`); code != http.StatusNotImplemented || !strings.Contains(got, `"code":"no_`) {
			t.Errorf("%s: %d %s", path, code, got)
		}
	}
}

// TestNATSAway: the page is told to try again.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	m := mesh.New(conn, testkit.Space(t), testkit.Log(t))
	f := &fixture{t: t, h: newHandler(t, console.Config{Mesh: m, Streams: conn.Details})}
	conn.Close()
	for _, path := range []string{"mesh", "connections", "topics", "streams"} {
		if code, got := f.ask(http.MethodGet, path, ""); code != http.StatusServiceUnavailable || !strings.Contains(got, `"nats_away"`) {
			t.Errorf("%s: %d %s", path, code, got)
		}
	}
}
