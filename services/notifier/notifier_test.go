package notifier_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/auth"
	"tidings/shared/stream"
	"tidings/shared/suppress"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestNotify follows a notification to the inbox, to the person's own topic, to the
// mail channel and through its timeline.
func TestNotify(t *testing.T) {
	t.Parallel()
	d := open(t)
	id := d.notify(`{"to":["ann"],"category":"orders","title":"Shipped","body":"It is on its way.","data":{"order":7},
		"actions":[{"label":"Track","url":"/orders/7"}]}`)
	mail := d.mailed(1)[0]
	if mail.Notification != id || mail.Title != "Shipped" || mail.Person.Email != "ann@example.com" || mail.Transactional || len(mail.Actions) != 1 {
		t.Errorf("the mail channel got %+v", mail)
	}
	d.becomes(id, "ann", route.Mail, "sent")
	d.becomes(id, "ann", route.Inbox, timeline.Delivered)
	if push := d.state(id, "ann", route.Push); push.State != timeline.Dropped || push.Reason != route.Unavailable || push.Why == "" {
		t.Errorf("push is %+v", push)
	}
	box := d.inboxOf("ann")
	if box.Unread != 1 || box.Unseen != 1 || len(box.Items) != 1 || box.Items[0].ID != id || string(box.Items[0].Data) != `{"order":7}` {
		t.Errorf("the inbox is %+v", box)
	}
	testkit.Eventually(t, "the event", func() bool {
		p, err := d.log.Range(t.Context(), stream.Query{Pattern: "user.ann", Limit: 10})
		return err == nil && len(p.Entries) == 1 && p.Entries[0].Event.Type == "inbox.item"
	})
	whole := d.timeline(id)
	if len(whole.Deliveries) != 5 || len(whole.Steps) < 8 || whole.From != "http" || whole.To[0] != "ann" {
		t.Errorf("the timeline is %+v", whole)
	}
	if strings.Contains(string(d.do(service, http.MethodGet, "/v1/notifications/"+id, "").body), "@example.com") {
		t.Error("the timeline shows an address")
	}
}

// TestRefusals sends what is wrong and looks that nothing of it is stored.
func TestRefusals(t *testing.T) {
	t.Parallel()
	d := open(t)
	long := strings.Repeat("x", 600<<10)
	for _, c := range []struct{ name, body, code, part string }{
		{"no JSON", `{"to":`, "bad_json", ""},
		{"unknown field", `{"to":["ann"],"title":"x","titel":"y"}`, "unknown_field", "titel"},
		{"nobody", `{"to":[],"title":"x"}`, "missing_field", "to"},
		{"unknown user", `{"to":["ann","nobody"],"title":"x"}`, "unknown_user", "to[1]"},
		{"unknown topic", `{"to":[{"topic":"room.void"}],"title":"x"}`, "unknown_topic", "to[0].topic"},
		{"unknown category", `{"to":["ann"],"title":"x","category":"gossip"}`, "unknown_category", "category"},
		{"unknown template", `{"to":["ann"],"template":"nope"}`, "unknown_template", "template"},
		{"missing data", `{"to":["ann"],"template":"order_shipped"}`, "missing_field", "data."},
		{"bad address", `{"to":[{"user":"zoe","email":"zoe"}],"title":"x"}`, "bad_email", "to[0].email"},
		{"address with a header", `{"to":[{"user":"zoe","email":"zoe@example.com\r\nBcc: x@example.com"}],"title":"x"}`, "bad_email", "to[0].email"},
		{"title with a header", `{"to":["ann"],"title":"x\r\nBcc: y@example.com"}`, "bad_character", "title"},
		{"bad zone", `{"to":[{"user":"zoe","tz":"Mars/Olympus"}],"title":"x"}`, "bad_time_zone", "to[0].tz"},
		{"expired", `{"to":["ann"],"title":"x","expires":"2020-01-01T00:00:00Z"}`, "expired", "expires"},
		{"never comes", `{"to":["ann"],"title":"x","repeat":{"every":"day","at":"09:00"},"expires":"2099-11-23T13:00:00Z"}`, "expired", "repeat"},
		{"bad repeat", `{"to":["ann"],"title":"x","repeat":{"every":"now"}}`, "bad_value", "repeat"},
		{"script", `{"to":["ann"],"title":"x","actions":[{"label":"Go","url":"javascript:alert(1)"}]}`, "bad_url", "actions[0].url"},
		{"too large", `{"to":["ann"],"title":"x","body":"` + long + `"}`, "too_long", ""},
		{"batch", `[{"to":["ann"],"title":"x"},{"to":["ann"],"title":""}]`, "missing_field", "[1].title"},
		{"batch with an id twice", `[{"to":["ann"],"title":"x","id":"a"},{"to":["ann"],"title":"y","id":"a"}]`, "duplicate", "[1].id"},
		{"empty batch", `[]`, "missing_field", ""},
		{"several", `{"to":["nobody"],"title":"x","category":"gossip"}`, "many_faults", ""},
	} {
		a := d.do(service, http.MethodPost, "/v1/notify", c.body)
		var p struct{ Code, Param, Detail string }
		if err := json.Unmarshal(a.body, &p); err != nil || a.status < 400 || a.status > 499 || p.Code != c.code || !strings.HasPrefix(p.Param, c.part) || p.Detail == "" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := d.do(auth.Claims{User: "ann"}, http.MethodPost, "/v1/notify", `{"to":["ann"],"title":"x"}`); a.status != http.StatusForbidden || a.code() != "notify_denied" {
		t.Errorf("without the grant: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodGet, "/v1/notifications", ""); !strings.Contains(string(a.body), `"notifications":[]`) {
		t.Errorf("something was stored: %s", a.body)
	}
	if a := d.do(service, http.MethodGet, "/v1/notifications/nope", ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown notification: %d %s", a.status, a.body)
	}
}

// TestQuietHours holds a mail through the night, by the person's clock, and lets what
// is critical pass.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("bob", `{"quiet_hours":[{"from":"22:00","to":"07:00"}]}`)
	d.clock.set(time.Date(2099, 11, 23, 21, 30, 0, 0, time.UTC)) // 22:30 in Berlin
	id := d.notify(`{"to":["bob"],"title":"Quietly","category":"orders"}`)
	held := d.becomes(id, "bob", route.Mail, timeline.Held)
	if morning := time.Date(2099, 11, 24, 6, 0, 0, 0, time.UTC); held.Reason != route.InQuietHours || !held.At.Equal(morning) {
		t.Errorf("it is held as %+v", held)
	}
	d.becomes(id, "bob", route.Inbox, timeline.Delivered)
	loud := d.notify(`{"to":["bob"],"title":"Fire","category":"orders","severity":"critical"}`)
	d.becomes(loud, "bob", route.Mail, "sent")
	d.clock.set(held.At.Add(-time.Second))
	if p := d.timeline(id).Planned; len(p) != 1 || p[0].What != "resume" || !p[0].At.Equal(held.At) {
		t.Errorf("planned is %+v", p)
	}
	d.clock.set(held.At)
	d.becomes(id, "bob", route.Mail, "sent")
	if mails := d.mailed(2); mails[0].Title != "Fire" || mails[1].Title != "Quietly" {
		t.Errorf("the mails are %+v", mails)
	}
}

// TestSizes has a notification that its job brings along, and one that it does not.
func TestSizes(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, body := range []string{"short", strings.Repeat("long ", 1200)} {
		id := d.notify(`{"to":["ann"],"category":"orders","title":"Shipped","body":"` + body + `"}`)
		if m := d.mailed(i + 1)[i]; m.Notification != id || m.Body != strings.TrimSpace(body) && m.Body != body {
			t.Errorf("%s is mailed as %s with %d bytes", id, m.Notification, len(m.Body))
		}
		d.becomes(id, "ann", route.Mail, "sent")
	}
}

// TestDigest collects, sends one mail of all, and begins anew.
func TestDigest(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.prefer("ann", `{"categories":{"comments":{"digest":{"window_s":600}}}}`)
	first := d.notify(`{"to":["ann"],"category":"comments","title":"One","body":"first"}`)
	collected := d.becomes(first, "ann", route.Mail, timeline.Digested)
	d.clock.set(noon.Add(time.Minute))
	second := d.notify(`{"to":["ann"],"category":"comments","title":"Two","collapse":"c"}`)
	d.becomes(second, "ann", route.Mail, timeline.Digested)
	third := d.notify(`{"to":["ann"],"category":"comments","title":"Three","collapse":"c"}`)
	d.becomes(third, "ann", route.Mail, timeline.Digested)
	d.clock.set(noon.Add(10 * time.Minute))
	m := d.mailed(1)[0]
	if m.Notification != collected.Digest || m.Template != "digest" || len(m.Items) != 2 || m.Items[0].Title != "One" || m.Items[1].Title != "Three" {
		t.Errorf("the digest is %+v", m)
	}
	d.becomes(collected.Digest, "ann", route.Mail, "sent")
	// Of somebody who is not on file there is the address that came along.
	d.prefer("zoe", `{"categories":{"comments":{"digest":{"window_s":600}}}}`)
	stranger := d.notify(`{"to":[{"user":"zoe","email":"zoe@example.com"}],"category":"comments","title":"Hello"}`)
	d.becomes(stranger, "zoe", route.Mail, timeline.Digested)
	d.clock.set(noon.Add(20 * time.Minute))
	if m := d.mailed(2)[1]; m.Person.Email != "zoe@example.com" || len(m.Items) != 1 {
		t.Errorf("the stranger's digest is %+v", m)
	}
	again := d.notify(`{"to":["ann"],"category":"comments","title":"Four"}`)
	if next := d.becomes(again, "ann", route.Mail, timeline.Digested); next.Digest == collected.Digest {
		t.Error("what comes later is in the digest that was sent")
	}
	// The decision shows before it is carried out. The collapsed one shows once.
	testkit.Eventually(t, "three to be unread", func() bool { return d.inboxOf("ann").Unread == 3 })
}

// TestThrottle lets the overflow join a digest.
func TestThrottle(t *testing.T) {
	t.Parallel()
	d := open(t)
	var last string
	for range 31 {
		last = d.notify(`{"to":["ann"],"title":"More"}`)
		d.becomes(last, "ann", route.Inbox, timeline.Delivered)
	}
	if v := d.state(last, "ann", route.Mail); v.State != timeline.Digested || v.Reason != route.Throttled {
		t.Errorf("the overflow is %+v", v)
	}
	d.mailed(30)
	d.clock.set(noon.Add(2 * time.Hour))
	if m := d.mailed(31)[30]; len(m.Items) != 1 {
		t.Errorf("the digest is %+v", m)
	}
}

// TestSuppressed sends nothing to an address that bounced.
func TestSuppressed(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := d.list.Add(t.Context(), "mail", "Ann@Example.com", suppress.Entry{Cause: suppress.Bounced, At: noon}); err != nil {
		t.Fatal(err)
	}
	id := d.notify(`{"to":["ann"],"title":"x","severity":"critical"}`)
	d.becomes(id, "ann", route.Inbox, timeline.Delivered)
	if v := d.state(id, "ann", route.Mail); v.State != timeline.Dropped || v.Reason != route.AddressBounced {
		t.Errorf("mail is %+v", v)
	}
	const path = "/v1/suppressed/mail/ann@example.com"
	if a := d.do(service, http.MethodGet, path, ""); a.status != http.StatusForbidden {
		t.Errorf("not an administrator: %d %s", a.status, a.body)
	}
	admin := auth.Claims{User: "root", Admin: true}
	if a := d.do(admin, http.MethodGet, path, ""); !strings.Contains(string(a.body), `"bounced"`) {
		t.Errorf("the entries: %d %s", a.status, a.body)
	}
	if a := d.do(admin, http.MethodPut, "/v1/suppressed/mail/bob@example.com", `{"detail":"asked by phone"}`); !strings.Contains(string(a.body), `"blocked"`) {
		t.Errorf("block: %d %s", a.status, a.body)
	}
	if a := d.do(admin, http.MethodPut, "/v1/suppressed/mail/nobody", ""); a.status != http.StatusBadRequest {
		t.Errorf("no address: %d %s", a.status, a.body)
	}
	if a := d.do(admin, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("clear: %d %s", a.status, a.body)
	}
	d.becomes(d.notify(`{"to":["ann"],"title":"y"}`), "ann", route.Mail, "sent")
}
