package edge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) {
	http.DefaultTransport.(*http.Transport).DisableKeepAlives = true
	testkit.Main(m)
}

// TestStream runs everything a stream promises: on the raw sink with gzip and
// without, and on the ordinary one.
func TestStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"hello then live then events", testHelloThenLiveThenEvents},
		{"resume", testResume},
		{"resume behind the tail", testResumeBehindTheTail},
		{"gap on dropped events", testGapOnDroppedEvents},
		{"void cursors", testVoidCursors},
		{"rewind", testRewind},
		{"heartbeat moves the cursor", testHeartbeatMovesTheCursor},
		{"token expiry", testTokenExpiry},
		{"drain", testDrain},
		{"limits", testLimits},
		{"stalled reader", testStalledReader},
		{"natsrestart", testNATSRestart},
		{"new epoch", testNewEpoch},
		{"two edges one cursor", testTwoEdgesOneCursor},
		{"not ready without log", testNotReadyWithoutLog},
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

func ops() subject.Topic { return subject.Room("ops") }

func testHelloThenLiveThenEvents(t *testing.T) {
	n := start(t)
	c := n.open("topics=user,room.ops")
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := c.resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if b := c.next(); b.retry == "" || b.kind != "" {
		t.Fatalf("first block = %+v, want a retry alone", b)
	}
	b := c.next()
	var h struct {
		Conn, Node, Epoch, Cursor string
		Topics                    []string
		Resumed                   bool
		HeartbeatMS               int `json:"heartbeat_ms"`
	}
	if err := json.Unmarshal([]byte(b.data), &h); err != nil || b.kind != "tidings.hello" {
		t.Fatalf("block = %+v (%v), want tidings.hello", b, err)
	}
	if h.Node != "n1" || h.Conn == "" || h.Cursor != b.id || h.Resumed || h.HeartbeatMS != 15000 || !slices.Equal(h.Topics, []string{"user.ann", "room.ops"}) {
		t.Errorf("hello = %+v with id %s", h, b.id)
	}
	if b := c.next(); b.kind != "tidings.live" || !strings.Contains(b.data, h.Cursor) {
		t.Fatalf("block = %+v, want tidings.live", b)
	}
	// Any NATS client may publish: no header is needed.
	if _, err := n.conn.JS.Publish(t.Context(), "tidings.ev.room.ops", []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	b = c.next()
	e := b.event(t)
	if b.kind != "message" || e.Topic != "room.ops" || e.Type != "message" || string(e.Data) != `{"x":1}` || e.ID != b.id || !strings.HasPrefix(b.id, h.Epoch+"-") {
		t.Errorf("event = %+v %+v", b, e)
	}
	n.put(subject.User("ann"), 1, 2)
	n.put(subject.User("bob"), 2, 3)
	n.put(subject.Room("other"), 3, 4)
	n.put(ops(), 4, 5)
	if got := c.numbers(2); !slices.Equal(got, []string{"user.ann:1", "room.ops:4"}) {
		t.Errorf("got %v", got)
	}
}

func testResume(t *testing.T) {
	n := start(t)
	c := n.open("topics=room.ops,room.side")
	c.until("tidings.live")
	n.put(ops(), 0, 3)
	c.numbers(2)
	at := c.lastID
	c.close()
	n.put(subject.Room("side"), 0, 1)
	n.put(ops(), 3, 5)
	want := []string{"room.ops:2", "room.side:0", "room.ops:3", "room.ops:4"}
	for name, c := range map[string]*client{
		"cursor":        n.open("topics=room.ops,room.side&cursor=" + at),
		"Last-Event-ID": n.open("topics=room.ops,room.side", "Last-Event-ID", at),
		"both":          n.open("topics=room.ops,room.side&cursor=nowhere1-7", "Last-Event-ID", at),
		"a pattern":     n.open("topics=room.*,room.ops&cursor=" + at),
	} {
		b := c.until("tidings.hello")
		if !strings.Contains(b.data, `"resumed":true`) || b.id != at {
			t.Errorf("%s: hello = %+v, want resumed at %s", name, b, at)
		}
		if got := c.numbers(4); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		c.wantLive()
	}
}

// testResumeBehindTheTail reads from the stream, then from the tail, then live, and
// nothing is lost, doubled or out of order on the seams.
func testResumeBehindTheTail(t *testing.T) {
	n := start(t, func(c *edge.Config) { c.TailBytes = 32 << 10 })
	c := n.open("topics=room.>")
	start := c.until("tidings.live").id
	c.close()
	const rooms, each = 20, 200
	for i := range each {
		for r := range rooms {
			n.put(subject.Room("r", strconv.Itoa(r)), i, i+1)
		}
	}
	queries := []string{"topics=room.>", "topics=room.r.*,room.>,room.r.1"}
	var exact []string
	for r := range rooms {
		exact = append(exact, "room.r."+strconv.Itoa(r))
	}
	for _, q := range append(queries, "topics="+strings.Join(exact, ",")) {
		c := n.open(q + "&cursor=" + start)
		for i := range each {
			for r := range rooms {
				want := "room.r." + strconv.Itoa(r) + ":" + strconv.Itoa(i)
				if got := c.numbers(1)[0]; got != want {
					t.Fatalf("%s: got %s, want %s", q[:16], got, want)
				}
			}
		}
		c.close()
	}
}

func testGapOnDroppedEvents(t *testing.T) {
	limits := testkit.Limits()
	limits.PerTopic = 10
	log, conn := testkit.EventLog(t, limits)
	n := startOn(t, log, conn, func(c *edge.Config) { c.TailBytes = 2 << 10 })
	c := n.open("topics=room.ops,room.quiet")
	start := c.until("tidings.live").id
	c.close()
	n.put(subject.Room("quiet"), 0, 1)
	n.put(ops(), 0, 30)
	c = n.open("topics=room.ops,room.quiet&cursor=" + start)
	b := c.until("tidings.gap")
	var g struct{ Topic, After, Before, Reason string }
	if err := json.Unmarshal([]byte(b.data), &g); err != nil {
		t.Fatal(err)
	}
	if g.Topic != "room.ops" || g.After != start || g.Reason != "dropped" || g.Before == "" {
		t.Errorf("gap = %+v", g)
	}
	want := append([]string{"room.quiet:0"}, expected(ops(), 20, 30)...)
	if got := c.numbers(11); !slices.Equal(got, want) {
		t.Errorf("after the gap: %v", got)
	}
	c.wantLive()
}

func testVoidCursors(t *testing.T) {
	n := start(t)
	n.put(ops(), 0, 3)
	x, err := n.log.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n.abreast() // or it gets after the gap what it had not seen at its hello
	for reason, cursor := range map[string]string{"epoch": "another-1", "ahead": x.Epoch + "-1000"} {
		c := n.open("topics=room.ops&cursor=" + cursor)
		h := c.until("tidings.hello")
		b := c.next()
		if b.kind != "tidings.gap" || !strings.Contains(b.data, `"reason":"`+reason+`"`) || !strings.Contains(b.data, `"after":"`+cursor+`"`) || b.id != h.id {
			t.Errorf("%s: got %+v", reason, b)
		}
		if strings.Contains(h.data, `"resumed":true`) {
			t.Errorf("%s: hello claims to have resumed", reason)
		}
		c.until("tidings.live")
		c.close()
	}
}

func testRewind(t *testing.T) {
	n := start(t, func(c *edge.Config) { c.TailBytes = 4 << 10 })
	for i := range 20 {
		n.put(ops(), i, i+1)
		if i%10 == 0 {
			n.put(subject.Room("rare"), i, i+1)
		}
	}
	for i := range 50 { // pushes everything else out of the tail
		n.put(subject.Room("noise"), i, i+1)
	}
	n.followed(72) // else the stream begins before the last of them
	c := n.open("topics=room.ops,room.rare,room.none&rewind=3")
	want := []string{"room.rare:0", "room.rare:10", "room.ops:17", "room.ops:18", "room.ops:19"}
	if got := c.numbers(5); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.wantLive()
	n.put(ops(), 20, 21)
	if got := c.numbers(1); got[0] != "room.ops:20" {
		t.Errorf("live: %v", got)
	}
	c = n.open("topics=room.noise&rewind=2") // answered by the tail
	if got := c.numbers(2); !slices.Equal(got, expected(subject.Room("noise"), 48, 50)) {
		t.Errorf("got %v", got)
	}
}

func testHeartbeatMovesTheCursor(t *testing.T) {
	n := start(t, func(c *edge.Config) { c.Heartbeat = 50 * time.Millisecond })
	c := n.open("topics=room.ops")
	first := c.until("tidings.live").id
	n.put(subject.Room("other"), 0, 5)
	testkit.Eventually(t, "a heartbeat with a newer id", func() bool {
		b := c.next()
		if b.kind != "" || b.data != "" || b.id == "" {
			t.Fatalf("block = %+v, want an id alone", b)
		}
		return b.id != first
	})
}

func testTokenExpiry(t *testing.T) {
	n := start(t)
	c := n.openAs(token(t, 2*time.Second), "topics=room.ops")
	if b := c.until("tidings.expiring"); !strings.Contains(b.data, "in_ms") {
		t.Errorf("expiring = %+v", b)
	}
	if b := c.until("tidings.bye"); !strings.Contains(b.data, `"code":"token_expired"`) {
		t.Errorf("bye = %+v", b)
	}
	if _, err := c.read(); err != io.EOF {
		t.Errorf("after bye: %v, want the end", err)
	}
}

func testDrain(t *testing.T) {
	// Twenty farewells take a while on a machine that does other things as well.
	n := start(t, func(c *edge.Config) { c.Drain = 2 * time.Second })
	var clients []*client
	for range 20 {
		c := n.open("topics=room.ops")
		c.until("tidings.live")
		clients = append(clients, c)
	}
	n.put(ops(), 0, 1)
	n.followed(1)
	n.stop()
	retries := map[string]bool{}
	for _, c := range clients {
		if got := c.numbers(1); got[0] != "room.ops:0" {
			t.Errorf("before the end: %v", got)
		}
		var b struct {
			Code    string
			Return  bool
			RetryMS int `json:"retry_ms"`
		}
		if err := json.Unmarshal([]byte(c.until("tidings.bye").data), &b); err != nil || b.Code != "draining" || !b.Return || b.RetryMS < 1000 {
			t.Errorf("bye = %+v, %v", b, err)
		}
		retries[strconv.Itoa(b.RetryMS)] = true
	}
	if len(retries) < 10 {
		t.Errorf("20 clients got only %d different times to return", len(retries))
	}
	c := n.open("topics=room.ops")
	if b := c.next(); c.resp.StatusCode != http.StatusOK || b.retry == "" {
		t.Errorf("a late client got %d %+v, want 200 and retry", c.resp.StatusCode, b)
	}
	if b := c.next(); b.kind != "tidings.bye" {
		t.Errorf("a late client got %+v, want tidings.bye", b)
	}
	if n.edge.Ready(t.Context()) == nil {
		t.Error("a draining edge says it is ready")
	}
}

func testLimits(t *testing.T) {
	n := start(t, func(c *edge.Config) { c.PerUser, c.Connections = 2, 3 })
	bob := tokenOf(t, auth.Claims{User: "bob", Sub: []string{"room.ops"}, TTL: time.Hour})
	first := n.open("topics=room.ops")
	first.until("tidings.live")
	n.open("topics=room.ops").until("tidings.live")
	refused := func(c *client, code string) {
		t.Helper()
		if b := c.until("tidings.bye"); c.resp.StatusCode != http.StatusOK || !strings.Contains(b.data, code) || !strings.Contains(b.data, `"return":true`) {
			t.Errorf("got %d %+v, want 200 and a bye %s", c.resp.StatusCode, b, code)
		}
	}
	refused(n.open("topics=room.ops"), "too_many_connections")
	n.openAs(bob, "topics=room.ops").until("tidings.live")
	refused(n.openAs(bob, "topics=room.ops"), "overloaded")
	first.close()
	testkit.Eventually(t, "the place of a closed connection", func() bool {
		c := n.openAs(bob, "topics=room.ops")
		defer c.close()
		c.next()
		return c.next().kind == "tidings.hello"
	})
}

// testStalledReader stops reading while far more than the sockets, the buffers and
// the tail hold goes by, then reads on and has everything.
func testStalledReader(t *testing.T) {
	limits := testkit.Limits()
	limits.PerTopic = 100_000
	log, conn := testkit.EventLog(t, limits)
	n := startOn(t, log, conn, func(c *edge.Config) { c.TailBytes = 1 << 20 })
	c := n.open("topics=room.ops")
	c.until("tidings.live")
	const count = 20_000
	body := strings.Repeat("x", 1000)
	for i := range count {
		if _, err := conn.JS.PublishAsync("tidings.ev.room.ops", []byte(strconv.Itoa(i)+" "+body)); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			<-conn.JS.PublishAsyncComplete()
		}
	}
	for i := range count {
		b := c.until("message")
		if !strings.Contains(b.data, `"data":"`+strconv.Itoa(i)+" x") {
			t.Fatalf("event %d is %.120s", i, b.data)
		}
	}
}

func testNATSRestart(t *testing.T) {
	n := start(t)
	c := n.open("topics=room.ops")
	c.until("tidings.live")
	n.put(ops(), 0, 2)
	c.numbers(2) // what the log has, the edge need not have yet
	n.conn.Embedded().Stop()
	c.until("tidings.away")
	if code, p := n.call("POST", "/v1/publish", token(t, time.Hour), `{"topic":"room.ops","data":1}`); code != http.StatusServiceUnavailable || p["code"] != "log_unavailable" {
		t.Errorf("publish while away: %d %v", code, p)
	}
	if b := n.open("topics=room.ops").until("tidings.bye"); !strings.Contains(b.data, "log_unavailable") {
		t.Errorf("connect while away: %+v", b)
	}
	if err := n.conn.Embedded().Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the log to take events", func() bool {
		_, err := n.log.Append(t.Context(), event.Event{Topic: ops(), Type: "n", Data: []byte("2")}, "k")
		return err == nil
	})
	if got := c.numbers(1); got[0] != "room.ops:2" {
		t.Errorf("after the restart: %v", got)
	}
	c.until("tidings.live")
}

// testNewEpoch replaces the stream under a connected and a returning client.
func testNewEpoch(t *testing.T) {
	n := start(t)
	c := n.open("topics=room.ops")
	c.until("tidings.live")
	n.put(ops(), 0, 2)
	c.numbers(2)
	old := c.lastID
	if err := n.conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(stream.Name)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the stream to be made anew", func() bool {
		x, err := n.log.Epoch(t.Context())
		return err == nil && !strings.HasPrefix(old, x.Epoch+"-")
	})
	n.put(ops(), 2, 4)
	if b := c.until("tidings.gap"); !strings.Contains(b.data, `"reason":"epoch"`) || !strings.Contains(b.data, old) {
		t.Errorf("gap = %+v", b)
	}
	if got := c.numbers(2); !slices.Equal(got, expected(ops(), 2, 4)) {
		t.Errorf("after the gap: %v", got)
	}
	back := n.open("topics=room.ops&cursor=" + old)
	back.until("tidings.gap")
	back.until("tidings.live")
	n.put(ops(), 4, 5)
	if got := append(c.numbers(1), back.numbers(1)...); !slices.Equal(got, []string{"room.ops:4", "room.ops:4"}) {
		t.Errorf("live after the gap: %v", got)
	}
}

func testTwoEdgesOneCursor(t *testing.T) {
	a := start(t)
	b := startOn(t, a.log, a.conn, func(c *edge.Config) { c.Node = "n2" })
	on := a.open("topics=room.ops")
	on.until("tidings.live")
	a.put(ops(), 0, 2)
	on.numbers(2)
	a.stop()
	a.put(ops(), 2, 4)
	c := b.open("topics=room.ops&cursor=" + on.lastID)
	if got := c.numbers(2); !slices.Equal(got, expected(ops(), 2, 4)) {
		t.Errorf("on the other edge: %v", got)
	}
}

func testNotReadyWithoutLog(t *testing.T) {
	n := start(t)
	n.conn.Embedded().Stop()
	testkit.Eventually(t, "the edge to be unready", func() bool { return n.edge.Ready(context.Background()) != nil })
	if err := n.conn.Embedded().Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the edge to be ready again", func() bool { return n.edge.Ready(context.Background()) == nil })
}
