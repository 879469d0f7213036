package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/testkit"
)

// secret signs every token of these tests.
const secret = "the-secret-of-the-process-tests-0123456789"

// token mints a token of ann for all rooms.
func token(t testing.TB) string {
	t.Helper()
	s, err := auth.Mint([]byte(secret), auth.Claims{User: "ann", Sub: []string{"room.>"}, Pub: []string{"room.>"}, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// freePort returns a port that nobody uses and that the system does not give to
// outgoing connections, so that a server can be killed and come back to it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", address(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// server is an external NATS server.
type server struct {
	*process
	dir           string
	port, monitor int
}

// startNATS starts a server on a fresh directory.
func startNATS(t testing.TB) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), port: freePort(t), monitor: freePort(t)}
	s.start(t)
	return s
}

// start starts the server, again on the same ports and s.dir.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.process = launch(t, spec{program: built.nats, args: []string{
		"--addr", "127.0.0.1", "--port", strconv.Itoa(s.port), "--http_port", strconv.Itoa(s.monitor), "--jetstream", "--store_dir", s.dir,
	}})
	s.log.await(t, "Server is ready")
}

// restart kills the server and starts it again on the same store.
func (s *server) restart(t testing.TB) {
	t.Helper()
	s.kill()
	s.start(t)
}

// wipe kills the server and starts it again with nothing in its store.
func (s *server) wipe(t testing.TB) {
	t.Helper()
	s.kill()
	s.dir = t.TempDir()
	s.start(t)
}

func (s *server) url() string { return "nats://" + address(s.port) }

// connect makes a plain NATS connection, as any other program would.
func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// node is a process of “tidings up”.
type node struct {
	*process
	t          testing.TB
	args       []string
	plain      bool
	url, admin string
}

// up starts services against a NATS server on a fixed port of their own. args are
// the services and further flags.
func up(t testing.TB, s *server, args ...string) *node {
	t.Helper()
	n := newNode(t, s, args...)
	n.start()
	return n
}

// upPlain is up without the race detector, for figures.
func upPlain(t testing.TB, s *server, args ...string) *node {
	t.Helper()
	n := newNode(t, s, args...)
	n.plain = true
	n.start()
	return n
}

func newNode(t testing.TB, s *server, args ...string) *node {
	t.Helper()
	return &node{t: t, args: append([]string{
		"up", "--nats", s.url(), "--http", address(freePort(t)), "--admin", "127.0.0.1:0", "--log-format", "json",
		"--drain", "1s", "--heartbeat", "1s",
	}, args...)}
}

// start starts the process, again with the same port, and waits until it is ready.
func (n *node) start() {
	n.t.Helper()
	n.launch()
	n.serving()
}

// launch starts the process.
func (n *node) launch() {
	n.t.Helper()
	program := built.tidings
	if n.plain {
		program = built.plain
	}
	n.process = launch(n.t, spec{program: program, args: n.args, env: []string{"TIDINGS_JWT_SECRET=" + secret}})
}

// serving waits until the process is ready.
func (n *node) serving() {
	n.t.Helper()
	found := n.log.await(n.t, `"msg":"listening".*"http":"([^"]+)","admin":"([^"]+)"`)
	n.url, n.admin = found[1], found[2]
	testkit.Eventually(n.t, "/readyz to be green", func() bool {
		code, _ := get(n.t, n.admin+"/readyz")
		return code == http.StatusOK
	})
}

// client keeps no connection open between requests: the processes it talks to come
// and go.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}
}

// get asks for a page and returns its status and text; 0 if nobody answers.
func get(t testing.TB, url string, header ...string) (int, string) {
	t.Helper()
	return request(t, http.MethodGet, url, "", header...)
}

// request sends a request; header holds names and values in turn.
func request(t testing.TB, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client().Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// metric returns the value of a series, 0 if there is none.
func (n *node) metric(series string) float64 {
	n.t.Helper()
	_, body := get(n.t, n.admin+"/metrics")
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// feed is a publisher: it posts numbers to a producer, a few a request and in turn
// on some topics, and repeats each request with the same ids until it is
// acknowledged.
type feed struct {
	t      testing.TB
	url    string
	topics []string
	tok    string
	acked  atomic.Int64 // all numbers below it are acknowledged
}

func newFeed(t testing.TB, url string, topics ...string) *feed {
	t.Helper()
	return &feed{t: t, url: url, topics: topics, tok: token(t)}
}

// publish publishes the next numbers, up to and without to.
func (f *feed) publish(to int) {
	f.t.Helper()
	if err := f.try(to); err != nil {
		f.t.Fatal(err)
	}
}

// start publishes in a goroutine. The function it returns waits for its end.
func (f *feed) start(to int) (wait func()) {
	done := make(chan error, 1)
	go func() { done <- f.try(to) }()
	return func() {
		f.t.Helper()
		if err := <-done; err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *feed) try(to int) error {
	const batch = 10
	deadline := time.Now().Add(2 * testkit.Patience)
	for from := int(f.acked.Load()); from < to; from = int(f.acked.Load()) {
		end := min(from+batch, to)
		var body bytes.Buffer
		for i := from; i < end; i++ {
			fmt.Fprintf(&body, `{"topic":%q,"type":"n","id":"%d","data":%d}`+"\n", f.topics[i%len(f.topics)], i, i)
		}
		code, answer := request(f.t, http.MethodPost, f.url+"/v1/events", body.String(),
			"Authorization", "Bearer "+f.tok, "Content-Type", "application/x-ndjson")
		switch code {
		case http.StatusOK, http.StatusCreated:
			f.acked.Store(int64(end))
		case 0, http.StatusServiceUnavailable: // nothing was promised: again
			if time.Now().After(deadline) {
				return fmt.Errorf("events were not acknowledged in time; last: %d %s", code, answer)
			}
			<-time.After(20 * time.Millisecond)
		default:
			return fmt.Errorf("publish: %d %s", code, answer)
		}
	}
	return nil
}

// untilAcked waits until all numbers below n are acknowledged.
func (f *feed) untilAcked(n int) {
	f.t.Helper()
	testkit.Eventually(f.t, "events to be acknowledged", func() bool { return f.acked.Load() >= int64(n) })
}

// flood publishes count events as fast as NATS stores them, as any NATS client may:
// without a header, the data is what message returns. It returns when all are
// stored. NATS takes them without acknowledging each; a request now and then keeps
// it from having to drop any.
func flood(t testing.TB, nc *nats.Conn, count int, message func(i int) (subject string, data []byte)) {
	t.Helper()
	const window = 2000
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		subject, data := message(i)
		if i%window == window-1 || i == count-1 {
			if _, err := js.Publish(t.Context(), subject, data); err != nil {
				t.Fatalf("publish %d: %v", i, err)
			}
		} else if err := nc.Publish(subject, data); err != nil {
			t.Fatalf("publish %d: %v", i, err)
		}
	}
}

// gap is the data of a tidings.gap.
type gap struct {
	Topic, After, Before, Reason string
}

// bye is the data of a tidings.bye.
type bye struct {
	Code   string
	Return bool
}

// decode reads JSON that we wrote.
func decode(t testing.TB, data string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}

// position reads the id of a block.
func position(t testing.TB, id string) event.Cursor {
	t.Helper()
	c, err := event.ParseCursor(id)
	if err != nil {
		t.Fatalf("id %q: %v", id, err)
	}
	return c
}
