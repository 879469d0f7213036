package edge_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// way is one of the ways in which a WebSocket reaches an edge: over either sink,
// compressed or not. Of each test they share the log, so that topics are theirs alone.
type way struct {
	*node
	other   *node // the edge with the other sink
	name    string
	deflate bool
}

// pair starts two edges on one log: the first with the raw sink, the second without.
func pair(t *testing.T, change ...func(*edge.Config)) (*node, *node) {
	t.Helper()
	limits := testkit.Limits()
	limits.PerTopic = 100_000
	log, conn := testkit.EventLog(t, limits)
	a := startOn(t, log, conn, change...)
	return a, startOn(t, log, conn, append(change, func(c *edge.Config) { c.Node, c.Ordinary = "n2", true })...)
}

// everyWay runs a test over every way, on two edges of its own.
func everyWay(t *testing.T, test func(*testing.T, way), change ...func(*edge.Config)) {
	t.Helper()
	a, b := pair(t, change...)
	waysOf(t, a, b, test)
}

// waysOf runs a test over every way to two edges.
func waysOf(t *testing.T, a, b *node, test func(*testing.T, way)) {
	t.Helper()
	for _, w := range []way{
		{node: a, other: b, name: "raw"},
		{node: a, other: b, name: "rawdeflate", deflate: true},
		{node: b, other: a, name: ordinarySink},
		{node: b, other: a, name: ordinarySink + "deflate", deflate: true},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			w.node, w.other = w.as(t), w.other.as(t)
			test(t, w)
		})
	}
}

// as returns the node for another test.
func (n *node) as(t *testing.T) *node {
	m := *n
	m.t = t
	return &m
}

// room is a topic that no other way uses.
func (w way) room(more ...string) subject.Topic {
	return subject.Room(append([]string{w.name}, more...)...)
}

// hello is the data of tidings.hello.
type hello struct {
	Conn, Node, Epoch, Cursor string
	Topics                    []string
	Resumed                   bool
	HeartbeatMS               int `json:"heartbeat_ms"`
	RetryMS                   int `json:"retry_ms"`
}

// object is any message of the edge: an event, a heartbeat or an answer.
type object struct {
	envelope
	Re     json.RawMessage
	OK     bool
	Error  map[string]any
	Conn   string
	Topics []string
	Seq    uint64
	text   string
}

// sock is an open WebSocket. Pings are answered while it is read, unless it is mute.
type sock struct {
	*websockettest.Conn
	t     *testing.T
	hello hello
	at    string   // the last cursor
	kept  []object // what came while an answer was awaited
	mute  bool
}

// dial opens a WebSocket as ann and reads its tidings.hello.
func (w way) dial(query string, header ...string) *sock {
	w.t.Helper()
	return w.dialAs(token(w.t, time.Hour), query, header...)
}

func (w way) dialAs(tok, query string, header ...string) *sock {
	w.t.Helper()
	s, err := w.tryDial(nil, tok, query, header...)
	return w.opened(s, err)
}

// dialOver is dial over a socket that is prepared before anything is sent.
func (w way) dialOver(prepare func(net.Conn) net.Conn, query string) *sock {
	w.t.Helper()
	s, err := w.tryDial(prepare, token(w.t, time.Hour), query)
	return w.opened(s, err)
}

func (w way) opened(s *sock, err error) *sock {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	o := s.next()
	if o.Type != "tidings.hello" || o.Cursor == "" {
		w.t.Fatalf("the first message is %s, want tidings.hello", o.text)
	}
	decode(w.t, string(o.Data), &s.hello)
	return s
}

// tryDial opens a WebSocket and reads nothing.
func (w way) tryDial(over func(net.Conn) net.Conn, tok, query string, header ...string) (*sock, error) {
	w.t.Helper()
	h := http.Header{}
	if tok != "" {
		h.Set("Authorization", "Bearer "+tok)
	}
	if w.deflate {
		h.Set("Sec-WebSocket-Extensions", websockettest.OfferDeflate)
	}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	address, err := url.Parse(w.url + "/v1/ws?" + query)
	if err != nil {
		w.t.Fatal(err)
	}
	var d net.Dialer
	nc, err := d.DialContext(w.t.Context(), "tcp", address.Host)
	if err != nil {
		return nil, err
	}
	if over != nil {
		nc = over(nc)
	}
	c, err := websockettest.Open(nc, address, h)
	if err != nil {
		return nil, err
	}
	if got := c.Header.Get("Sec-WebSocket-Extensions") != ""; got != w.deflate {
		w.t.Errorf("compression was agreed: %v, want %v", got, w.deflate)
	}
	w.t.Cleanup(func() { c.Close() })
	return &sock{Conn: c, t: w.t}, nil
}

// read returns the next text or close frame.
func (s *sock) read() (websockettest.Message, error) {
	for {
		m, err := s.ReadMessage()
		if err != nil || m.Opcode == websockettest.Text || m.Opcode == websockettest.Close {
			return m, err
		}
		if m.Opcode == websockettest.Ping && !s.mute {
			if err := s.WriteFrame(websockettest.Pong, true, false, m.Payload); err != nil {
				return m, err
			}
		}
	}
}

// next returns the next object.
func (s *sock) next() object {
	s.t.Helper()
	if len(s.kept) > 0 {
		o := s.kept[0]
		s.kept = s.kept[1:]
		return o
	}
	m, err := s.read()
	if err != nil || m.Opcode == websockettest.Close {
		s.t.Fatalf("read the socket: %v, close %d %q", err, m.Code, m.Payload)
	}
	return s.object(m)
}

func (s *sock) object(m websockettest.Message) object {
	s.t.Helper()
	o := object{text: string(m.Payload)}
	decode(s.t, o.text, &o)
	if o.Cursor != "" && o.Re == nil {
		s.at = o.Cursor
	}
	return o
}

// until reads up to and including the first object of a type.
func (s *sock) until(kind string) object {
	s.t.Helper()
	for {
		if o := s.next(); o.Type == kind {
			return o
		}
	}
}

// numbers reads count ordinary events and returns "topic:n" for each.
func (s *sock) numbers(count int) []string {
	s.t.Helper()
	var list []string
	for len(list) < count {
		o := s.next()
		if o.Type != "" && !strings.HasPrefix(o.Type, "tidings.") {
			list = append(list, o.Topic+":"+string(o.Data))
		}
	}
	return list
}

// do gives a command, without its braces and id, and returns the answer.
func (s *sock) do(fields string) object {
	s.t.Helper()
	s.say(`{"id":7,` + fields + `}`)
	o := s.answer()
	if string(o.Re) != "7" {
		s.t.Errorf("the answer to %s is %s", fields, o.text)
	}
	return o
}

// say sends a message.
func (s *sock) say(text string) {
	s.t.Helper()
	if err := s.WriteText(text); err != nil {
		s.t.Fatal(err)
	}
}

// answer returns the next answer and keeps what comes before it.
func (s *sock) answer() object {
	s.t.Helper()
	kept := s.kept
	s.kept = nil
	for {
		o := s.next()
		if o.Re != nil {
			s.kept = kept
			return o
		}
		kept = append(kept, o)
	}
}

// end reads to the close frame and returns its code, its reason and the objects
// before it. Then the socket must end.
func (s *sock) end() (code uint16, reason string, before []object) {
	s.t.Helper()
	before = s.kept
	for {
		m, err := s.read()
		if err != nil {
			s.t.Fatalf("the socket ended without a close frame: %v", err)
		}
		if m.Opcode != websockettest.Close {
			before = append(before, s.object(m))
			continue
		}
		_ = s.WriteClose(m.Code, "") // the edge may be gone
		if extra, err := s.ReadMessage(); !gone(err) {
			s.t.Errorf("after the close frame came %+v, %v", extra, err)
		}
		return m.Code, string(m.Payload), before
	}
}

// gone says that an error is the end of a connection.
func gone(err error) bool {
	var timeout net.Error
	return err != nil && (errors.Is(err, io.EOF) || !errors.As(err, &timeout) || !timeout.Timeout())
}

// bye returns the data of the tidings.bye that ends the objects.
func bye(t *testing.T, before []object) (code string, comeBack bool, retryMS int) {
	t.Helper()
	if len(before) == 0 || before[len(before)-1].Type != "tidings.bye" {
		t.Fatalf("the last object is not tidings.bye: %+v", before)
	}
	var b struct {
		Code    string
		Return  bool
		RetryMS int `json:"retry_ms"`
	}
	decode(t, string(before[len(before)-1].Data), &b)
	return b.Code, b.Return, b.RetryMS
}
