package edge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/auth"
	"tidings/shared/mesh"
	"tidings/shared/testkit"
)

// TestOperators runs everything that operators can ask and do, on all sinks.
func TestOperators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"connections", testConnections},
		{"cut", testCut},
		{"cut a stalled one", testCutStalled},
		{"cut a poll", testCutPoll},
		{"revoke", testRevoke},
		{"topics", testTopics},
		{"garbage", testGarbage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, sink := range []string{"raw", plainWire, ordinarySink} {
				t.Run(sink, func(t *testing.T) {
					t.Parallel()
					c.test(t)
				})
			}
		})
	}
}

// seen is a connection as an operator sees it.
type seen struct {
	Conn, Node, User, IP, Transport, Encoding, Sink, Cursor, State string
	Topics                                                         []string
	Lag                                                            uint64
	Since                                                          time.Time
}

// list is an edge's answer about connections.
type list struct {
	Connections []seen
	Total       int
	Last        string
	More        bool
}

// question asks the edge a question as an operator does, and returns its error.
func (n *node) question(name, body string, into any) error {
	n.t.Helper()
	m := mesh.New(n.conn, testkit.Space(n.t), testkit.Log(n.t))
	var edges []mesh.Member
	testkit.Eventually(n.t, "the edge to be in the mesh", func() bool {
		r, err := m.Look(n.t.Context())
		if err != nil {
			return false
		}
		edges = r.Of("edge")
		return len(edges) > 0
	})
	if body == "" {
		return m.Ask(n.t.Context(), "edge", edges[0].Tag, name, nil, into)
	}
	return m.Ask(n.t.Context(), "edge", edges[0].Tag, name, json.RawMessage(body), into)
}

// ask is a question that must succeed.
func ask[T any](n *node, name, body string) T {
	n.t.Helper()
	var v T
	if err := n.question(name, body, &v); err != nil {
		n.t.Fatalf("%s %s: %v", name, body, err)
	}
	return v
}

// connections waits until a filter selects so many and returns them.
func (n *node) connections(filter string, want int) list {
	n.t.Helper()
	var l list
	testkit.Eventually(n.t, fmt.Sprintf("%d connections of %s", want, filter), func() bool {
		l = ask[list](n, "connections", filter)
		return l.Total == want
	})
	return l
}

// socket opens a WebSocket as the holder of a token.
func (n *node) socket(tok, query string) *websockettest.Conn {
	n.t.Helper()
	c, err := websockettest.Dial(strings.Replace(n.url, "http", "ws", 1)+"/v1/ws?"+query, http.Header{"Authorization": {"Bearer " + tok}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

func sinkOf(t *testing.T) string {
	if strings.HasSuffix(t.Name(), "/"+ordinarySink) {
		return ordinarySink
	}
	return "raw"
}

func testConnections(t *testing.T) {
	n := start(t)
	before := time.Now().Add(-time.Second)
	c := n.open("topics=user,room.ops")
	var h struct{ Conn string }
	decode(t, c.until("tidings.hello").data, &h)
	c.until("tidings.live")
	bob := tokenOf(t, auth.Claims{User: "bob", Sub: []string{"room.>"}, TTL: time.Hour})
	n.socket(bob, "topics=room.orders.*")
	n.connections(`{"state":"live"}`, 2)
	n.put(ops(), 0, 3)
	c.numbers(3)

	l := n.connections(`{"user":"ann","state":"live"}`, 1)
	got := l.Connections[0]
	encoding := "gzip"
	if strings.HasSuffix(t.Name(), "/"+plainWire) {
		encoding = "none"
	}
	if got.Conn != h.Conn || got.Node != "n1" || got.IP != "127.0.0.1" || got.Transport != "sse" || got.Encoding != encoding || got.Sink != sinkOf(t) ||
		strings.Join(got.Topics, " ") != "user.ann room.ops" || got.Lag != 0 || got.Since.Before(before) || got.Since.After(time.Now()) || l.Last != h.Conn || l.More {
		t.Errorf("ann: %+v", l)
	}
	if got := n.connections(`{"user":"bob"}`, 1).Connections[0]; got.Transport != "ws" || got.Encoding != "none" || got.User != "bob" {
		t.Errorf("bob: %+v", got)
	}
	for filter, want := range map[string]int{
		``: 2, `{"ip":"127.0.0.1"}`: 2, `{"ip":"::ffff:127.0.0.1"}`: 2, `{"ip":"127.0.0.2"}`: 0, `{"user":"an"}`: 0, `{"state":"stalled"}`: 0,
		`{"topic":"room.ops"}`: 1, `{"topic":"room.orders.7"}`: 1, `{"topic":"room.>"}`: 2, `{"topic":"room.other"}`: 0, `{"topic":"user.ann","user":"bob"}`: 0,
	} {
		if l := ask[list](n, "connections", filter); l.Total != want || len(l.Connections) != want {
			t.Errorf("%s: %+v, want %d", filter, l, want)
		}
	}
	first := ask[list](n, "connections", `{"limit":1}`)
	second := ask[list](n, "connections", `{"limit":1,"after":"`+first.Last+`"}`)
	if !first.More || second.More || len(second.Connections) != 1 || second.Connections[0].Conn <= first.Last || second.Total != 2 {
		t.Errorf("pages: %+v, %+v", first, second)
	}
	if status, r := n.call("POST", "/v1/connections/"+h.Conn+"/topics", token(t, time.Hour), `{"add":["room.new"],"remove":["user"]}`); status != http.StatusOK {
		t.Fatalf("change: %d %v", status, r)
	}
	if got := n.connections(`{"topic":"room.new"}`, 1).Connections[0]; strings.Join(got.Topics, " ") != "room.ops room.new" {
		t.Errorf("after a change: %+v", got)
	}
	c.close()
	n.connections(`{"user":"ann"}`, 0)
}

// bye reads up to the end of a stream and returns its last word.
func (c *client) bye() (code string, back bool, retry int64) {
	c.t.Helper()
	var b struct {
		Code   string
		Return bool
		Retry  int64 `json:"retry_ms"`
	}
	decode(c.t, c.until("tidings.bye").data, &b)
	if rest, err := c.read(); err == nil {
		c.t.Errorf("after the last word came %+v", rest)
	}
	return b.Code, b.Return, b.Retry
}

// closing reads up to the close frame of a WebSocket.
func closing(t *testing.T, c *websockettest.Conn) (uint16, string) {
	t.Helper()
	for {
		m, err := c.ReadMessage()
		if err != nil {
			t.Fatalf("before the close frame: %v", err)
		}
		if m.Opcode == websockettest.Close {
			return m.Code, string(m.Payload)
		}
	}
}

type cutAnswer struct{ Cut int }

func testCut(t *testing.T) {
	n := start(t)
	one, other := n.open("topics=room.ops"), n.open("topics=room.ops")
	bob := n.socket(tokenOf(t, auth.Claims{User: "bob", Sub: []string{"room.>"}, TTL: time.Hour}), "topics=room.ops")
	var h struct{ Conn string }
	decode(t, one.until("tidings.hello").data, &h)
	one.until("tidings.live")
	other.until("tidings.live")
	n.connections(`{"state":"live"}`, 3)

	if a := ask[cutAnswer](n, "cut", `{"conn":"`+h.Conn+`"}`); a.Cut != 1 {
		t.Errorf("cut one: %+v", a)
	}
	if code, back, retry := one.bye(); code != "cut" || !back || retry < 6000 {
		t.Errorf("bye %q, return %v, after %d ms", code, back, retry)
	}
	n.connections(``, 2)
	if a := ask[cutAnswer](n, "cut", `{"conn":"`+h.Conn+`"}`); a.Cut != 0 {
		t.Errorf("cut again: %+v", a)
	}
	if a := ask[cutAnswer](n, "cut", `{"user":"ann","return":false}`); a.Cut != 1 {
		t.Errorf("cut ann: %+v", a)
	}
	if code, back, retry := other.bye(); code != "cut" || back || retry != 0 {
		t.Errorf("bye %q, return %v, after %d ms", code, back, retry)
	}
	if a := ask[cutAnswer](n, "cut", `{"user":"bob","return":false}`); a.Cut != 1 {
		t.Errorf("cut bob: %+v", a)
	}
	if code, reason := closing(t, bob); code != 4403 || reason != "cut" {
		t.Errorf("closed with %d %q", code, reason)
	}
	_ = bob.Close()
	n.connections(``, 0)
	n.open("topics=room.ops").until("tidings.live") // who was cut may come back
}

// flood publishes so much that no socket takes it.
func (n *node) torrent(count int) {
	n.t.Helper()
	body := strings.Repeat("x", 1000)
	for i := range count {
		if _, err := n.conn.JS.PublishAsync("tidings.ev.room.ops", []byte(strconv.Itoa(i)+" "+body)); err != nil {
			n.t.Fatal(err)
		}
		if i%1000 == 999 {
			<-n.conn.JS.PublishAsyncComplete()
		}
	}
}

func testCutStalled(t *testing.T) {
	limits := testkit.Limits()
	limits.PerTopic = 100_000
	log, conn := testkit.EventLog(t, limits)
	n := startOn(t, log, conn)
	c := n.open("topics=room.ops", "Accept-Encoding", "identity")
	c.until("tidings.live")
	n.torrent(15_000)
	l := n.connections(`{"state":"stalled"}`, 1)
	if got := l.Connections[0]; got.Lag == 0 || got.User != "ann" {
		t.Errorf("the stalled one: %+v", got)
	}
	begun := time.Now()
	ask[cutAnswer](n, "cut", `{"user":"ann"}`)
	n.connections(``, 0) // it need not take anything for that
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("to cut a stalled connection took %v", took)
	}
}

func testCutPoll(t *testing.T) {
	n := start(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/v1/poll?topics=room.ops&wait=80", http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+token(t, time.Hour))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", resp.StatusCode)
		}
	}()
	if got := n.connections(`{"state":"live"}`, 1).Connections[0]; got.Transport != "poll" {
		t.Errorf("the poll: %+v", got)
	}
	if a := ask[cutAnswer](n, "cut", `{"user":"ann","return":false}`); a.Cut != 1 {
		t.Errorf("cut: %+v", a)
	}
	<-done
	n.connections(``, 0)
}

func testRevoke(t *testing.T) {
	n := start(t)
	of := func(user, id string) string {
		return tokenOf(t, auth.Claims{User: user, Sub: []string{"room.>"}, TTL: time.Hour, ID: id})
	}
	first, second := n.openAs(of("ann", "t1"), "topics=room.ops"), n.openAs(of("ann", "t2"), "topics=room.ops")
	bob := n.socket(of("bob", "t3"), "topics=room.ops")
	var h struct{ Conn string }
	decode(t, second.until("tidings.hello").data, &h)
	n.connections(`{"state":"live"}`, 3)
	send := func(body string) {
		t.Helper()
		if err := n.conn.NC.Publish("tidings.ctl.revoke", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, garbage := range []string{``, `{`, `[]`, `{}`, `{"user":""}`, `{"user":"ann","token":"t2"}`, `{"user":7}`, strings.Repeat("x", 10_000)} {
		send(garbage)
	}
	send(`{"token":"t1"}`)
	if code, back, _ := first.bye(); code != "revoked" || back {
		t.Errorf("bye %q, return %v", code, back)
	}
	n.connections(``, 2)
	// Another token of ann's has her connection go on; a revoked one does not.
	if status, r := n.call("POST", "/v1/connections/"+h.Conn+"/token", of("ann", "t1"), ``); status != http.StatusUnauthorized || r["code"] != "token_revoked" {
		t.Errorf("renewed with a revoked token: %d %v", status, r)
	}
	if status, r := n.call("POST", "/v1/connections/"+h.Conn+"/token", of("ann", "t4"), ``); status != http.StatusOK {
		t.Errorf("renewed: %d %v", status, r)
	}
	send(`{"token":"t2"}`) // it is not that connection's any more
	send(`{"token":"t3"}`)
	if code, reason := closing(t, bob); code != 4403 || reason != "revoked" {
		t.Errorf("closed with %d %q", code, reason)
	}
	_ = bob.Close()
	n.connections(``, 1)
	send(`{"user":"ann"}`)
	if code, back, _ := second.bye(); code != "revoked" || back {
		t.Errorf("bye %q, return %v", code, back)
	}
	n.openAs(of("ann", "t5"), "topics=room.ops").until("tidings.live") // a new login is a new right
}

func testTopics(t *testing.T) {
	n := start(t)
	type topics struct {
		Topics []struct {
			Topic             string
			Subscribers, Held int
			Events, Last      uint64
		}
		Total int
	}
	for range 3 {
		n.open("topics=room.ops").until("tidings.live")
	}
	c := n.open("topics=room.*,room.dev")
	c.until("tidings.live")
	n.put(ops(), 0, 5)
	n.put("room.dev", 0, 2)
	n.put("room.other", 0, 1)
	c.numbers(8)
	told := func(question string) string {
		var words []string
		for _, x := range ask[topics](n, "topics", question).Topics {
			words = append(words, fmt.Sprintf("%s:%d:%d:%d", x.Topic, x.Subscribers, x.Held, x.Events))
		}
		return strings.Join(words, " ")
	}
	for question, want := range map[string]string{
		`{"prefix":"room."}`:                             "room.*:1:8:8 room.dev:1:2:2 room.ops:3:5:5 room.other:0:1:1",
		`{"prefix":"room.o","sort":"topic"}`:             "room.ops:3:5:5 room.other:0:1:1",
		`{"prefix":"room.","sort":"events","limit":2}`:   "room.*:1:8:8 room.ops:3:5:5",
		`{"prefix":"room.","sort":"subscribers"}`:        "room.ops:3:5:5 room.*:1:8:8 room.dev:1:2:2 room.other:0:1:1",
		`{"prefix":"nothing"}`:                           "",
		`{"prefix":"room.dev","sort":"topic","limit":1}`: "room.dev:1:2:2",
	} {
		if got := told(question); got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
	x := ask[topics](n, "topics", `{"prefix":"room.o","limit":1}`)
	if x.Total != 2 || x.Topics[0].Last == 0 {
		t.Errorf("a page: %+v", x)
	}
	c.close()
	testkit.Eventually(t, "those who left not to be counted", func() bool {
		return told(`{"prefix":"room."}`) == "room.dev:0:2:2 room.ops:3:5:5 room.other:0:1:1"
	})
}

func testGarbage(t *testing.T) {
	n := start(t)
	n.connections(``, 0)
	for _, q := range [][2]string{
		{"connections", `{"limit":501}`},
		{"connections", `{"limit":-1}`},
		{"connections", `{"ip":"nowhere"}`},
		{"connections", `{"topic":"a b"}`},
		{"connections", `{"state":"asleep"}`},
		{"connections", `{"users":"ann"}`},
		{"connections", `[]`},
		{"connections", `{"user":"` + strings.Repeat("x", 2000) + `"}`},
		{"connections", `{"after":"` + strings.Repeat("x", 2000) + `"}`},
		{"cut", `{}`},
		{"cut", `{"conn":"x"}`},
		{"cut", `{"user":"a","conn":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`},
		{"cut", `{"user":"` + strings.Repeat("x", 2000) + `"}`},
		{"topics", `{"sort":"colour"}`},
		{"topics", `{"limit":501}`},
		{"topics", `{"prefix":"` + strings.Repeat("x", 256) + `"}`},
	} {
		err := n.question(q[0], q[1], new(any))
		if e, ok := errors.AsType[*mesh.Error](err); !ok || e.Code != mesh.CodeBad {
			t.Errorf("%s %.60s: %v, want it refused", q[0], q[1], err)
		}
	}
	if a := ask[cutAnswer](n, "cut", `{"conn":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`); a.Cut != 0 {
		t.Errorf("cut somebody else's: %+v", a)
	}
}
