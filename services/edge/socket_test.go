package edge_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// TestSocket is what a WebSocket has in common with a stream of Server-Sent Events.
func TestSocket(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, way)
	}{
		{"hello then live then events", testSocketHello},
		{"void cursors", testSocketVoidCursors},
		{"rewind", testSocketRewind},
		{"large events", testSocketLargeEvents},
		{"ephemeral", testSocketEphemeral},
		{"token expiry", testSocketTokenExpiry},
		{"no topics", testSocketWithoutTopics},
		{"early frames", testSocketEarlyFrames},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			waysOf(t, a, b, c.test)
		})
	}
}

func testSocketHello(t *testing.T, w way) {
	r := w.room("hello")
	s := w.dial("topics=user," + string(r))
	h := s.hello
	want := map[string]string{"raw": "n1", "rawdeflate": "n1"}[w.name]
	if want == "" {
		want = "n2"
	}
	if h.Node != want || len(h.Conn) != 28 || h.Cursor != s.at || h.Resumed || h.HeartbeatMS != 15000 || h.RetryMS < 1000 || !slices.Equal(h.Topics, []string{"user.ann", string(r)}) {
		t.Errorf("hello = %+v", h)
	}
	if o := s.next(); o.Type != "tidings.live" || o.Cursor == "" {
		t.Fatalf("got %s, want tidings.live", o.text)
	}
	if _, err := w.conn.JS.Publish(t.Context(), "tidings.ev."+string(r), []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	o := s.next()
	if o.Topic != string(r) || o.Type != "message" || string(o.Data) != `{"x":1}` || o.ID != o.Cursor || !strings.HasPrefix(o.Cursor, h.Epoch+"-") {
		t.Errorf("event = %s", o.text)
	}
	w.put(w.room("others"), 2, 3)
	w.put(r, 4, 8)
	if got := s.numbers(4); !slices.Equal(got, expected(r, 4, 8)) {
		t.Errorf("got %v", got)
	}
}

func testSocketVoidCursors(t *testing.T, w way) {
	r := w.room("void")
	w.put(r, 0, 3)
	x, err := w.log.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for reason, cursor := range map[string]string{"epoch": "another-1", "ahead": x.Epoch + "-1000000"} {
		w.abreast() // or it gets after the gap what the edge had not seen at its hello
		s := w.dial("topics=" + string(r) + "&cursor=" + cursor)
		o := s.next()
		var g struct{ Topic, After, Before, Reason string }
		decode(t, string(o.Data), &g)
		if o.Type != "tidings.gap" || g.Reason != reason || g.After != cursor || g.Topic != string(r) || g.Before != s.hello.Cursor || o.Cursor != s.hello.Cursor || s.hello.Resumed {
			t.Errorf("%s: got %s after %+v", reason, o.text, s.hello)
		}
		s.until("tidings.live")
		w.put(r, 3, 4)
		if got := s.numbers(1); got[0] != string(r)+":3" {
			t.Errorf("%s: after the gap: %v", reason, got)
		}
	}
}

func testSocketRewind(t *testing.T, w way) {
	r, rare := w.room("rewind"), w.room("rare")
	from := w.position()
	w.put(rare, 0, 1)
	w.put(r, 0, 20)
	// The edge has them when it sends them.
	w.dial("topics=" + string(r) + "&cursor=" + from).numbers(20)
	s := w.dial("topics=" + string(r) + "," + string(rare) + "&rewind=3")
	want := append([]string{string(rare) + ":0"}, expected(r, 17, 20)...)
	if got := s.numbers(4); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.until("tidings.live")
	w.put(r, 20, 21)
	if got := s.numbers(1); got[0] != string(r)+":20" {
		t.Errorf("live: %v", got)
	}
}

func testSocketLargeEvents(t *testing.T, w way) {
	r := w.room("large")
	s := w.dial("topics=" + string(r))
	s.until("tidings.live")
	bytes := make([]byte, 75_000)
	for i := range bytes {
		bytes[i] = byte(rand.N(256))
	}
	noise := base64.StdEncoding.EncodeToString(bytes)
	for _, c := range []struct {
		name, data string
		packed     bool
	}{
		{"repetitive", strings.Repeat("paid in full ", 8000), true},
		{"noise", noise, false},
		{"small", "x", false},
		{"medium", strings.Repeat("paid ", 200), true},
		{"65,535 and some", strings.Repeat("x", 1<<16), true},
	} {
		if _, err := w.log.Append(t.Context(), event.Event{Topic: r, Type: "n", Data: []byte(`"` + c.data + `"`)}, ""); err != nil {
			t.Fatal(err)
		}
		m, err := s.read()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.name != "noise" && m.Deflated != (c.packed && w.deflate) {
			t.Errorf("%s: compressed: %v", c.name, m.Deflated)
		}
		if o := s.object(m); string(o.Data) != `"`+c.data+`"` {
			t.Errorf("%s: got %d bytes %.100s", c.name, len(o.Data), o.text)
		}
	}
	// The same once more from the stream's past.
	again := w.dial("topics=" + string(r) + "&cursor=" + s.hello.Cursor)
	for range 5 {
		if again.next().Topic != string(r) {
			t.Error("an event is missing in the replay")
		}
	}
}

func testSocketEphemeral(t *testing.T, w way) {
	r := w.room("ephemeral")
	s, other := w.dial("topics="+string(r)), w.dial("topics=room.*.ephemeral,"+string(r))
	s.until("tidings.live")
	other.until("tidings.live")
	for _, ephemeral := range []bool{true, false} {
		a := s.do(fmt.Sprintf(`"do":"publish","topic":%q,"type":"cursor","ephemeral":%v,"except":%q,"data":7`, r, ephemeral, s.hello.Conn))
		if !a.OK {
			t.Fatalf("publish: %s", a.text)
		}
		for {
			o := other.until("cursor")
			if o.Topic != string(r) { // of another way
				continue
			}
			if (o.Cursor == "") != ephemeral || o.Source != "user.ann" {
				t.Errorf("ephemeral %v: %s", ephemeral, o.text)
			}
			break
		}
	}
	w.put(r, 1, 2)
	if o := s.next(); o.Type != "n" || string(o.Data) != "1" {
		t.Errorf("the publisher got %s", o.text)
	}
}

func testSocketTokenExpiry(t *testing.T, w way) {
	s := w.dialAs(token(t, 2*time.Second), "topics="+string(w.room("expiry")))
	if o := s.until("tidings.expiring"); !strings.Contains(o.text, "in_ms") || o.Cursor != "" {
		t.Errorf("expiring = %s", o.text)
	}
	code, reason, before := s.end()
	if name, back, retry := bye(t, before); code != 4001 || reason != name || name != "token_expired" || !back || retry < 1000 {
		t.Errorf("close %d %s after bye %s %v %d", code, reason, name, back, retry)
	}
}

// testSocketWithoutTopics begins with nothing and asks for topics later.
func testSocketWithoutTopics(t *testing.T, w way) {
	r := w.room("later")
	s := w.dial("")
	if s.hello.Topics == nil || len(s.hello.Topics) > 0 {
		t.Errorf("hello = %+v, want an empty list of topics", s.hello)
	}
	s.until("tidings.live")
	w.put(r, 0, 5)
	if a := s.do(`"do":"subscribe","topics":["user","` + string(r) + `"]`); !a.OK || !slices.Equal(a.Topics, []string{"user.ann", string(r)}) || a.Conn != s.hello.Conn {
		t.Fatalf("subscribe: %s", a.text)
	}
	w.put(r, 5, 8)
	got := s.numbers(1) // the edge may learn of the first five only now
	for got[len(got)-1] != string(r)+":7" {
		got = append(got, s.numbers(1)...)
	}
	if want := expected(r, 0, 8); !slices.Equal(got, want[8-len(got):]) {
		t.Errorf("got %v", got)
	}
}

// eager sends more with the first write.
type eager struct {
	net.Conn
	more []byte
}

func (c *eager) Write(b []byte) (int, error) {
	n := len(b)
	b = append(slices.Clone(b), c.more...)
	c.more = nil
	if _, err := c.Conn.Write(b); err != nil {
		return 0, err
	}
	return n, nil
}

// testSocketEarlyFrames sends commands in one write with the handshake.
func testSocketEarlyFrames(t *testing.T, w way) {
	r := w.room("early")
	var more []byte
	for i, text := range []string{
		`{"id":1,"do":"subscribe","topics":["` + string(r) + `"]}`, `{"id":2,"do":"publish","topic":"` + string(r) + `","type":"n","data":5}`, `{"id":3,"do":"ping"}`,
	} {
		more = websockettest.AppendFrame(more, websockettest.Text, true, false, [4]byte{1, 2, 3, byte(i)}, []byte(text))
	}
	more = websockettest.AppendFrame(more, websockettest.Ping, true, false, [4]byte{}, []byte("early"))
	s := w.dialOver(func(c net.Conn) net.Conn { return &eager{Conn: c, more: more} }, "")
	for id := range 3 {
		if a := s.answer(); string(a.Re) != strconv.Itoa(id+1) || !a.OK {
			t.Errorf("answer %s", a.text)
		}
	}
	if got := s.numbers(1); got[0] != string(r)+":5" {
		t.Errorf("got %v", got)
	}
}

// TestSocketResumes reads 3,000 events that the tail has long forgotten, then some
// that it has, then new ones.
func TestSocketResumes(t *testing.T) {
	t.Parallel()
	const count = 3000
	a, b := pair(t, func(c *edge.Config) { c.TailBytes = 64 << 10 })
	from, r := a.position(), subject.Room("much")
	a.flood(r, count, 100)
	waysOf(t, a, b, func(t *testing.T, w way) {
		numbers := func(s *sock, from, to int) {
			t.Helper()
			for i := from; i < to; i++ {
				o := s.next()
				for strings.HasPrefix(o.Type, "tidings.") {
					o = s.next()
				}
				if !strings.HasPrefix(string(o.Data), fmt.Sprintf(`"%d x`, i)) {
					t.Fatalf("event %d is %.100s", i, o.text)
				}
			}
		}
		s := w.dial("topics=room.much,room.none&cursor=" + from)
		if !s.hello.Resumed || s.hello.Cursor != from {
			t.Errorf("hello = %+v", s.hello)
		}
		numbers(s, 0, 1234)
		at := s.at
		numbers(s, 1234, count)
		s.until("tidings.live")
		again := w.dial("topics=room.*&cursor=" + at)
		numbers(again, 1234, count)
		again = w.dial("topics=room.much&cursor=" + s.at) // the tail has this
		again.until("tidings.live")
		w.put(w.room(), 0, 1)
		s.do(`"do":"subscribe","topics":["` + string(w.room("end")) + `"]`)
		w.put(w.room("end"), 1, 2)
		if got := s.numbers(1); got[0] != string(w.room("end"))+":1" {
			t.Errorf("live: %v", got)
		}
	})
}

// narrow makes a socket that holds little.
func (n *node) narrow(c net.Conn) net.Conn {
	if err := c.(*net.TCPConn).SetReadBuffer(128 << 10); err != nil {
		n.t.Error(err)
	}
	return c
}

// TestSocketStalls has a client that reads nothing while far more goes by than its
// socket and the tail hold. Another one gets everything meanwhile.
func TestSocketStalls(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, w way) {
		count := 600
		if w.deflate { // which takes time
			count = 250
		}
		r := w.room("stalls")
		s := w.dialOver(w.narrow, "topics="+string(r))
		other := w.dial("topics=" + string(r))
		other.until("tidings.live")
		noise := make([]byte, 12_000)
		for i := range noise {
			noise[i] = 'a' + byte(rand.N(26))
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range count {
				if _, err := w.conn.JS.PublishAsync("tidings.ev."+string(r), append(strconv.AppendInt(nil, int64(i), 10), noise...)); err != nil {
					t.Error(err)
					return
				}
				if i%50 == 49 {
					<-w.conn.JS.PublishAsyncComplete()
				}
			}
		})
		defer wg.Wait()
		for _, reader := range []*sock{other, s} {
			for i := range count {
				if o := reader.until("message"); !strings.HasPrefix(string(o.Data), `"`+strconv.Itoa(i)+string(noise[:1])) {
					t.Fatalf("event %d is %.100s", i, o.text)
				}
			}
		}
	}, func(c *edge.Config) { c.TailBytes = 256 << 10 })
}
