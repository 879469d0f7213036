package notifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/notifier"
	"tidings/services/notifier/inbox"
	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/notice"
	"tidings/shared/stream"
	"tidings/shared/suppress"
	"tidings/shared/template"
	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// secret signs every token of the tests.
var secret = []byte("a secret of the tests, long enough for HS256")

// noon is when every test begins: a Monday at noon in Greenwich. It lies far ahead, because
// the queue lives in real time: what expires in a test must not have expired when it is run.
var noon = time.Date(2099, 11, 23, 12, 0, 0, 0, time.UTC)

// clock is the time of a test. It stands still unless it is told.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	wake chan struct{}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	c.now = t
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// desk is a notifier behind a real HTTP server, with a NATS and an event log, and a
// mail channel that keeps what it is given.
type desk struct {
	t     *testing.T
	conn  *natsx.Conn
	clock *clock
	log   *stream.NATS
	queue *worker.Queue
	list  *suppress.List
	url   string
	stop  func()

	mu    sync.Mutex
	mails []notice.Message
}

// open runs a notifier on a fresh NATS.
func open(t *testing.T, change ...func(*notifier.Config)) *desk {
	t.Helper()
	d := &desk{t: t, conn: testkit.NATS(t), clock: &clock{now: noon, wake: make(chan struct{}, 1)}}
	var err error
	if d.queue, err = worker.Open(t.Context(), d.conn, testkit.Space(t), worker.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if d.list, err = suppress.Open(t.Context(), d.conn, testkit.Space(t), 1); err != nil {
		t.Fatal(err)
	}
	d.start(change...)
	return d
}

// start runs a notifier on the desk's NATS until stop is called or the test ends.
func (d *desk) start(change ...func(*notifier.Config)) {
	t := d.t
	t.Helper()
	space := testkit.Space(t)
	limits := inbox.DefaultLimits()
	limits.Now = d.clock.Now
	boxes, err := inbox.Open(t.Context(), d.conn, space, limits)
	if err != nil {
		t.Fatal(err)
	}
	if d.log, err = stream.OpenNATS(t.Context(), d.conn, space, testkit.Limits(), testkit.Log(t)); err != nil {
		t.Fatal(err)
	}
	records, err := ledger.Open(t.Context(), d.conn, space, ledger.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	set, err := template.Load(template.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Secret: secret}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := notifier.Config{
		Conn: d.conn, Space: space, Auth: &auth.Authenticator{Verifier: verifier}, Queue: d.queue, Ledger: records, Suppressed: d.list,
		Templates: func() *template.Set { return set }, Inbox: boxes, Channels: []route.Channel{route.Inbox, route.Mail}, Replicas: 1,
		Mesh: mesh.New(d.conn, space, testkit.Log(t)), Node: "n1", Version: "v0.0.1", Now: d.clock.Now, Wake: d.clock.wake,
	}
	for _, fn := range change {
		fn(&cfg)
	}
	n, err := notifier.New(t.Context(), cfg, testkit.Log(t), prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = n.Introduce(t.Context(), []people.Record{
		{Person: route.Person{User: "ann", Name: "Ann", Email: "ann@example.com", Locale: "en"}},
		{Person: route.Person{User: "bob", Name: "Bob", Email: "bob@example.com", Locale: "de", TZ: "Europe/Berlin"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.run(n)
	testkit.Eventually(t, "the notifier to be ready", func() bool { return n.Ready(t.Context()) == nil })
}

// run runs the notifier, its HTTP server and the mail channel.
func (d *desk) run(n *notifier.Notifier) {
	t := d.t
	mails, err := worker.New(d.queue, worker.Config{Channel: "mail", Sender: worker.SenderFunc(d.take)}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	router := httpx.NewEcho(httpx.EchoConfig{Log: testkit.Log(t)})
	n.Routes(router)
	server := httptest.NewServer(router)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	wg.Go(func() { _ = mails.Run(ctx) })
	d.url = server.URL
	d.stop = sync.OnceFunc(func() {
		server.Close()
		cancel()
		wg.Wait()
	})
	t.Cleanup(d.stop)
}

// take is the mail channel.
func (d *desk) take(_ context.Context, a worker.Attempt) (worker.Outcome, error) {
	m, err := notice.Parse(a.Job.Payload)
	if err != nil {
		return worker.Never(), err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mails = append(d.mails, m)
	return worker.Outcome{}, nil
}

// mailed waits for so many mails and returns them.
func (d *desk) mailed(n int) []notice.Message {
	d.t.Helper()
	var out []notice.Message
	testkit.Eventually(d.t, "mails", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		out = append(out[:0], d.mails...)
		return len(out) >= n
	})
	if len(out) > n {
		d.t.Fatalf("%d mails, want %d: %+v", len(out), n, out)
	}
	return out
}

// answer is what came back from a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request as somebody; headers are pairs.
func (d *desk) do(as auth.Claims, method, path, body string, headers ...string) answer {
	d.t.Helper()
	as.TTL = time.Hour
	token, err := auth.Mint(secret, as, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// service is the token of a service that may notify.
var service = auth.Claims{User: "shop", Notify: true}

// notify sends a notification and returns its id.
func (d *desk) notify(document string) string {
	d.t.Helper()
	a := d.do(service, http.MethodPost, "/v1/notify", document)
	var out notifier.Accepted
	if a.status != http.StatusAccepted || json.Unmarshal(a.body, &out) != nil {
		d.t.Fatalf("%s: %d %s", document, a.status, a.body)
	}
	return out.ID
}

// timeline returns the timeline of a notification.
func (d *desk) timeline(id string) timeline.Timeline {
	d.t.Helper()
	a := d.do(service, http.MethodGet, "/v1/notifications/"+id, "")
	var out timeline.Timeline
	if a.status != http.StatusOK || json.Unmarshal(a.body, &out) != nil {
		d.t.Fatalf("timeline of %s: %d %s", id, a.status, a.body)
	}
	return out
}

// state returns what became of a notification for a user on a channel.
func (d *desk) state(id, user string, c route.Channel) timeline.Delivery {
	d.t.Helper()
	for _, v := range d.timeline(id).Deliveries {
		if v.User == user && v.Channel == c {
			return v
		}
	}
	return timeline.Delivery{}
}

// becomes waits until a delivery has a state.
func (d *desk) becomes(id, user string, c route.Channel, want timeline.State) timeline.Delivery {
	d.t.Helper()
	var v timeline.Delivery
	testkit.Eventually(d.t, id+" to be "+string(want)+" for "+user, func() bool {
		v = d.state(id, user, c)
		return v.State == want
	})
	return v
}

// ask asks the notifier a question over NATS.
func (d *desk) ask(question string, body, into any) error {
	return mesh.New(d.conn, testkit.Space(d.t), testkit.Log(d.t)).AskAny(d.t.Context(), notifier.Name, question, body, into)
}

// inboxOf returns a user's inbox.
func (d *desk) inboxOf(user string) notifier.InboxPage {
	d.t.Helper()
	var out notifier.InboxPage
	if err := d.ask("inbox", map[string]any{"user": user}, &out); err != nil {
		d.t.Fatal(err)
	}
	return out
}

// prefer changes what a user prefers.
func (d *desk) prefer(user, patch string) {
	d.t.Helper()
	body := map[string]any{"user": user, "patch": json.RawMessage(patch)}
	var out notifier.Preferences
	if err := d.ask("preferences", body, &out); err != nil {
		d.t.Fatal(err)
	}
}

// code is the code of a problem.
func (a answer) code() string {
	var p struct {
		Code string `json:"code"`
	}
	if json.NewDecoder(bytes.NewReader(a.body)).Decode(&p) != nil {
		return ""
	}
	return p.Code
}
