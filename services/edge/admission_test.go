package edge_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestSocketRefusals: what will not pass is refused before the upgrade, as a problem
// document, and stores or holds nothing.
func TestSocketRefusals(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *edge.Config) { c.Topics = 3 })
	w := way{node: n}
	good := tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.ops"}, TTL: time.Hour})
	for _, c := range []struct {
		name, query, token string
		header             []string
		status             int
		code, param        string
	}{
		{name: "no token", query: "topics=user", status: 401, code: "token_missing"},
		{name: "garbage token", query: "topics=user", token: "x.y.z", status: 401},
		{name: "used up ticket", query: "topics=user&ticket=nope", status: 401, code: "ticket_invalid"},
		{name: "a token in the URL", query: "topics=user&token=" + good, token: good, status: 400, code: "unknown_parameter", param: "token"},
		{name: "wait", query: "topics=user&wait=5", token: good, status: 400, code: "unknown_parameter", param: "wait"},
		{name: "bad topic", query: "topics=lobby", token: good, status: 400, code: "bad_topic", param: "topics"},
		{name: "denied topic", query: "topics=room.b", token: good, status: 403, code: "topic_denied", param: "topics"},
		{name: "too many topics", query: "topics=user,all,room.ops,user.ann,user.bob", token: good, status: 403, code: "topic_denied", param: "topics"},
		{name: "bad cursor", query: "topics=user&cursor=7", token: good, status: 400, code: "bad_cursor", param: "cursor"},
		{name: "bad rewind", query: "topics=user&rewind=x", token: good, status: 400, code: "bad_rewind", param: "rewind"},
		{name: "foreign cookie", query: "topics=user", header: []string{"Cookie", "tidings_token=" + good, "Origin", "https://evil.example"}, status: 403, code: "origin_refused"},
		{name: "no upgrade", query: "topics=user", token: good, header: []string{"Upgrade", "h2c"}, status: 426, code: "websocket_upgrade_required"},
		{name: "old version", query: "topics=user", token: good, header: []string{"Sec-WebSocket-Version", "8"}, status: 426, code: "websocket_version"},
		{name: "bad key", query: "topics=user", token: good, header: []string{"Sec-WebSocket-Key", "short"}, status: 400, code: "websocket_key"},
	} {
		_, err := w.tryDial(nil, c.token, c.query, c.header...)
		var refused *websockettest.Refused
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want a refusal", c.name, err)
			continue
		}
		var p struct{ Code, Param string }
		if err := json.Unmarshal(refused.Body, &p); err != nil || refused.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s body %s", c.name, refused.Header.Get("Content-Type"), refused.Body)
		}
		if refused.Status != c.status || c.code != "" && p.Code != c.code || p.Param != c.param {
			t.Errorf("%s: got %d %s %s, want %d %s %s", c.name, refused.Status, p.Code, p.Param, c.status, c.code, c.param)
		}
		if c.status == 426 && (refused.Header.Get("Upgrade") != "websocket" || refused.Header.Get("Sec-WebSocket-Version") != "13") {
			t.Errorf("%s: the answer does not say what to upgrade to: %v", c.name, refused.Header)
		}
	}
	if status, p := n.call("GET", "/v1/ws?topics=user", good, ""); status != http.StatusUpgradeRequired || p["code"] != "websocket_upgrade_required" {
		t.Errorf("a plain GET: %d %v", status, p)
	}
	if status, _ := n.call("POST", "/v1/ws", good, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %d", status)
	}
	if got := n.count(); got != 0 {
		t.Errorf("%d connections after refusals", got)
	}
}

// TestSocketCredentials opens with a ticket, once, and with a cookie of the same origin.
func TestSocketCredentials(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, w way) {
		tok := token(t, time.Hour)
		_, answer := w.other.call("POST", "/v1/tickets", tok, "")
		query := "topics=user&ticket=" + answer["ticket"].(string)
		w.dialAs("", query).until("tidings.live")
		_, err := w.tryDial(nil, "", query)
		var refused *websockettest.Refused
		if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
			t.Errorf("the second use of a ticket: %v", err)
		}
		s := w.dialAs("", "topics=user", "Cookie", "tidings_token="+tok, "Origin", w.url)
		s.until("tidings.live")
		if !slices.Equal(s.hello.Topics, []string{"user.ann"}) {
			t.Errorf("hello = %+v", s.hello)
		}
	})
}

// TestSocketLimits: a refusal that will pass is a tidings.bye, because browsers hide
// every other one.
func TestSocketLimits(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, w way) {
		tok := tokenOf(t, auth.Claims{User: w.name, TTL: time.Hour})
		first := w.dialAs(tok, "topics=user")
		w.dialAs(tok, "topics=user").until("tidings.live")
		s, err := w.tryDial(nil, tok, "topics=user")
		if err != nil {
			t.Fatal(err)
		}
		code, reason, before := s.end()
		if name, back, retry := bye(t, before); len(before) != 1 || code != 4029 || reason != name || name != "too_many_connections" || !back || retry < 6000 {
			t.Errorf("close %d %s after %d objects and bye %s %v %d", code, reason, len(before), name, back, retry)
		}
		first.Close()
		testkit.Eventually(t, "the place of a closed connection", func() bool {
			s, err := w.tryDial(nil, tok, "topics=user")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			return s.next().Type == "tidings.hello"
		})
	}, func(c *edge.Config) { c.PerUser = 2 })
}

// TestSocketDrain stops an edge under its clients, which go on at the other one and
// miss nothing.
func TestSocketDrain(t *testing.T) {
	t.Parallel()
	for _, sink := range []string{"raw", ordinarySink} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			a := start(t)
			b := startOn(t, a.log, a.conn, func(c *edge.Config) { c.Node = "n2" })
			const count, clients = 400, 6
			var list []*sock
			for i := range clients {
				s := way{node: a, deflate: i%2 == 0}.dial("topics=room.ops")
				s.until("tidings.live")
				list = append(list, s)
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range count {
					a.put(ops(), i, i+1)
					if i == count/4 {
						close(stop)
					}
				}
			})
			wg.Go(func() { <-stop; a.stop() })
			for i, s := range list {
				wg.Go(func() {
					w := way{node: b, deflate: i%2 == 0}
					same(t, "client "+strconv.Itoa(i), w.moves(s, count), expected(ops(), 0, count))
				})
			}
			wg.Wait()
			if got := a.count(); got != 0 {
				t.Errorf("%d connections after the drain", got)
			}
			s, err := way{node: a}.tryDial(nil, token(t, time.Hour), "topics=room.ops")
			if err != nil {
				t.Fatal(err)
			}
			if code, reason, _ := s.end(); code != 1001 || reason != "draining" {
				t.Errorf("a late client: close %d %s", code, reason)
			}
		})
	}
}

// moves reads a socket to its end, goes on at another edge and returns all events.
func (w way) moves(s *sock, count int) []string {
	w.t.Helper()
	code, reason, before := s.end()
	if name, back, _ := bye(w.t, before); code != 1001 || reason != "draining" || name != reason || !back {
		w.t.Errorf("close %d %s after bye %s %v", code, reason, name, back)
	}
	var got []string
	for _, o := range before {
		if o.Type == "n" {
			got = append(got, o.Topic+":"+string(o.Data))
		}
	}
	if len(got) == count {
		return got
	}
	s = w.dial("topics=room.ops&cursor=" + s.at)
	if !s.hello.Resumed {
		w.t.Errorf("hello = %+v", s.hello)
	}
	return append(got, s.numbers(count-len(got))...)
}

// TestStalledClientLeaves: a client that reads nothing does not keep a node from
// stopping.
func TestStalledClientLeaves(t *testing.T) {
	t.Parallel()
	for _, sink := range []string{"raw", ordinarySink} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			n := start(t)
			s := way{node: n}.dialOver(n.as(t).narrow, "topics=room.ops")
			s.until("tidings.live")
			other := way{node: n}.dial("topics=room.ops")
			other.until("tidings.live")
			const count = 500
			n.flood(ops(), count, 12_000)
			for range count {
				other.until("message")
			}
			other.Close()
			n.stop()
			testkit.Eventually(t, "the connections to end", func() bool { return n.count() == 0 })
		})
	}
}

// TestSocketNATSRestart: streams outlive NATS and say that it is away; newcomers are
// told to come back, and promises are not made.
func TestSocketNATSRestart(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	var list []*sock
	ways := []way{{node: a}, {node: a, deflate: true}, {node: b}, {node: b, deflate: true}}
	for _, w := range ways {
		s := w.dial("topics=room.ops")
		s.until("tidings.live")
		list = append(list, s)
	}
	a.conn.Embedded().Stop()
	for i, s := range list {
		if o := s.until("tidings.away"); o.Cursor != "" {
			t.Errorf("away: %s", o.text)
		}
		if r := s.do(`"do":"publish","topic":"room.ops","data":1`); r.OK || r.Error["code"] != "log_unavailable" || r.Error["status"] != 503.0 {
			t.Errorf("publish while away: %s", r.text)
		}
		late, err := ways[i].tryDial(nil, token(t, time.Hour), "topics=room.ops")
		if err != nil {
			t.Fatal(err)
		}
		code, _, before := late.end()
		if name, back, _ := bye(t, before); code != 1013 || name != "log_unavailable" || !back {
			t.Errorf("connect while away: close %d after bye %s", code, name)
		}
	}
	if status, p := a.call("GET", "/v1/poll?topics=room.ops&wait=0", token(t, time.Hour), ""); status != http.StatusServiceUnavailable || p["code"] != "log_unavailable" {
		t.Errorf("poll while away: %d %v", status, p)
	}
	if err := a.conn.Embedded().Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the log to take events", func() bool {
		_, err := a.log.Append(t.Context(), event.Event{Topic: ops(), Type: "n", Data: []byte("2")}, "k")
		return err == nil
	})
	for _, s := range list {
		if got := s.numbers(1); got[0] != "room.ops:2" {
			t.Errorf("after the restart: %v", got)
		}
		s.until("tidings.live")
	}
}

// TestTooManyTopicsAtOnce: the bound holds for the handshake, too.
func TestTooManyTopicsAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *edge.Config) { c.Topics = 3 })
	topics := []string{"user", "all"}
	for i := range 2 {
		topics = append(topics, string(subject.Room(strconv.Itoa(i))))
	}
	_, err := way{node: n}.tryDial(nil, token(t, time.Hour), "topics="+strings.Join(topics, ","))
	var refused *websockettest.Refused
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || !strings.Contains(string(refused.Body), "too_many_topics") {
		t.Errorf("got %v", err)
	}
}
