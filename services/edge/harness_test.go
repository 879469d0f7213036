package edge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// secret signs every token of the tests.
var secret = []byte("a secret of the tests, long enough for HS256")

// ordinarySink ends the name of tests that switch the raw sink off.
const ordinarySink = "ordinary"

// plainWire ends the name of tests whose clients do not take gzip.
const plainWire = "plain"

// node is one edge behind a real HTTP server.
type node struct {
	t    *testing.T
	log  *stream.NATS
	conn *natsx.Conn
	edge *edge.Edge
	url  string
	reg  *prometheus.Registry
	stop func() // ends Run and waits
}

// start runs an edge on a fresh log.
func start(t *testing.T, change ...func(*edge.Config)) *node {
	t.Helper()
	log, conn := testkit.EventLog(t, testkit.Limits())
	return startOn(t, log, conn, change...)
}

// startOn runs an edge on a log and waits until it is ready.
func startOn(t *testing.T, log *stream.NATS, conn *natsx.Conn, change ...func(*edge.Config)) *node {
	t.Helper()
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Secret: secret}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	store, err := edge.OpenTicketStore(t.Context(), conn, testkit.Space(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := edge.Config{
		Node: "n1", Space: testkit.Space(t), Log: log, NATS: conn, Drain: 500 * time.Millisecond,
		Auth: &auth.Authenticator{Verifier: verifier, Tickets: auth.NewTickets(store, auth.TicketTTL)},
	}
	cfg.Ordinary = strings.HasSuffix(t.Name(), "/"+ordinarySink)
	for _, fn := range change {
		fn(&cfg)
	}
	reg := prometheus.NewRegistry()
	e, err := edge.New(cfg, testkit.Log(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	router := httpx.NewEcho(httpx.EchoConfig{Log: testkit.Log(t)})
	e.Routes(router)
	server := httptest.NewServer(router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	n := &node{t: t, log: log, conn: conn, edge: e, url: server.URL, reg: reg, stop: func() { cancel(); <-done }}
	t.Cleanup(func() {
		n.stop()
		server.CloseClientConnections()
		server.Close()
	})
	testkit.Eventually(t, "the edge to be ready", func() bool { return e.Ready(t.Context()) == nil })
	return n
}

// token mints a token of ann that lives for ttl and may read and publish to all rooms.
func token(t *testing.T, ttl time.Duration) string {
	t.Helper()
	return tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.>"}, Pub: []string{"room.>"}, TTL: ttl})
}

func tokenOf(t *testing.T, c auth.Claims) string {
	t.Helper()
	s, err := auth.Mint(secret, c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put appends n numbered events to a topic.
func (n *node) put(topic subject.Topic, from, to int) {
	n.t.Helper()
	for i := from; i < to; i++ {
		if _, err := n.log.Append(n.t.Context(), event.Event{Topic: topic, Type: "n", Data: []byte(strconv.Itoa(i))}, ""); err != nil {
			n.t.Fatalf("append %d: %v", i, err)
		}
	}
}

// block is one parsed Server-Sent Events block.
type block struct {
	id, kind, data, retry string
}

// envelope is the data of an ordinary event.
type envelope struct {
	Topic, Type, ID, Source, Cursor string
	Data                            json.RawMessage
}

func (b block) event(t *testing.T) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal([]byte(b.data), &e); err != nil {
		t.Fatalf("data %q: %v", b.data, err)
	}
	return e
}

// client is one open stream.
type client struct {
	t      *testing.T
	resp   *http.Response
	cancel context.CancelFunc
	lines  *bufio.Reader
	lastID string
	live   bool // tidings.live was read
}

// open opens a stream as ann. query is everything after the question mark.
func (n *node) open(query string, header ...string) *client {
	n.t.Helper()
	return n.openAs(token(n.t, time.Hour), query, header...)
}

func (n *node) openAs(tok, query string, header ...string) *client {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/v1/events?"+query, http.NoBody)
	if err != nil {
		n.t.Fatal(err)
	}
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	if strings.HasSuffix(n.t.Name(), "/"+plainWire) {
		req.Header.Set("Accept-Encoding", "identity") // else the transport asks for gzip and unpacks
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		n.t.Fatal(err)
	}
	c := &client{t: n.t, resp: resp, cancel: cancel, lines: bufio.NewReader(resp.Body)}
	n.t.Cleanup(c.close)
	return c
}

func (c *client) close() {
	c.cancel()
	_ = c.resp.Body.Close()
}

// next returns the next block with any field, within testkit.Patience.
func (c *client) next() block {
	c.t.Helper()
	b, err := c.read()
	if err != nil {
		c.t.Fatalf("read the stream: %v", err)
	}
	return b
}

func (c *client) read() (block, error) {
	timer := time.AfterFunc(testkit.Patience, c.cancel)
	defer timer.Stop()
	var b block
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return b, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			if b.id != "" {
				c.lastID = b.id
			}
			c.live = c.live || b.kind == "tidings.live"
			return b, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			b.id = value
		case "event":
			b.kind = value
		case "data":
			b.data = value
		case "retry":
			b.retry = value
		default:
			c.t.Fatalf("unexpected line %q", line)
		}
	}
}

// until reads up to and including the first block of a kind.
func (c *client) until(kind string) block {
	c.t.Helper()
	for {
		if b := c.next(); b.kind == kind {
			return b
		}
	}
}

// numbers reads count ordinary events and returns "topic:n" for each.
func (c *client) numbers(count int) []string {
	c.t.Helper()
	var list []string
	for len(list) < count {
		b := c.next()
		if strings.HasPrefix(b.kind, "tidings.") || b.kind == "" {
			continue
		}
		e := b.event(c.t)
		list = append(list, e.Topic+":"+string(e.Data))
	}
	return list
}

// wantLive expects tidings.live as the next block, unless it was read before: the
// edge may have learned of the last events only after the client came.
func (c *client) wantLive() {
	c.t.Helper()
	if c.live {
		return
	}
	if b := c.next(); b.kind != "tidings.live" {
		c.t.Errorf("got %+v, want tidings.live", b)
	}
}

// expected lists what numbers should return.
func expected(topic subject.Topic, from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("%s:%d", topic, i))
	}
	return list
}

// call makes a plain request as the holder of tok and decodes the answer's JSON.
func (n *node) call(method, path, tok, body string, header ...string) (int, map[string]any) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil && len(raw) > 0 {
		n.t.Fatalf("%s %s: answer %q: %v", method, path, raw, err)
	}
	return resp.StatusCode, answer
}

func decode(t *testing.T, data string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}
