package edge_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/testkit"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *edge.Config) { c.Topics = 3 })
	good := tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.ops", "room.a.>"}, Pub: []string{"room.ops"}, TTL: time.Hour})
	x, err := n.log.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expired, err := auth.Mint(secret, auth.Claims{User: "ann", Sub: []string{"room.ops"}, TTL: time.Minute}, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := auth.Mint([]byte("another secret, also long enough for HS256"), auth.Claims{User: "ann", Admin: true, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name, method, path, token, body string
		header                          []string
		status                          int
		code, param                     string
	}{
		{name: "no token", path: "/v1/events?topics=room.ops", status: 401, code: "token_missing"},
		{name: "garbage token", path: "/v1/events?topics=room.ops", token: "x.y.z", status: 401},
		{name: "forged token", path: "/v1/events?topics=room.ops", token: forged, status: 401, code: "token_invalid"},
		{name: "expired token", path: "/v1/events?topics=room.ops", token: expired, status: 401, code: "token_expired"},
		{name: "expired token on all", path: "/v1/events?topics=all", token: expired, status: 401, code: "token_expired"},
		{name: "used up ticket", path: "/v1/events?topics=room.ops&ticket=nope", status: 401, code: "ticket_invalid"},
		{name: "a token in the URL", path: "/v1/events?topics=room.ops&token=" + good, token: good, status: 400, code: "unknown_parameter", param: "token"},
		{name: "no topics", path: "/v1/events", token: good, status: 400, code: "no_topics", param: "topics"},
		{name: "empty topics", path: "/v1/events?topics=,,", token: good, status: 400, code: "no_topics", param: "topics"},
		{name: "unknown root", path: "/v1/events?topics=lobby", token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "malformed escape", path: "/v1/events?topics=room.a%3Dzz", token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "inner wildcard", path: "/v1/events?topics=room.%3E.x", token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "control bytes", path: "/v1/events?topics=room.a%0Ab", token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "oversize topic", path: "/v1/events?topics=room." + long, token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "too many topics", path: "/v1/events?topics=user,all,room.ops,room.a.x", token: good, status: 400, code: "too_many_topics", param: "topics"},
		{name: "denied topic", path: "/v1/events?topics=room.b", token: good, status: 403, code: "topic_denied", param: "topics"},
		{name: "denied wildcard", path: "/v1/events?topics=room.*", token: good, status: 403, code: "topic_denied", param: "topics"},
		{name: "another user", path: "/v1/events?topics=user.bob", token: good, status: 403, code: "topic_denied", param: "topics"},
		{name: "bad cursor", path: "/v1/events?topics=room.ops&cursor=7", token: good, status: 400, code: "bad_cursor", param: "cursor"},
		{name: "cursor overflow", path: "/v1/events?topics=room.ops&cursor=a-99999999999999999999", token: good, status: 400, code: "bad_cursor", param: "cursor"},
		{name: "bad Last-Event-ID", path: "/v1/events?topics=room.ops", token: good, header: []string{"Last-Event-ID", "x"}, status: 400, code: "bad_cursor", param: "Last-Event-ID"},
		{name: "bad rewind", path: "/v1/events?topics=room.ops&rewind=-1", token: good, status: 400, code: "bad_rewind", param: "rewind"},
		{name: "huge rewind", path: "/v1/events?topics=room.ops&rewind=1001", token: good, status: 400, code: "bad_rewind", param: "rewind"},
		{name: "unknown parameter", path: "/v1/events?topic=room.ops", token: good, status: 400, code: "unknown_parameter", param: "topic"},
		{name: "broken query", path: "/v1/events?topics=%zz", token: good, status: 400, code: "bad_query", param: "query"},
		{name: "wrong method", method: "DELETE", path: "/v1/events?topics=room.ops", token: good, status: 405},

		{name: "history of a denied topic", path: "/v1/topics/room.b/events", token: good, status: 403, code: "topic_denied"},
		{name: "history limit", path: "/v1/topics/room.ops/events?limit=0", token: good, status: 400, code: "bad_limit", param: "limit"},
		{name: "history cursor", path: "/v1/topics/room.ops/events?after=x", token: good, status: 400, code: "bad_cursor", param: "after"},
		{name: "history parameter", path: "/v1/topics/room.ops/events?from=x", token: good, status: 400, code: "unknown_parameter", param: "from"},
		{name: "history without token", path: "/v1/topics/room.ops/events", status: 401, code: "token_missing"},

		{name: "publish nothing", method: "POST", path: "/v1/publish", token: good, status: 400},
		{name: "publish garbage", method: "POST", path: "/v1/publish", token: good, body: "{", status: 400},
		{name: "publish unknown field", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.ops","dta":1}`, status: 400, param: "dta"},
		{name: "publish denied", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.a.x","data":1}`, status: 403, code: "publish_denied", param: "topic"},
		{name: "publish to a pattern", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.*","data":1}`, status: 400, code: "bad_topic", param: "topic"},
		{name: "publish a control event", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.ops","type":"tidings.bye"}`, status: 400, code: "bad_event", param: "type"},
		{name: "publish a broken type", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.ops","type":"a\nb"}`, status: 400, code: "bad_event", param: "type"},
		{name: "publish a large ephemeral", method: "POST", path: "/v1/publish", token: good, body: `{"topic":"room.ops","ephemeral":true,"data":"` + strings.Repeat("x", 20<<10) + `"}`, status: 413, code: "too_large", param: "data"},
		{name: "publish too much", method: "POST", path: "/v1/publish", token: good, header: []string{"Expect", "100-continue"}, body: `{"topic":"room.ops","data":"` + strings.Repeat("x", 1<<20) + `"}`, status: 413},
		{name: "publish without token", method: "POST", path: "/v1/publish", body: `{"topic":"room.ops"}`, status: 401, code: "token_missing"},
		{name: "ticket without token", method: "POST", path: "/v1/tickets", status: 401, code: "token_missing"},
	} {
		method := c.method
		if method == "" {
			method = http.MethodGet
		}
		status, p := n.call(method, c.path, c.token, c.body, c.header...)
		if status != c.status || c.code != "" && p["code"] != c.code || c.param != "" && p["param"] != c.param {
			t.Errorf("%s: got %d %v, want %d %s %s", c.name, status, p, c.status, c.code, c.param)
		}
	}
	// Canaries move the log's end; events do not.
	if page := mustPage(t, n, "room.%3E"); len(page) != 0 {
		t.Errorf("a refused request stored something: %v (from %v)", page, x)
	}
	// A topic means the same when more of it is escaped than needs to be.
	if status, p := n.call("GET", "/v1/topics/room%2Eops/events", good, ""); status != http.StatusOK {
		t.Errorf("an escaped topic: %d %v", status, p)
	}
}

func mustPage(t *testing.T, n *node, topic string) []any {
	t.Helper()
	admin := tokenOf(t, auth.Claims{User: "root", Admin: true, TTL: time.Hour})
	status, p := n.call("GET", "/v1/topics/"+topic+"/events", admin, "")
	if status != http.StatusOK {
		t.Fatalf("history: %d %v", status, p)
	}
	return p["events"].([]any)
}

func TestTicketsOpenOneStreamOnAnyEdge(t *testing.T) {
	t.Parallel()
	a := start(t)
	b := startOn(t, a.log, a.conn, func(c *edge.Config) { c.Node = "n2" })
	status, answer := a.call("POST", "/v1/tickets", token(t, time.Hour), "")
	ticket, _ := answer["ticket"].(string)
	if status != http.StatusCreated || ticket == "" {
		t.Fatalf("ticket: %d %v", status, answer)
	}
	var wg sync.WaitGroup
	results := make(chan int, 8)
	for i := range cap(results) {
		wg.Go(func() {
			on := []*node{a, b}[i%2]
			results <- on.openAs("", "topics=user,room.ops&ticket="+ticket).resp.StatusCode
		})
	}
	wg.Wait()
	close(results)
	opened := 0
	for code := range results {
		switch code {
		case http.StatusOK:
			opened++
		case http.StatusUnauthorized:
		default:
			t.Errorf("status %d", code)
		}
	}
	if opened != 1 {
		t.Errorf("one ticket opened %d streams", opened)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	n := start(t)
	tok := token(t, time.Hour)
	c := n.open("topics=room.ops")
	var h struct{ Conn string }
	decode(t, c.until("tidings.hello").data, &h)
	other := n.open("topics=room.*")
	c.until("tidings.live")
	other.until("tidings.live")

	status, first := n.call("POST", "/v1/publish", tok, `{"topic":"room.ops","type":"chat","id":"m1","data":{"text":"hi\n"}}`)
	if status != http.StatusOK || first["duplicate"] != false || first["cursor"] == "" {
		t.Fatalf("publish: %d %v", status, first)
	}
	_, again := n.call("POST", "/v1/publish", tok, `{"topic":"room.ops","type":"chat","id":"m1","data":{"text":"hi\n"}}`)
	if again["duplicate"] != true || again["cursor"] != first["cursor"] {
		t.Errorf("a repeated publish: %v, first %v", again, first)
	}
	e := c.until("chat").event(t)
	if e.Source != "user.ann" || e.ID != "m1" || string(e.Data) != `{"text":"hi\n"}` {
		t.Errorf("event = %+v", e)
	}
	// bob's key is not ann's.
	bob := tokenOf(t, auth.Claims{User: "bob", Pub: []string{"room.ops"}, TTL: time.Hour})
	if _, r := n.call("POST", "/v1/publish", bob, `{"topic":"room.ops","id":"m1","data":2}`); r["duplicate"] != false {
		t.Error("one user's id suppressed another's event")
	}
	for _, ephemeral := range []bool{true, false} {
		body := fmt.Sprintf(`{"topic":"room.ops","type":"cursor","ephemeral":%v,"except":%q,"data":7}`, ephemeral, h.Conn)
		if status, r := n.call("POST", "/v1/publish", tok, body); status/100 != 2 {
			t.Fatalf("publish: %d %v", status, r)
		}
		b := other.until("cursor")
		if (b.id == "") != ephemeral {
			t.Errorf("ephemeral %v: id %q", ephemeral, b.id)
		}
	}
	n.put(ops(), 0, 1)
	if b := c.until("n"); string(b.event(t).Data) != "0" {
		t.Errorf("got %+v", b)
	}
	if got := len(mustPage(t, n, "room.ops")); got != 4 {
		t.Errorf("%d events stored, want 4: ephemeral ones are not", got)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.put(ops(), 0, 5)
	tok := token(t, time.Hour)
	path := "/v1/topics/room.ops/events?limit=2"
	var got []string
	for after := ""; ; {
		status, p := n.call("GET", path+after, tok, "")
		if status != http.StatusOK || p["gone"] != false {
			t.Fatalf("history: %d %v", status, p)
		}
		for _, e := range p["events"].([]any) {
			m := e.(map[string]any)
			got = append(got, fmt.Sprint(m["data"]))
			if m["cursor"] != m["id"] {
				t.Errorf("event %v: cursor and default id differ", m)
			}
		}
		if p["more"] != true {
			break
		}
		after = "&after=" + p["cursor"].(string)
	}
	if strings.Join(got, "") != "01234" {
		t.Errorf("history = %v", got)
	}
	if _, err := n.log.Append(t.Context(), event.Event{Topic: "user.ann", Type: "n", Data: []byte("1")}, ""); err != nil {
		t.Fatal(err)
	}
	if _, p := n.call("GET", "/v1/topics/user/events", tok, ""); len(p["events"].([]any)) != 1 {
		t.Errorf("own topic: %v", p)
	}
	n.conn.Embedded().Stop()
	if status, p := n.call("GET", path, tok, ""); status != http.StatusServiceUnavailable || p["code"] != "log_unavailable" {
		t.Errorf("history while NATS is away: %d %v", status, p)
	}
	if err := n.conn.Embedded().Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "NATS to be back", n.conn.Connected)
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	if _, err := edge.New(edge.Config{Drain: -1}, testkit.Log(t), nil); err == nil || !strings.Contains(err.Error(), "drain") || !strings.Contains(err.Error(), "node") {
		t.Errorf("got %v, want every fault named", err)
	}
}
