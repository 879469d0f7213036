package notifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tidings/services/notifier"
	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/testkit"
)

// TestIdempotency answers the same request the same, and refuses another under its name.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	d := open(t)
	const body = `{"to":["ann"],"category":"orders","title":"Once"}`
	first := d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
	again := d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
	if first.status != http.StatusAccepted || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %d %s, first %s", again.status, again.body, first.body)
	}
	if a := d.do(service, http.MethodPost, "/v1/notify", `{"to":["ann"],"title":"Twice"}`, "Idempotency-Key", "k"); a.code() != "idempotency_key_reused" {
		t.Errorf("another request: %d %s", a.status, a.body)
	}
	// What was refused is not remembered.
	if a := d.do(service, http.MethodPost, "/v1/notify", `{"to":["nobody"],"title":"x"}`, "Idempotency-Key", "k2"); a.code() != "unknown_user" {
		t.Errorf("refused: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k2"); a.status != http.StatusAccepted {
		t.Errorf("mended: %d %s", a.status, a.body)
	}
	// Another service's key is another key.
	if a := d.do(auth.Claims{User: "other", Notify: true}, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k"); string(a.body) == string(first.body) {
		t.Error("two services share a key")
	}
	d.mailed(3)
	const named = `{"to":["ann"],"category":"orders","title":"Named","id":"order-7"}`
	d.notify(named)
	if a := d.do(service, http.MethodPost, "/v1/notify", named); !strings.Contains(string(a.body), `"duplicate":true`) {
		t.Errorf("the same id: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodPost, "/v1/notify", strings.Replace(named, "Named", "Other", 1)); a.status != http.StatusConflict || a.code() != "id_conflict" {
		t.Errorf("the same id for another: %d %s", a.status, a.body)
	}
	d.mailed(4)
}

// TestTopic reaches the known members of a topic and who follows it right now, each once.
func TestTopic(t *testing.T) {
	t.Parallel()
	d := open(t)
	if a := d.do(service, http.MethodPut, "/v1/people/kim", `{"email":"kim@example.com","topics":["room.ops"]}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	edge, err := mesh.New(d.conn, testkit.Space(t), testkit.Log(t)).Join(mesh.Service{
		Name: "edge", Node: "e1", Questions: map[string]mesh.Handler{"topic-users": func(_ context.Context, body []byte) (any, error) {
			if !strings.Contains(string(body), `"room.ops"`) {
				return map[string]any{"users": []string{}}, nil
			}
			return map[string]any{"users": []string{"kim", "guest"}}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = edge.Leave() }()
	id := d.notify(`{"to":["kim",{"topic":"room.ops"},{"user":"zoe","email":"zoe@example.com"}],"category":"orders","title":"To all"}`)
	for _, user := range []string{"kim", "guest", "zoe"} {
		d.becomes(id, user, route.Inbox, timeline.Delivered)
	}
	d.mailed(2) // the guest has no address
	if v := d.state(id, "guest", route.Mail); v.Reason != route.NoAddress {
		t.Errorf("the guest's mail is %+v", v)
	}
}

// TestOverNATS takes notifications as questions and as plain publishes.
func TestOverNATS(t *testing.T) {
	t.Parallel()
	d := open(t)
	var out notifier.Accepted
	if err := d.ask("notify", json.RawMessage(`{"to":["ann"],"category":"orders","title":"Asked"}`), &out); err != nil {
		t.Fatal(err)
	}
	d.becomes(out.ID, "ann", route.Mail, "sent")
	err := d.ask("notify", json.RawMessage(`{"to":["nobody"],"title":"x"}`), &out)
	if p := httpx.ProblemOf(err, nil); p.Code != "unknown_user" || p.Param != "to[0]" || p.Status != http.StatusBadRequest {
		t.Errorf("the refusal is %v", err)
	}
	for _, body := range []string{`garbage`, `{"to":["nobody"],"title":"x"}`, `{"to":["ann"],"category":"orders","title":"Published"}`} {
		if err := d.conn.NC.Publish(testkit.Space(t).Notify(), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if m := d.mailed(2)[1]; m.Title != "Published" {
		t.Errorf("the mail is %+v", m)
	}
	if whole := d.timeline(d.mailed(2)[1].Notification); whole.From != "nats" {
		t.Errorf("it is %+v", whole)
	}
}

// TestPeople keeps people, lets them change little of themselves, and erases them.
func TestPeople(t *testing.T) {
	t.Parallel()
	d := open(t)
	own, other := auth.Claims{User: "ann"}, auth.Claims{User: "bob"}
	if a := d.do(own, http.MethodPut, "/v1/people/ann", `{"tz":"Asia/Tokyo","locale":"ja"}`); a.status != http.StatusOK || !strings.Contains(string(a.body), "ann@example.com") {
		t.Errorf("own zone: %d %s", a.status, a.body)
	}
	for _, c := range []struct {
		as           auth.Claims
		method, body string
		status       int
		code         string
	}{
		{own, http.MethodPut, `{"email":"x@example.com"}`, 400, "unknown_field"},
		{own, http.MethodPut, `{"tz":"Mars/Olympus"}`, 400, "bad_time_zone"},
		{other, http.MethodPut, `{"tz":"UTC"}`, 403, "people_denied"},
		{other, http.MethodGet, "", 403, "people_denied"},
		{own, http.MethodDelete, "", 403, "notify_denied"},
		{service, http.MethodPut, `{"email":"x"}`, 400, "bad_email"},
	} {
		if a := d.do(c.as, c.method, "/v1/people/ann", c.body); a.status != c.status || a.code() != c.code {
			t.Errorf("%s %s: %d %s", c.method, c.body, a.status, a.body)
		}
	}
	batch := d.do(service, http.MethodPost, "/v1/people", `[{"user":"p1","email":"p1@example.com"},{"user":"p2","email":"nope"}]`)
	if batch.status != 400 || d.do(service, http.MethodGet, "/v1/people/p1", "").status != 404 {
		t.Errorf("a bad batch: %d %s", batch.status, batch.body)
	}
	if a := d.do(service, http.MethodPost, "/v1/people", `[{"user":"p1","email":"p1@example.com"},{"user":"p2"}]`); a.status != 200 {
		t.Errorf("a batch: %d %s", a.status, a.body)
	}
	id := d.notify(`{"to":["p1"],"category":"orders","title":"x"}`)
	d.becomes(id, "p1", route.Inbox, timeline.Delivered)
	d.prefer("p1", `{"quiet_hours":[{"from":"22:00","to":"07:00"}]}`)
	d.notify(`{"to":["p1"],"category":"orders","title":"later","at":"2099-11-24T00:00:00Z"}`)
	if a := d.do(service, http.MethodDelete, "/v1/people/p1", ""); a.status != http.StatusNoContent {
		t.Errorf("erase: %d %s", a.status, a.body)
	}
	if d.do(service, http.MethodGet, "/v1/people/p1", "").status != 404 || len(d.inboxOf("p1").Items) != 0 {
		t.Error("something is left")
	}
	var prefs notifier.Preferences
	if err := d.ask("preferences", map[string]any{"user": "p1"}, &prefs); err != nil || len(prefs.Preferences.QuietHours) != 0 || prefs.Categories["orders"].Title != "Orders" {
		t.Errorf("preferences are %+v, %v", prefs, err)
	}
}

// TestUnreachable answers clearly while nobody is there.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.stop()
	var out notifier.Accepted
	if err := d.ask("notify", json.RawMessage(`{"to":["ann"],"title":"x"}`), &out); !errors.Is(err, mesh.ErrNobody) {
		t.Errorf("the answer is %v", err)
	}
}
