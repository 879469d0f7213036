package notifier_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/ledger"
	"tidings/shared/testkit"
)

// TestLater begins when the time has come, over a restart of the notifier.
func TestLater(t *testing.T) {
	t.Parallel()
	d := open(t)
	id := d.notify(`{"to":["ann"],"category":"orders","title":"Later","at":"2099-11-23T15:00:00Z"}`)
	gone := d.notify(`{"to":["ann"],"category":"orders","title":"Never","at":"2099-11-23T15:00:00Z","id":"gone"}`)
	if p := d.timeline(id).Planned; len(p) != 1 || p[0].What != "begin" {
		t.Errorf("planned is %+v", p)
	}
	if a := d.do(service, http.MethodDelete, "/v1/notifications/"+gone, ""); a.status != http.StatusOK || !strings.Contains(string(a.body), `"canceled":1`) {
		t.Errorf("cancel: %d %s", a.status, a.body)
	}
	// To ask for it again does not bring it back.
	a := d.do(service, http.MethodPost, "/v1/notify", `{"to":["ann"],"category":"orders","title":"Never","at":"2099-11-23T15:00:00Z","id":"gone"}`)
	if a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"duplicate":true`) {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	d.stop()
	d.clock.set(noon.Add(4 * time.Hour))
	d.start()
	d.becomes(id, "ann", route.Mail, "sent")
	d.mailed(1)
	if v := d.timeline(gone); !v.Canceled || len(v.Deliveries) != 0 || len(v.Planned) != 0 {
		t.Errorf("the canceled one is %+v", v)
	}
}

// TestRepeat comes every day at nine by the clock of Berlin, until it expires.
func TestRepeat(t *testing.T) {
	t.Parallel()
	d := open(t)
	id := d.notify(`{"to":["bob"],"category":"orders","title":"Morning","id":"daily","expires":"2099-11-26T00:00:00Z",
		"repeat":{"every":"day","at":"09:00","tz":"Europe/Berlin"}}`)
	for day := 24; day <= 25; day++ {
		at := time.Date(2099, 11, day, 8, 0, 0, 0, time.UTC)
		if p := d.timeline(id).Planned; len(p) != 1 || !p[0].At.Equal(at) {
			t.Fatalf("planned is %+v, want %s", p, at)
		}
		d.clock.set(at)
		m := d.mailed(day - 23)[day-24]
		if one := d.timeline(m.Notification); one.Of != id || one.From != "repeat" {
			t.Errorf("the instance is %+v", one)
		}
		testkit.Eventually(t, "the next time", func() bool {
			p := d.timeline(id).Planned
			return day == 25 && len(p) == 0 || len(p) == 1 && p[0].At.After(at)
		})
	}
}

// TestCollapse has a later notification take the place of one that waits.
func TestCollapse(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("ann", `{"quiet_hours":[{"from":"11:00","to":"13:00"}]}`)
	first := d.notify(`{"to":["ann"],"category":"orders","title":"80 %","collapse":"disk"}`)
	d.becomes(first, "ann", route.Mail, timeline.Held)
	second := d.notify(`{"to":["ann"],"category":"orders","title":"90 %","collapse":"disk"}`)
	d.becomes(second, "ann", route.Mail, timeline.Held)
	d.clock.set(noon.Add(time.Hour))
	if m := d.mailed(1)[0]; m.Title != "90 %" {
		t.Errorf("the mail is %+v", m)
	}
	if box := d.inboxOf("ann"); box.Unread != 1 || box.Items[0].Title != "90 %" {
		t.Errorf("the inbox is %+v", box)
	}
}

// TestSnooze hides an item and brings it back as unread.
func TestSnooze(t *testing.T) {
	t.Parallel()
	d := open(t)
	id := d.notify(`{"to":["ann"],"title":"Not now"}`)
	d.becomes(id, "ann", route.Inbox, timeline.Delivered)
	op := map[string]any{"user": "ann", "ops": map[string]any{"read": []string{id}, "snoozed": []any{map[string]any{"id": id, "until": noon.Add(time.Hour)}}}}
	var after struct{ Unread int }
	if err := d.ask("inbox-state", op, &after); err != nil || after.Unread != 0 {
		t.Fatalf("%d unread, %v", after.Unread, err)
	}
	if box := d.inboxOf("ann"); len(box.Items) != 0 {
		t.Errorf("it shows: %+v", box)
	}
	rev := d.inboxOf("ann").State.Rev
	d.clock.set(noon.Add(time.Hour))
	testkit.Eventually(t, "it to be back", func() bool {
		box := d.inboxOf("ann")
		return box.Unread == 1 && len(box.State.Snoozed) == 0 && box.State.Rev > rev
	})
	for _, bad := range []string{`{"read":"some"}`, `{"read":["unknown"]}`, `{"gone":[1]}`, `{"seen":-1}`} {
		if err := d.ask("inbox-state", map[string]any{"user": "ann", "ops": json.RawMessage(bad)}, &after); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// TestCanceled gives up what waits, wherever it waits.
func TestCanceled(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("ann", `{"categories":{"comments":{"digest":{"window_s":600}}}}`)
	gone := d.notify(`{"to":["ann"],"category":"comments","title":"Gone"}`)
	d.becomes(gone, "ann", route.Mail, timeline.Digested)
	stays := d.notify(`{"to":["ann"],"category":"comments","title":"Stays"}`)
	d.becomes(stays, "ann", route.Mail, timeline.Digested)
	if a := d.do(service, http.MethodDelete, "/v1/notifications/"+gone, ""); a.status != http.StatusOK {
		t.Fatalf("cancel: %d %s", a.status, a.body)
	}
	d.clock.set(noon.Add(10 * time.Minute))
	if m := d.mailed(1)[0]; len(m.Items) != 1 || m.Items[0].Title != "Stays" {
		t.Errorf("the digest is %+v", m)
	}
}

// TestForgotten tells what was planned longer ago than the ledger remembers.
func TestForgotten(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("ann", `{"quiet_hours":[{"from":"11:00","to":"14:00"}]}`)
	held := d.notify(`{"to":["ann"],"category":"orders","title":"Held"}`)
	d.becomes(held, "ann", route.Mail, timeline.Held)
	d.notify(`{"to":["bob"],"category":"orders","title":"Later","at":"2099-11-23T15:00:00Z"}`)
	d.notify(`{"to":["bob"],"category":"orders","title":"Again","repeat":{"every":"day","at":"16:00"}}`)
	s, err := d.conn.JS.Stream(t.Context(), testkit.Space(t).Stream(ledger.Name))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, title := range []string{"Held", "Later", "Again"} {
		d.clock.set(noon.Add(time.Duration(i+2) * time.Hour))
		if m := d.mailed(i + 1)[i]; m.Title != title {
			t.Errorf("mail %d is %+v", i, m)
		}
	}
}

// TestCrowd holds the mail of more people than one job or one page of a timeline has,
// and one of them cannot be read.
func TestCrowd(t *testing.T) {
	t.Parallel()
	const many = 1100
	d := open(t)
	for from := 0; from < many; from += 550 {
		var b strings.Builder
		for i := range 550 {
			fmt.Fprintf(&b, `{"user":"p%d","email":"p%d@example.com","topics":["room.all"]}`+"\n", from+i, from+i)
		}
		if a := d.do(service, http.MethodPost, "/v1/people", b.String()); a.status != http.StatusOK {
			t.Fatalf("import: %d %s", a.status, a.body)
		}
	}
	kv, err := d.conn.JS.KeyValue(t.Context(), testkit.Space(t).Stream("prefs"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		prefs := `{"quiet_hours":[{"from":"11:00","to":"13:00"}]}`
		if i == 7 {
			prefs = `{"categories":7}`
		}
		if _, err := kv.Put(t.Context(), fmt.Sprint("p", i), []byte(prefs)); err != nil {
			t.Fatal(err)
		}
	}
	id := d.notify(`{"to":[{"topic":"room.all"}],"category":"orders","title":"To all"}`)
	if v := d.becomes(id, "p7", route.Mail, timeline.Dropped); v.Reason != route.Unreadable {
		t.Errorf("the unreadable one is %+v", v)
	}
	testkit.Eventually(t, "all to be held", func() bool { return len(d.timeline(id).Planned) >= 1000 })
	d.clock.set(noon.Add(time.Hour))
	d.mailed(many - 1)
}

// TestLargeDigest is larger than one message.
func TestLargeDigest(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("ann", `{"categories":{"comments":{"digest":{"window_s":600}}}}`)
	const many = 80
	long, link := strings.Repeat("<", 500), "https://example.com/"+strings.Repeat("x", 1900)
	var last string
	for i := range many {
		last = d.notify(fmt.Sprintf(`{"to":["ann"],"category":"comments","title":"%d %s","body":"%s","actions":[{"label":"Go","url":"%s"}]}`, i, long[:200], long, link))
	}
	d.becomes(last, "ann", route.Mail, timeline.Digested)
	testkit.Eventually(t, "all to be collected", func() bool { return d.inboxOf("ann").Unread == many })
	d.clock.set(noon.Add(10 * time.Minute))
	items := 0
	for _, m := range d.mailed(2) {
		items += len(m.Items)
	}
	if items != many {
		t.Errorf("%d items", items)
	}
}
