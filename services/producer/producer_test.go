package producer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/producer"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

var tokenSecret = []byte("a secret for the tokens of these tests")

// rig is a producer behind its routes, on a log in memory.
type rig struct {
	t    testing.TB
	log  *stream.Memory
	reg  *prometheus.Registry
	echo *echo.Echo
	out  *bytes.Buffer // what was logged, as far as it is warnings
	*producer.Producer
}

// newRig makes a rig; wrap, if not nil, stands between the producer and the log.
func newRig(t testing.TB, cfg producer.Config, wrap func(stream.Log) stream.Log) *rig {
	t.Helper()
	r := &rig{t: t, log: stream.NewMemory(0), reg: prometheus.NewRegistry(), out: &bytes.Buffer{}}
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Secret: tokenSecret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	var log stream.Log = r.log
	if wrap != nil {
		log = wrap(log)
	}
	logger := slog.New(slog.NewTextHandler(r.out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if r.Producer, err = producer.New(cfg, log, &auth.Authenticator{Verifier: verifier}, logger, r.reg); err != nil {
		t.Fatal(err)
	}
	r.echo = httpx.NewEcho(httpx.EchoConfig{MaxBody: producer.MaxBody})
	r.Routes(r.echo)
	return r
}

// token is a token of user that may publish to pub.
func token(t testing.TB, user string, pub ...string) string {
	t.Helper()
	s, err := auth.Mint(tokenSecret, auth.Claims{User: user, Pub: pub, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends a request with the headers given as "Name: value".
func (r *rig) do(path, body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	r.echo.ServeHTTP(rec, req)
	return rec
}

// post sends to /v1/events as a service that may publish to every room, user and all.
func (r *rig) post(body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	bearer := "Authorization: Bearer " + token(r.t, "svc", "room.>", "user.*", "all")
	return r.do("/v1/events", body, append(headers, bearer)...)
}

// held is everything the log holds, each event as a browser would get it.
func (r *rig) held() []string {
	r.t.Helper()
	list := []string{}
	var after event.Cursor
	for {
		page, err := r.log.Range(context.Background(), stream.Query{Pattern: ">", After: after})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range page.Entries {
			list = append(list, string(e.Event.AppendJSON(nil, event.Cursor{})))
		}
		if !page.More {
			return list
		}
		after = page.Next
	}
}

// counts is the value of every counter that is not 0, by name and labels.
func (r *rig) counts() map[string]float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "tidings_producer_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if v := m.GetCounter().GetValue(); v != 0 {
				got[name] = v
			}
		}
	}
	return got
}

// expect checks the counters.
func (r *rig) expect(want map[string]float64) {
	r.t.Helper()
	if got := r.counts(); !maps.Equal(got, want) {
		r.t.Errorf("counters %v, want %v", got, want)
	}
}

// decode reads a JSON answer.
func decode[T any](t testing.TB, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
	}
	return v
}

// ack is the answer for one event.
type ack struct {
	Seq       uint64
	Cursor    string
	Duplicate bool
	Error     *struct{ Code, Detail string }
}

// acks is the answer for several.
type acks struct{ Results []ack }

// refusal is a problem document.
type refusal struct {
	Status                    int
	Code, Detail, Hint, Param string
	RequestID                 string `json:"request_id"`
	Faults                    []struct {
		Index               int
		Field, Code, Reason string
	}
	MoreFaults int `json:"more_faults"`
}

func TestNewChecksConfig(t *testing.T) {
	t.Parallel()
	good := producer.Hook{Name: "git", Kind: producer.KindGitHub, Topic: "room.git", Secret: "0123456789abcdef"}
	edit := func(f func(*producer.Hook)) producer.Config {
		h := good
		f(&h)
		return producer.Config{Hooks: []producer.Hook{h}}
	}
	for _, tc := range []struct {
		name string
		cfg  producer.Config
		want []string // parts of the error; none means it is good
	}{
		{"zero", producer.Config{}, nil},
		{"hook", producer.Config{Hooks: []producer.Hook{good}}, nil},
		{"feed", producer.Config{Feed: true}, nil},
		{"name", edit(func(h *producer.Hook) { h.Name = "a/b" }), []string{`"a/b"`, "name"}},
		{"no name", edit(func(h *producer.Hook) { h.Name = "" }), []string{"name"}},
		{"kind", edit(func(h *producer.Hook) { h.Kind = "gitlab" }), []string{"gitlab", "alertmanager"}},
		{"topic", edit(func(h *producer.Hook) { h.Topic = "room" }), []string{"needs a name"}},
		{"secret", edit(func(h *producer.Hook) { h.Secret = "short-secret" }), []string{"16 bytes"}},
		{"all at once", edit(func(h *producer.Hook) { *h = producer.Hook{} }), []string{"name", "kind", "topic", "secret"}},
		{"twice", producer.Config{Hooks: []producer.Hook{good, good}}, []string{"twice"}},
		{"in flight", producer.Config{InFlight: -1}, []string{"InFlight"}},
		{"host", producer.Config{Feed: true, Host: strings.Repeat("x", 300)}, []string{"host", "too long"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := producer.New(tc.cfg, stream.NewMemory(0), &auth.Authenticator{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if (err == nil) != (tc.want == nil) {
				t.Fatal(err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not name %q", err, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "short-secret") {
				t.Errorf("the secret is in %q", err)
			}
		})
	}
	reg := prometheus.NewRegistry()
	for i := range 2 {
		_, err := producer.New(producer.Config{}, stream.NewMemory(0), &auth.Authenticator{}, slog.New(slog.DiscardHandler), reg)
		if (err == nil) != (i == 0) {
			t.Errorf("registering %d times: %v", i+1, err)
		}
	}
}

// topics are the topics of events, in order.
func topics(t testing.TB, events []string) []subject.Topic {
	t.Helper()
	list := make([]subject.Topic, len(events))
	for i, s := range events {
		var e struct{ Topic subject.Topic }
		if err := json.Unmarshal([]byte(s), &e); err != nil {
			t.Fatal(err)
		}
		list[i] = e.Topic
	}
	return slices.Clip(list)
}
