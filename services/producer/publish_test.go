package producer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/services/producer"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

const (
	ctJSON  = "Content-Type: application/json"
	ctLines = "Content-Type: application/x-ndjson"
)

func TestPublishOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, producer.Config{}, nil)
	rec := r.post(`{"user":"ann@example.com","type":"hi","data":{"a":1},"time":"2026-01-01T00:00:00Z"}`, ctJSON)
	if rec.Code != http.StatusCreated {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	got := decode[ack](t, rec)
	cursor, err := event.ParseCursor(got.Cursor)
	if err != nil || got.Seq != 1 || cursor.Seq != 1 || got.Duplicate {
		t.Errorf("%+v, %v", got, err)
	}
	want := []string{`{"topic":"user.ann=40example=2Ecom","type":"hi","time":"2026-01-01T00:00:00Z","data":{"a":1}}`}
	if held := r.held(); !slices.Equal(held, want) {
		t.Errorf("held %v", held)
	}
	r.expect(map[string]float64{"events_total stored": 1, "bytes_total": 7})
}

// TestPublishKinds sends one event in every kind of body. What a body may hold is
// tested where it is parsed.
func TestPublishKinds(t *testing.T) {
	t.Parallel()
	const cloud = `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"room.a","data":1}`
	for _, tc := range []struct {
		name, path, body string
		headers          []string
		list             bool
	}{
		{"object", "", `{"topic":"room.a","data":1}`, []string{ctJSON}, false},
		{"no content type", "", `{"topic":"room.a","data":1}`, nil, false},
		{"curl -d", "", `{"topic":"room.a","data":1}`, []string{"Content-Type: application/x-www-form-urlencoded"}, false},
		{"array", "", `[{"topic":"room.a","data":1}]`, []string{ctJSON}, true},
		{"lines", "", `{"topic":"room.a","data":1}`, []string{ctLines}, true},
		{"query", "?topic=room.a", `{"data":1}`, []string{ctJSON}, false},
		{"structured", "", cloud, []string{"Content-Type: application/cloudevents+json"}, false},
		{"batched", "", "[" + cloud + "]", []string{"Content-Type: application/cloudevents-batch+json"}, true},
		{"binary", "?topic=room.a", `1`, []string{ctJSON, "Ce-Specversion: 1.0", "Ce-Id: 1", "Ce-Source: s", "Ce-Type: t"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, producer.Config{}, nil)
			bearer := "Authorization: Bearer " + token(t, "svc", "room.a")
			rec := r.do("/v1/events"+tc.path, tc.body, append(tc.headers, bearer)...)
			var got ack
			switch {
			case tc.list && rec.Code == http.StatusOK:
				if list := decode[acks](t, rec).Results; len(list) == 1 {
					got = list[0]
				}
			case !tc.list && rec.Code == http.StatusCreated:
				got = decode[ack](t, rec)
			}
			if got.Seq != 1 || got.Cursor == "" {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			if held := r.held(); len(held) != 1 || !strings.Contains(held[0], `"data":1`) || topics(t, held)[0] != "room.a" {
				t.Errorf("held %v", held)
			}
		})
	}
}

// TestRefusedStoresNothing sends every kind of refusal together with good events.
func TestRefusedStoresNothing(t *testing.T) {
	t.Parallel()
	bearer := "Authorization: Bearer " + token(t, "svc", "room.a", "all")
	big := strings.Repeat(" ", producer.MaxBody) + "{}"
	for _, tc := range []struct {
		name, body string
		headers    []string
		status     int
		code       string
		param      string
		refused    float64
	}{
		{"no token", `{"topic":"all"}`, []string{ctJSON}, 401, "token_missing", "", 0},
		{"bad token", `{"topic":"all"}`, []string{ctJSON, "Authorization: Bearer x"}, 401, "token_malformed", "", 0},
		{"topic not allowed", `{"topic":"room.b"}`, []string{ctJSON, bearer}, 403, "publish_denied", "room.b", 1},
		{"one topic not allowed", `[{"topic":"all"},{"topic":"room.c"},{"topic":"room.b"}]`, []string{ctJSON, bearer}, 403, "publish_denied", "room.c", 3},
		{"own topic is not for writing", `{"user":"svc"}`, []string{ctJSON, bearer}, 403, "publish_denied", "user.svc", 1},
		{"one bad of three", `[{"topic":"all"},{"topic":"all","x":1},{"topic":"all"}]`, []string{ctJSON, bearer}, 400, "unknown_field", "[1].x", 3},
		{"bad line at the end", "{\"topic\":\"all\"}\n{", []string{ctLines, bearer}, 400, "bad_json", "[1]", 2},
		{"later", `{"topic":"all","at":"2999-01-01T00:00:00Z"}`, []string{ctJSON, bearer}, 422, "at_unsupported", "at", 1},
		{"no body", "", []string{ctJSON, bearer}, 400, "empty_body", "", 1},
		{"kind", "{}", []string{"Content-Type: text/html", bearer}, 415, "unsupported_media_type", "", 1},
		{"compressed", "{}", []string{ctJSON, "Content-Encoding: gzip", bearer}, 415, "unsupported_encoding", "", 1},
		{"too large", big, []string{ctJSON, bearer}, 413, "body_too_large", "", 0},
		{"too many", "[" + strings.Repeat(`{"topic":"all"},`, 1000) + `{"topic":"all"}]`, []string{ctJSON, bearer}, 413, "too_many_events", "", 1},
		{"key", `{"topic":"all"}`, []string{ctJSON, bearer, "Idempotency-Key: " + strings.Repeat("k", 201)}, 400, "bad_idempotency_key", "Idempotency-Key", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, producer.Config{}, nil)
			rec := r.do("/v1/events", tc.body, tc.headers...)
			got := decode[refusal](t, rec)
			if rec.Code != tc.status || got.Status != tc.status || got.Code != tc.code || got.Param != tc.param || got.Detail == "" {
				t.Errorf("%d %+v", rec.Code, got)
			}
			if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("Content-Type %q", ct)
			}
			extent, err := r.log.Epoch(t.Context())
			if err != nil || extent.Last != 0 || extent.Messages != 0 {
				t.Errorf("the log holds %+v, %v", extent, err)
			}
			if n := r.counts()["events_total refused"]; n != tc.refused {
				t.Errorf("%v refused, want %v", n, tc.refused)
			}
		})
	}
}

func TestRefusalListsFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, producer.Config{}, nil)
	rec := r.post(`[{"topic":"all","id":1,"x":2},{"topic":"all"},{"type":"tidings.x","user":"ann"}]`, ctJSON)
	got := decode[refusal](t, rec)
	var list []string
	for _, f := range got.Faults {
		list = append(list, fmt.Sprintf("%d %s %s", f.Index, f.Field, f.Code))
	}
	want := []string{"0 id bad_field", "0 x unknown_field", "2 type bad_field"}
	if rec.Code != http.StatusBadRequest || got.Code != "invalid_events" || !slices.Equal(list, want) || got.RequestID == "" {
		t.Errorf("%d %+v", rec.Code, got)
	}
	rec = r.post("["+strings.Repeat("{},", 999)+"{}]", ctJSON)
	if got := decode[refusal](t, rec); len(got.Faults) != 100 || got.MoreFaults != 900 || len(got.Detail) > 2000 {
		t.Errorf("%d faults, %d more, a detail of %d bytes", len(got.Faults), got.MoreFaults, len(got.Detail))
	}
}

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, producer.Config{}, nil)
	var body strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&body, "{\"topic\":\"room.r%d\",\"data\":%d}\n", i%7, i)
	}
	rec := r.post(body.String(), ctLines)
	got := decode[acks](t, rec)
	if rec.Code != http.StatusOK || len(got.Results) != 1000 {
		t.Fatalf("%d, %d results", rec.Code, len(got.Results))
	}
	held := r.held()
	for i, a := range got.Results {
		want := fmt.Sprintf(`{"topic":"room.r%d","type":"message","data":%d}`, i%7, i)
		if a.Seq != uint64(i+1) || withoutTime(held[i]) != want {
			t.Fatalf("result %d is %+v, held %s", i, a, held[i])
		}
	}
	r.expect(map[string]float64{"events_total stored": 1000, "bytes_total": 2890})
}

// withoutTime cuts the time of storing out of an event.
func withoutTime(s string) string {
	before, rest, found := strings.Cut(s, `,"time":"`)
	if !found {
		return s
	}
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

func TestIdempotent(t *testing.T) {
	t.Parallel()
	one := `{"topic":"all","id":"7"}`
	other := func(r *rig) *httptest.ResponseRecorder {
		return r.do("/v1/events", `{"topic":"all"}`, ctJSON, "Idempotency-Key: k", "Authorization: Bearer "+token(r.t, "other", "all"))
	}
	for _, tc := range []struct {
		name   string
		first  func(r *rig) *httptest.ResponseRecorder
		second func(r *rig) *httptest.ResponseRecorder
		same   bool
	}{
		{"id", func(r *rig) *httptest.ResponseRecorder { return r.post(one) }, func(r *rig) *httptest.ResponseRecorder { return r.post(one) }, true},
		{"id, other topic", func(r *rig) *httptest.ResponseRecorder { return r.post(one) }, func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"room.a","id":"7"}`) }, false},
		{"no id", func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"all"}`) }, func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"all"}`) }, false},
		{"header", func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"all"}`, "Idempotency-Key: k") }, func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"all"}`, "Idempotency-Key: k") }, true},
		{"header wins", func(r *rig) *httptest.ResponseRecorder { return r.post(one, "Idempotency-Key: a") }, func(r *rig) *httptest.ResponseRecorder { return r.post(one, "Idempotency-Key: b") }, false},
		{"header of another user", func(r *rig) *httptest.ResponseRecorder { return r.post(`{"topic":"all"}`, "Idempotency-Key: k") }, other, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, producer.Config{}, nil)
			first, rec := tc.first(r), tc.second(r)
			a, b := decode[ack](t, first), decode[ack](t, rec)
			status, count := http.StatusCreated, 2
			if tc.same {
				status, count = http.StatusOK, 1
			}
			if first.Code != http.StatusCreated || a.Duplicate || rec.Code != status || b.Duplicate != tc.same {
				t.Errorf("%d %+v, then %d %+v", first.Code, a, rec.Code, b)
			}
			if tc.same && a.Cursor != b.Cursor {
				t.Errorf("the second answer names %s, the first %s", b.Cursor, a.Cursor)
			}
			if held := r.held(); len(held) != count {
				t.Errorf("held %v", held)
			}
		})
	}
}

// TestRetryOfABatch sends a batch again of which a part was stored.
func TestRetryOfABatch(t *testing.T) {
	t.Parallel()
	failing := &failingLog{failAt: 3, err: stream.ErrUnavailable}
	r := newRig(t, producer.Config{}, failing.wrap)
	body := `[{"topic":"all","data":1},{"topic":"all","data":2},{"topic":"all","data":3},{"topic":"all","data":4}]`
	rec := r.post(body, "Idempotency-Key: k")
	got := decode[acks](t, rec).Results
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "5" || len(got) != 4 {
		t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if got[0].Seq != 1 || got[1].Seq != 2 || got[2].Error == nil || got[2].Error.Code != "log_unavailable" || got[3].Error == nil || got[3].Error.Code != "not_tried" {
		t.Errorf("%s", rec.Body)
	}
	r.expect(map[string]float64{"events_total stored": 2, "events_total failed": 2, "bytes_total": 2})
	if !strings.Contains(r.out.String(), "not stored") {
		t.Errorf("logged %q", r.out)
	}
	rec = r.post(body, "Idempotency-Key: k")
	got = decode[acks](t, rec).Results
	if rec.Code != http.StatusOK || !got[0].Duplicate || !got[1].Duplicate || got[2].Duplicate || got[3].Duplicate {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for i, s := range r.held() {
		if want := fmt.Sprintf(`{"topic":"all","type":"message","data":%d}`, i+1); withoutTime(s) != want {
			t.Errorf("held %s, want %s", s, want)
		}
	}
	r.expect(map[string]float64{"events_total stored": 4, "events_total duplicate": 2, "events_total failed": 2, "bytes_total": 4})
}

// failingLog is a log of which one append fails.
type failingLog struct {
	stream.Log
	failAt int // counts down; the append at 1 fails
	err    error
}

func (l *failingLog) wrap(log stream.Log) stream.Log {
	l.Log = log
	return l
}

func (l *failingLog) Append(ctx context.Context, ev event.Event, key string) (stream.Ack, error) {
	if l.failAt--; l.failAt == 0 {
		return stream.Ack{}, fmt.Errorf("append: %w", l.err)
	}
	return l.Log.Append(ctx, ev, key)
}

func TestFailuresOfTheLog(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{stream.ErrUnavailable, 503, "log_unavailable", "5"},
		{stream.ErrFull, 507, "log_full", ""},
		{stream.ErrTooLarge, 413, "too_large", ""},
		{stream.ErrDenied, 500, "internal", ""},
		{context.DeadlineExceeded, 503, "log_unavailable", "5"},
		{errors.New("a detail that must stay inside"), 500, "internal", ""},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, producer.Config{}, (&failingLog{failAt: 1, err: tc.err}).wrap)
			rec := r.post(`{"topic":"all"}`)
			got := decode[refusal](t, rec)
			if rec.Code != tc.status || got.Code != tc.code || rec.Header().Get("Retry-After") != tc.retry {
				t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
			}
			if strings.Contains(rec.Body.String(), "inside") {
				t.Errorf("the answer leaks: %s", rec.Body)
			}
			r.expect(map[string]float64{"events_total failed": 1})
		})
	}
}

func TestLogAwayAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, producer.Config{}, nil)
	r.log.SetAway(true)
	if rec := r.post(`{"topic":"all","id":"1"}`); rec.Code != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	r.log.SetAway(false)
	if rec := r.post(`{"topic":"all","id":"1"}`); rec.Code != http.StatusCreated {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	r.expect(map[string]float64{"events_total stored": 1, "events_total failed": 1, "bytes_total": 4})
}

// blockingLog is a log whose appends wait.
type blockingLog struct {
	stream.Log
	begun chan struct{}
}

func (l *blockingLog) wrap(log stream.Log) stream.Log {
	l.Log = log
	return l
}

func (l *blockingLog) Append(ctx context.Context, _ event.Event, _ string) (stream.Ack, error) {
	l.begun <- struct{}{}
	<-ctx.Done()
	return stream.Ack{}, ctx.Err()
}

// TestSlowLogBoundsRequests checks both bounds: how many requests are held, and
// for how long.
func TestSlowLogBoundsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &blockingLog{begun: make(chan struct{}, 1)}
		r := newRig(t, producer.Config{InFlight: 1}, slow.wrap)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			rec := r.post(`[{"topic":"all"},{"topic":"all"}]`)
			got := decode[acks](t, rec)
			if rec.Code != http.StatusServiceUnavailable || got.Results[1].Error.Code != "not_tried" || time.Since(start) != 30*time.Second {
				t.Errorf("%d %s after %v", rec.Code, rec.Body, time.Since(start))
			}
		})
		<-slow.begun
		rec := r.post(`{"topic":"all"}`)
		if got := decode[refusal](t, rec); rec.Code != http.StatusServiceUnavailable || got.Code != "overloaded" || time.Since(start) != time.Second {
			t.Errorf("%d %s after %v", rec.Code, rec.Body, time.Since(start))
		}
		wg.Wait()
	})
}

// TestSameKeyAtOnce sends one event many times at once to a real NATS.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	log, _ := testkit.EventLog(t, testkit.Limits())
	r := newRig(t, producer.Config{}, func(stream.Log) stream.Log { return log })
	const senders = 20
	answers := make(chan ack, senders)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() { answers <- decode[ack](t, r.post(`{"topic":"room.a","id":"é 1","data":"x"}`)) })
	}
	wg.Wait()
	close(answers)
	fresh := 0
	for a := range answers {
		if !a.Duplicate {
			fresh++
		}
		if a.Seq == 0 {
			t.Errorf("%+v", a)
		}
	}
	page, err := log.Range(t.Context(), stream.Query{Pattern: subject.Pattern("room.a")})
	if err != nil || fresh != 1 || len(page.Entries) != 1 {
		t.Fatalf("%d fresh, %d held, %v", fresh, len(page.Entries), err)
	}
	if ev := page.Entries[0].Event; ev.ID != "é 1" || string(ev.Data) != `"x"` {
		t.Errorf("held %+v", ev)
	}
}
