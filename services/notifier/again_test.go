package notifier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/notifier"
	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/auth"
	"tidings/shared/testkit"
)

// TestReplayLater repeats what was accepted when it would be refused by now: because of
// its time, of its people, of a topic that nobody is in any more.
func TestReplayLater(t *testing.T) {
	t.Parallel()
	d := open(t)
	const soon = `"category":"orders","title":"Soon","expires":"2099-11-23T12:30:00Z"`
	if a := d.do(service, http.MethodPut, "/v1/people/kim", `{"email":"kim@example.com","topics":["room.ops"]}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	keyed := `{"to":["kim"],` + soon + `}`
	named := `{"to":["kim",{"topic":"room.ops"}],"id":"soon",` + soon + `}`
	batch := `[{"to":["ann"],"title":"x","id":"one"},{"to":["kim"],"id":"two",` + soon + `}]`
	first := d.do(service, http.MethodPost, "/v1/notify", keyed, "Idempotency-Key", "k")
	if first.status != http.StatusAccepted {
		t.Fatalf("%d %s", first.status, first.body)
	}
	d.notify(named)
	if a := d.do(service, http.MethodPost, "/v1/notify", batch); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	d.mailed(4)
	if a := d.do(service, http.MethodDelete, "/v1/people/kim", ""); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	d.clock.set(noon.Add(time.Hour))
	again := d.do(service, http.MethodPost, "/v1/notify", keyed, "Idempotency-Key", "k")
	if again.status != http.StatusAccepted || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the key again: %d %s, first %s", again.status, again.body, first.body)
	}
	for _, body := range []string{named, batch} {
		if a := d.do(service, http.MethodPost, "/v1/notify", body); a.status != http.StatusAccepted || strings.Contains(string(a.body), `"duplicate":false`) {
			t.Errorf("the id again: %d %s", a.status, a.body)
		}
	}
	for _, body := range []string{keyed, strings.Replace(named, "Soon", "Later", 1), strings.Replace(named, `"soon"`, `"other"`, 1)} {
		if a := d.do(service, http.MethodPost, "/v1/notify", body); a.status < 400 || a.status > 499 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	d.mailed(4)
}

// TestSameKeyAtOnce has a request sent many times at once: all get one answer, and it is
// told once.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, body := range []string{
		`{"to":["ann"],"category":"orders","title":"Once"}`,
		`{"to":["ann"],"category":"orders","title":"Once","id":"mine"}`,
		`[{"to":["ann"],"category":"orders","title":"Once","id":"a"},{"to":["bob"],"category":"orders","title":"Once"}]`,
	} {
		answers := make([]answer, 20)
		var wg sync.WaitGroup
		for k := range answers {
			wg.Go(func() {
				answers[k] = d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", fmt.Sprint("k", i))
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a.status != http.StatusAccepted || string(a.body) != string(answers[0].body) || strings.Contains(string(a.body), `"duplicate":true`) {
				t.Errorf("%d %s, another is %s", a.status, a.body, answers[0].body)
			}
		}
	}
	d.mailed(4)
	// Under another key it is a duplicate.
	a := d.do(service, http.MethodPost, "/v1/notify", `{"to":["ann"],"category":"orders","title":"Once","id":"mine"}`, "Idempotency-Key", "other")
	if !strings.Contains(string(a.body), `"duplicate":true`) {
		t.Errorf("under another key: %d %s", a.status, a.body)
	}
}

// TestInterrupted repeats a request that was stored and not answered, at once and when it
// would be refused by now: it is the same one, and none of it is told twice.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	d := open(t)
	const body = `[{"to":["ann"],"category":"orders","title":"Once","id":"mine","expires":"2099-11-23T12:30:00Z"},
		{"to":["bob"],"category":"orders","title":"Once","expires":"2099-11-23T12:30:00Z"}]`
	first := d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
	d.mailed(2)
	bucket, err := d.conn.JS.KeyValue(t.Context(), testkit.Space(t).Stream("idempotency"))
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
		d.clock.set(now)
		keys, err := bucket.Keys(t.Context())
		if err != nil || len(keys) != 1 {
			t.Fatalf("the keys are %v, %v", keys, err)
		}
		entry, err := bucket.Get(t.Context(), keys[0])
		var stored map[string]json.RawMessage
		if err != nil || json.Unmarshal(entry.Value(), &stored) != nil || stored["body"] == nil {
			t.Fatalf("what is stored is %+v, %v", stored, err)
		}
		delete(stored, "body")
		pending, err := json.Marshal(stored)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bucket.Put(t.Context(), keys[0], pending); err != nil {
			t.Fatal(err)
		}
		again := d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
		if again.status != http.StatusAccepted || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("at %s: %d %s, first %s", now, again.status, again.body, first.body)
		}
	}
	d.mailed(2)
}

// TestReplayWritesNothing looks that a replay leaves the stored answer alone.
func TestReplayWritesNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	const body = `{"to":["ann"],"category":"orders","title":"Once"}`
	d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
	bucket := "KV_" + testkit.Space(t).Stream("idempotency")
	last := func() uint64 {
		s, err := d.conn.JS.Stream(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.LastSeq
	}
	before := last()
	for range 3 {
		d.do(service, http.MethodPost, "/v1/notify", body, "Idempotency-Key", "k")
	}
	if after := last(); before == 0 || after != before {
		t.Errorf("the bucket went from %d to %d", before, after)
	}
}

// TestConflictInBatch refuses a batch with somebody else's id as a whole, and lets the
// mended one have the key.
func TestConflictInBatch(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.notify(`{"to":["ann"],"category":"orders","title":"First","id":"taken"}`)
	const fine = `{"to":["ann"],"category":"orders","title":"Fine","id":"fine"}`
	batch := `[` + fine + `,{"to":["bob"],"category":"orders","title":"Second","id":"taken"}]`
	for _, key := range []string{"", "k"} {
		var headers []string
		if key != "" {
			headers = []string{"Idempotency-Key", key}
		}
		a := d.do(service, http.MethodPost, "/v1/notify", batch, headers...)
		var p struct{ Code, Param string }
		if json.Unmarshal(a.body, &p) != nil || a.status != http.StatusConflict || p.Code != "id_conflict" || p.Param != "[1].id" {
			t.Errorf("key %q: %d %s", key, a.status, a.body)
		}
		if a := d.do(service, http.MethodGet, "/v1/notifications/fine", ""); a.status != http.StatusNotFound {
			t.Errorf("key %q: a part was stored: %d %s", key, a.status, a.body)
		}
	}
	// A single one is refused while it is stored, after its key was taken.
	const single = `{"to":["bob"],"title":"Second","id":"taken"}`
	if a := d.do(service, http.MethodPost, "/v1/notify", single, "Idempotency-Key", "k"); a.status != http.StatusConflict {
		t.Errorf("single: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodPost, "/v1/notify", `[`+fine+`]`, "Idempotency-Key", "k"); a.status != http.StatusAccepted {
		t.Errorf("mended: %d %s", a.status, a.body)
	}
	d.mailed(2)
}

// TestClientGone hangs up in the middle of a batch: all of it is stored and begun.
func TestClientGone(t *testing.T) {
	t.Parallel()
	d := open(t)
	const count = notifier.MaxBatch
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf(`{"to":["ann"],"category":"orders","title":"One of many","id":"m-%d"}`, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The first that is stored is when the client leaves.
	watch, err := d.conn.NC.Subscribe(testkit.Space(t).Notification("*", "*"), func(*nats.Msg) { cancel() })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Unsubscribe() }()
	if err := d.conn.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	claims := service
	claims.TTL = time.Hour
	token, err := auth.Mint(secret, claims, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/v1/notify", strings.NewReader("["+strings.Join(list, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	for i := range list {
		id := fmt.Sprintf("m-%d", i)
		testkit.Eventually(t, id+" to be there", func() bool {
			return d.do(service, http.MethodGet, "/v1/notifications/"+id, "").status == http.StatusOK
		})
		d.becomes(id, "ann", route.Inbox, timeline.Delivered)
	}
}

// TestLongMessageID takes a publish whose id is longer than that of a notification may be,
// again and again.
func TestLongMessageID(t *testing.T) {
	t.Parallel()
	d := open(t)
	m := nats.NewMsg(testkit.Space(t).Notify())
	m.Header.Set("ce-id", strings.Repeat("order:7/", 30))
	m.Data = []byte(`{"to":["ann"],"category":"orders","title":"Published","repeat":{"every":"day","at":"13:00"}}`)
	for range 2 {
		if err := d.conn.NC.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	// The second one may come while the first is stored, and is the same.
	var page notifier.Page
	testkit.Eventually(t, "it to be planned", func() bool {
		a := d.do(service, http.MethodGet, "/v1/notifications", "")
		return json.Unmarshal(a.body, &page) == nil && len(page.Notifications) == 1 && len(d.timeline(page.Notifications[0].ID).Planned) == 1
	})
	d.clock.set(noon.Add(time.Hour))
	d.mailed(1)
}
