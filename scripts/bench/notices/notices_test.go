package notices_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/notices"
	"tidings/shared/testkit"
)

// post is what a client posts of a notification.
type post struct {
	To        []string
	ID, Title string
}

// site is a server that accepts notifications and mails them as it is told.
type site struct {
	sink   *notices.Sink
	mail   func(p post, send func(id, subject, to string))
	people atomic.Int64
	broken atomic.Bool
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || s.broken.Load() {
		http.Error(w, "broken", http.StatusServiceUnavailable)
		return
	}
	var list []post
	if err := json.Unmarshal(body, &list); err != nil || r.Header.Get("Authorization") != "Bearer token" {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/v1/people" {
		s.people.Add(int64(len(list)))
		return
	}
	answers := make([]map[string]any, len(list))
	for i, p := range list {
		s.mail(p, s.send)
		answers[i] = map[string]any{"id": p.ID, "recipients": 1}
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(answers) // the client finds out
}

func (s *site) send(id, subject, to string) {
	text := "Message-Id: <" + id + ">\r\nSUBJECT: " + subject + "\r\n\r\nHello\r\n"
	c, err := smtp.Dial(s.sink.Addr())
	if err != nil {
		panic(err) // the client's request fails
	}
	defer c.Close()
	if err := c.SendMail("a@sender.example", []string{to}, strings.NewReader(text)); err != nil {
		panic(err)
	}
}

// open makes a site, a client of it and their books.
func open(t *testing.T, notifications, people int, mail func(p post, send func(id, subject, to string))) (*site, *notices.Client, *notices.Books) {
	t.Helper()
	books := notices.NewBooks(notifications, people)
	sink, err := notices.NewSink(t.Context(), books)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{sink: sink, mail: mail}
	web := httptest.NewServer(s)
	c := notices.NewClient(web.URL, "token", books, 10)
	t.Cleanup(func() {
		c.Close()
		web.Close()
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c, books
}

func address(p post) string { return p.To[0] + "@people.example" }

func TestExact(t *testing.T) {
	t.Parallel()
	const paced, all, people = 3, 253, 7
	s, c, books := open(t, all, people, func(p post, send func(id, subject, to string)) { send(p.ID, p.Title, address(p)) })
	if err := c.Import(t.Context()); err != nil || s.people.Load() != people {
		t.Errorf("%d people, %v", s.people.Load(), err)
	}
	latency := books.Measure()
	accept, err := c.Pace(t.Context(), 0, paced, 1000)
	if err != nil || accept.Count() != paced || latency.Count() != paced {
		t.Errorf("%d answers and %d mails, %v", accept.Count(), latency.Count(), err)
	}
	batch, err := c.Flood(t.Context(), paced, all)
	if err != nil || batch.Count() != 3 {
		t.Errorf("%d batches, %v", batch.Count(), err)
	}
	if err := books.Await(t.Context(), all, time.Minute); err != nil {
		t.Error(err)
	}
	if counts := books.Counts(all); !counts.Exact() || books.MailBytes() < 40 {
		t.Errorf("%+v, %d bytes", counts, books.MailBytes())
	}
	if shares := books.Shares(all); len(shares) != people || shares["bench-0"] != 37 || shares["bench-1"] != 36 {
		t.Errorf("shares %v", shares)
	}
}

// TestInexact has mails that are lost, doubled, to somebody else, unasked and of one name.
func TestInexact(t *testing.T) {
	t.Parallel()
	_, c, books := open(t, 6, 1, func(p post, send func(id, subject, to string)) {
		switch p.Title {
		case "Order 0": // lost
		case "Order 1":
			send("1", p.Title, address(p))
			send("1", p.Title, address(p))
		case "Order 2":
			send("2", p.Title, "eve@people.example")
		case "Order 3":
			send("3", "Order 99", address(p))
		case "Order 4":
			send("1", p.Title, address(p))
		default:
			send("5", "hello", address(p))
		}
	})
	if _, err := c.Post(t.Context(), 0, 6); err != nil {
		t.Fatal(err)
	}
	if err := books.Await(t.Context(), 6, 20*time.Millisecond); err != nil {
		t.Error(err)
	}
	if got, want := books.Counts(6), (load.Counts{Expected: 6, Delivered: 1, Lost: 5, Doubled: 1, Strays: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := books.Await(ended, 6, time.Minute); err == nil {
		t.Error("it waits for what does not come")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s, c, _ := open(t, 200, 1, func(post, func(id, subject, to string)) {})
	s.broken.Store(true)
	if err := c.Import(t.Context()); err == nil {
		t.Error("people are imported")
	}
	if _, err := c.Flood(t.Context(), 0, 200); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("flood: %v", err)
	}
	if _, err := c.Pace(t.Context(), 0, 2, 100); err == nil {
		t.Error("one by one they are accepted")
	}
}

func TestFloorAndStored(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	var f notices.Floor
	used := time.Duration(0)
	err := f.Measure(t.Context(), conn, "p", 3, 2000, 2, func() (time.Duration, error) { used += time.Millisecond; return used, nil })
	if err != nil {
		t.Fatal(err)
	}
	if n, err := notices.Stored(t.Context(), conn, "p"); err != nil || n != 0 {
		t.Errorf("the floor leaves %d messages, %v", n, err)
	}
	space := testkit.Space(t)
	r := notices.Result{
		Notifications: 2, Stored: 24, Floor: f, Took: time.Second,
		Latency: &load.Histogram{}, Accept: &load.Histogram{}, Batch: &load.Histogram{},
	}
	figures := map[string]float64{}
	for _, f := range r.Section("notify", func(b float64) float64 { return b }).Figures {
		figures[f.Key] = f.Value
	}
	if figures["messages_per_notification"] != 12 || figures["floor_us"] <= 0 || figures["floor_cpu_us"] < 600 || figures["ratio"] <= 0 {
		t.Errorf("%v", figures)
	}
	if _, err := notices.Inboxes(t.Context(), conn, "none", space.InboxItems("*")); err == nil {
		t.Error("a stream that is not there has inboxes")
	}
}

func TestMemoryIsJudged(t *testing.T) {
	t.Parallel()
	r := notices.Result{
		Notifications: 100_000, Latency: &load.Histogram{}, Accept: &load.Histogram{}, Batch: &load.Histogram{},
		Looks: [3]notices.Look{{RSS: 1, Heap: 1}, {RSS: 2, Heap: 2}, {RSS: 3, Heap: 2, NATS: 9}},
	}
	met := map[string]bool{}
	for _, f := range r.Section("notify", func(b float64) float64 { return b + 0.5 }).Figures {
		if f.Goal {
			met[f.Key] = f.Met()
		}
	}
	if len(met) != 3 || met["rss_bytes_100"] || !met["heap_bytes_100"] || !met["inboxes_short"] {
		t.Errorf("%v", met)
	}
}
