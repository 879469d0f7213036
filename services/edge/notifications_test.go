package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// notify joins a notifier that says what it was asked, and refuses bob.
func notify(t *testing.T, conn *natsx.Conn) {
	t.Helper()
	echo := func(name string) mesh.Shared {
		return mesh.Shared{Handler: func(_ context.Context, body []byte) (any, error) {
			if strings.Contains(string(body), `"user":"bob"`) {
				return nil, httpx.NewProblem(http.StatusUnprocessableEntity, "no_bob", "There is no bob.").WithParam("ops.read[0]").WithHint("Be ann.")
			}
			return map[string]json.RawMessage{name: body}, nil
		}}
	}
	p, err := mesh.New(conn, testkit.Space(t), testkit.Log(t)).Join(mesh.Service{Name: "notifier", Node: "n1", Shared: map[string]mesh.Shared{
		"inbox": echo("inbox"), "inbox-state": echo("state"), "preferences": echo("preferences"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Leave(); err != nil {
			t.Error(err)
		}
	})
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	n := start(t)
	ann := token(t, time.Hour)
	for _, path := range []string{"/v1/inbox", "/v1/preferences"} {
		if status, p := n.call(http.MethodGet, path, ann, ""); status != http.StatusServiceUnavailable || p["code"] != "notifier_away" {
			t.Errorf("%s without a notifier: %d %v", path, status, p)
		}
	}
	notify(t, n.conn)
	testkit.Eventually(t, "the notifier to be there", func() bool {
		status, _ := n.call(http.MethodGet, "/v1/preferences", ann, "")
		return status == http.StatusOK
	})
	largest := `{"read":["` + strings.Repeat("<", mesh.MaxAsked-4<<10-len(`{"read":[""]}`)) + `"]}`
	for _, c := range []struct {
		method, path, body string
		field, want        string
	}{
		{http.MethodGet, "/v1/inbox", "", "inbox", `{"query":{},"user":"ann"}`},
		{
			http.MethodGet, "/v1/inbox?limit=20&before=1700000000000000&category=orders&filter=unread", "", "inbox",
			`{"query":{"before":"1700000000000000","category":"orders","filter":"unread","limit":"20"},"user":"ann"}`,
		},
		{http.MethodPost, "/v1/inbox/state", `{"read":["a","<b>"],"seen":"all"}`, "state", `{"ops":{"read":["a","<b>"],"seen":"all"},"user":"ann"}`},
		{http.MethodGet, "/v1/preferences", "", "preferences", `{"user":"ann"}`},
		{http.MethodPost, "/v1/inbox/state", largest, "state", `{"ops":` + largest + `,"user":"ann"}`},
		{http.MethodPut, "/v1/preferences", `{"enabled":null}`, "preferences", `{"patch":{"enabled":null},"user":"ann"}`},
		{http.MethodPut, "/v1/preferences", `{}`, "preferences", `{"patch":{},"user":"ann"}`},
	} {
		got := n.raw(c.method, c.path, ann, c.body)
		var answer map[string]json.RawMessage
		decode(t, got, &answer)
		if sorted(t, answer[c.field]) != c.want {
			t.Errorf("%s %s: %.200s, want %.200s", c.method, c.path, got, c.want)
		}
	}
	bob := tokenOf(t, auth.Claims{User: "bob", TTL: time.Hour})
	for _, path := range []string{"/v1/inbox", "/v1/preferences"} {
		status, p := n.call(http.MethodGet, path, bob, "")
		if status != http.StatusUnprocessableEntity || p["code"] != "no_bob" || p["param"] != "ops.read[0]" || p["hint"] != "Be ann." || p["detail"] != "There is no bob." {
			t.Errorf("%s, a problem of the notifier's: %d %v", path, status, p)
		}
	}
}

// raw makes a request that must succeed and returns the answer as it is.
func (n *node) raw(method, path, tok, body string) string {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		n.t.Fatalf("%s %s: %d %v %s, %v", method, path, resp.StatusCode, resp.Header, data, err)
	}
	return string(data)
}

// sorted writes an object with its fields in order.
func sorted(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// TestInboxCursor: what happens after the question is streamed from the cursor on, and
// nothing that was before.
func TestInboxCursor(t *testing.T) {
	t.Parallel()
	n := start(t)
	notify(t, n.conn)
	user := subject.User("ann")
	n.put(user, 0, 3)
	all := n.open("topics=user&rewind=10")
	all.numbers(3) // the edge has seen them now
	var page struct{ Cursor string }
	testkit.Eventually(t, "the notifier to be there", func() bool {
		status, a := n.call(http.MethodGet, "/v1/inbox", token(t, time.Hour), "")
		page.Cursor, _ = a["cursor"].(string)
		return status == http.StatusOK
	})
	if _, err := event.ParseCursor(page.Cursor); err != nil {
		t.Fatalf("cursor %q: %v", page.Cursor, err)
	}
	n.put(user, 3, 5)
	c := n.open("topics=user&cursor=" + page.Cursor)
	if got := c.numbers(2); !slices.Equal(got, expected(user, 3, 5)) {
		t.Errorf("streamed %v", got)
	}
}

func TestNotificationsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	notify(t, n.conn)
	ann := token(t, time.Hour)
	long := strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		method, path, tok, body string
		status                  int
		code                    string
	}{
		{http.MethodGet, "/v1/inbox", "", "", http.StatusUnauthorized, "token_missing"},
		{http.MethodPost, "/v1/inbox/state", "", "{}", http.StatusUnauthorized, "token_missing"},
		{http.MethodGet, "/v1/preferences", "", "", http.StatusUnauthorized, "token_missing"},
		{http.MethodPut, "/v1/preferences", "", "{}", http.StatusUnauthorized, "token_missing"},
		{http.MethodGet, "/v1/inbox?limit=1&limit=2", ann, "", http.StatusBadRequest, "bad_parameter"},
		{http.MethodGet, "/v1/inbox?category=" + long[:257], ann, "", http.StatusBadRequest, "bad_parameter"},
		{http.MethodGet, "/v1/inbox?user=bob", ann, "", http.StatusBadRequest, "unknown_parameter"},
		{http.MethodGet, "/v1/inbox?%zz", ann, "", http.StatusBadRequest, "bad_query"},
		{http.MethodPost, "/v1/inbox/state", ann, "", http.StatusBadRequest, "empty_body"},
		{http.MethodPost, "/v1/inbox/state", ann, "null", http.StatusBadRequest, "bad_field"},
		{http.MethodPost, "/v1/inbox/state", ann, "[]", http.StatusBadRequest, "bad_field"},
		{http.MethodPost, "/v1/inbox/state", ann, "{", http.StatusBadRequest, "bad_json"},
		{http.MethodPost, "/v1/inbox/state", ann, `{"read":["` + long + `"]}`, http.StatusRequestEntityTooLarge, "body_too_large"},
		{http.MethodPut, "/v1/preferences", ann, `{"x":"` + long + `"}`, http.StatusRequestEntityTooLarge, "body_too_large"},
		{http.MethodPut, "/v1/preferences", ann, `"x"`, http.StatusBadRequest, "bad_field"},
		{http.MethodDelete, "/v1/preferences", ann, "", http.StatusMethodNotAllowed, "method_not_allowed"},
	} {
		if status, p := n.call(c.method, c.path, c.tok, c.body); status != c.status || p["code"] != c.code {
			t.Errorf("%s %.60s %.40s: %d %v, want %d %s", c.method, c.path, c.body, status, p["code"], c.status, c.code)
		}
	}
}

// TestNoNotifications: an edge without NATS says so.
func TestNoNotifications(t *testing.T) {
	t.Parallel()
	log, conn := testkit.EventLog(t, testkit.Limits())
	n := startOn(t, log, conn, func(c *edge.Config) { c.NATS = nil })
	if status, p := n.call(http.MethodGet, "/v1/inbox", token(t, time.Hour), ""); status != http.StatusNotImplemented || p["code"] != "no_notifications" {
		t.Errorf("%d %v", status, p)
	}
}

// TestTopicUsers: each user once, by whatever pattern, page by page, of all edges.
func TestTopicUsers(t *testing.T) {
	t.Parallel()
	log, conn := testkit.EventLog(t, testkit.Limits())
	n := startOn(t, log, conn)
	other := otherNode(t, log, conn)
	open := func(n *node, user, topics string) {
		n.openAs(tokenOf(t, auth.Claims{User: user, Sub: []string{"room.>"}, TTL: time.Hour}), "topics="+topics).until("tidings.live")
	}
	for i := range 5 {
		open(n, fmt.Sprint("u", i), "room.ops.eu")
	}
	open(n, "u0", "room.ops.*,user") // a second device
	open(n, "wild", "room.>")
	open(n, "else", "room.ops,room.ops.us,all")
	open(other, "afar", "room.ops.eu")
	open(other, "u1", "room.ops.eu")

	type users struct {
		Users []string
		More  bool
	}
	m := mesh.New(conn, testkit.Space(t), testkit.Log(t))
	ask := func(body string) (list []string, more bool) {
		t.Helper()
		testkit.Eventually(t, "both edges to answer "+body, func() bool { // a busy one may miss a look
			answers, silent, err := mesh.AskAll[users](t.Context(), m, "edge", "topic-users", json.RawMessage(body))
			list, more = nil, false
			for _, a := range answers {
				list, more = append(list, a.Value.Users...), more || a.Value.More
			}
			return err == nil && len(silent) == 0 && len(answers) == 2
		})
		return list, more
	}
	if list, more := ask(`{"topic":"room.ops.eu"}`); more || !slices.Equal(list, []string{"u0", "u1", "u2", "u3", "u4", "wild", "afar", "u1"}) {
		t.Errorf("%v %v", list, more)
	}
	if list, more := ask(`{"topic":"room.ops.eu","limit":2}`); !more || !slices.Equal(list, []string{"u0", "u1", "afar", "u1"}) {
		t.Errorf("the first page: %v %v", list, more)
	}
	if list, more := ask(`{"topic":"room.ops.eu","limit":4,"after":"u2"}`); more || !slices.Equal(list, []string{"u3", "u4", "wild"}) {
		t.Errorf("the last page: %v %v", list, more)
	}
	if list, more := ask(`{"topic":"room.other"}`); more || !slices.Equal(list, []string{"wild"}) {
		t.Errorf("another topic: %v %v", list, more)
	}
	for _, body := range []string{`{}`, `{"topic":"room.*"}`, `{"topic":"nothing"}`, `{"topic":"all","limit":10001}`, `{"topic":"all","limit":-1}`, `{"topic":"all","x":1}`} {
		if _, silent, err := mesh.AskAll[users](t.Context(), m, "edge", "topic-users", json.RawMessage(body)); err != nil || len(silent) == 0 {
			t.Errorf("%s was answered: %v %v", body, silent, err)
		}
	}
}

// otherNode is a second edge on the same log.
func otherNode(t *testing.T, log *stream.NATS, conn *natsx.Conn) *node {
	t.Helper()
	return startOn(t, log, conn, func(c *edge.Config) { c.Node = "n2" })
}
