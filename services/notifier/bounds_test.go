package notifier_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tidings/services/notifier"
	"tidings/services/notifier/route"
	"tidings/services/notifier/timeline"
	"tidings/shared/auth"
	"tidings/shared/template"
)

// TestEscapedPaths means the same by an escaped path as by a plain one.
func TestEscapedPaths(t *testing.T) {
	t.Parallel()
	d := open(t)
	const escaped, plain = "/v1/people/ivy%40example.com", "/v1/people/ivy@example.com"
	if a := d.do(service, http.MethodPut, escaped, `{"email":"ivy@example.com"}`); a.status != http.StatusOK || !strings.Contains(string(a.body), `"user":"ivy@example.com"`) {
		t.Errorf("put: %d %s", a.status, a.body)
	}
	for _, path := range []string{escaped, plain} {
		if a := d.do(service, http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := d.do(auth.Claims{User: "ivy@example.com"}, http.MethodPut, escaped, `{"tz":"Asia/Tokyo"}`); a.status != http.StatusOK {
		t.Errorf("own zone: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodDelete, escaped, ""); a.status != http.StatusNoContent {
		t.Errorf("erase: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodGet, plain, ""); a.status != http.StatusNotFound {
		t.Errorf("it is still there: %d %s", a.status, a.body)
	}
	d.notify(`{"to":["ann"],"title":"x","id":"order/7:a@b","at":"2099-11-23T15:00:00Z"}`)
	const id = "/v1/notifications/order%2F7%3Aa%40b"
	if a := d.do(service, http.MethodGet, id, ""); a.status != http.StatusOK || !strings.Contains(string(a.body), `"order/7:a@b"`) {
		t.Errorf("its timeline: %d %s", a.status, a.body)
	}
	if a := d.do(service, http.MethodDelete, id, ""); !strings.Contains(string(a.body), `"canceled":1`) {
		t.Errorf("cancel: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/v1/people/%FF", "/v1/notifications/%FF%40", "/v1/suppressed/mail/%FF"} {
		if a := d.do(auth.Claims{User: "root", Admin: true}, http.MethodGet, path, ""); a.status != http.StatusBadRequest || a.code() != "bad_path" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// TestSuppressedByHand checks what an operator says of an address.
func TestSuppressedByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	admin := auth.Claims{User: "root", Admin: true}
	const path = "/v1/suppressed/mail/ann%40example.com"
	for body, code := range map[string]string{
		`{"category":"gossip"}`:           "unknown_category",
		`{"category":"orders\n"}`:         "unknown_category",
		`{"detail":"by phone\r\n[info]"}`: "bad_character",
	} {
		if a := d.do(admin, http.MethodPut, path, body); a.status != http.StatusBadRequest || a.code() != code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := d.do(admin, http.MethodPut, path, `{"category":"orders","detail":"by phone"}`); a.status != http.StatusOK {
		t.Errorf("block: %d %s", a.status, a.body)
	}
	id := d.notify(`{"to":["ann"],"category":"orders","title":"x"}`)
	d.becomes(id, "ann", route.Mail, timeline.Dropped)
	if a := d.do(admin, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("clear: %d %s", a.status, a.body)
	}
	if a := d.do(admin, http.MethodGet, "/v1/suppressed/mail/ann@example.com", ""); !strings.Contains(string(a.body), `"entries":[]`) {
		t.Errorf("it is still there: %d %s", a.status, a.body)
	}
}

// TestSeriesID refuses a recurring notification whose id leaves no room for those of what
// comes of it, and tells one that just does.
func TestSeriesID(t *testing.T) {
	t.Parallel()
	d := open(t)
	document := func(size int) string {
		return `{"to":["ann"],"category":"orders","title":"Daily","repeat":{"every":"day","at":"13:00"},"id":"` + strings.Repeat("x", size) + `"}`
	}
	a := d.do(service, http.MethodPost, "/v1/notify", document(118))
	var p struct{ Code, Param string }
	if json.Unmarshal(a.body, &p) != nil || a.status != http.StatusBadRequest || p.Code != "too_long" || p.Param != "id" {
		t.Errorf("118 bytes: %d %s", a.status, a.body)
	}
	d.notify(document(117))
	d.clock.set(noon.Add(time.Hour))
	d.mailed(1)
}

// TestLargest delivers the largest texts there may be, of characters that grow when they
// are escaped, and refuses a template that makes more of them than an inbox takes.
func TestLargest(t *testing.T) {
	t.Parallel()
	layer := fstest.MapFS{}
	for name, text := range map[string]string{
		"twice/title.txt": "Twice", "twice/body.txt": "{{.Data.a}}{{.Data.a}}",
		"twice/mail.txt": "x", "twice/mail.html": `{{define "content"}}x{{end}}`, "twice/sample.json": `{"data":{"a":"x"}}`,
	} {
		layer[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := template.Load(template.Builtin(), layer)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, func(c *notifier.Config) { c.Templates = func() *template.Set { return set } })
	for what, char := range map[string]string{"html": "<", "quotes": `\"`, "breaks": `\n`, "separators": "\u2028"} {
		most := 32 << 10 / len(char)
		id := d.notify(`{"to":["ann"],"category":"orders","title":"` + what + `","body":"` + strings.Repeat(char, most) +
			`","data":{"a":"` + strings.Repeat(char, 60<<10/len(char)) + `"}}`)
		d.becomes(id, "ann", route.Inbox, timeline.Delivered)
		d.becomes(id, "ann", route.Mail, "sent")
	}
	fits := func(n int) answer {
		return d.do(service, http.MethodPost, "/v1/notify", `{"to":["ann"],"category":"orders","template":"twice","data":{"a":"`+strings.Repeat(`\"`, n)+`"}}`)
	}
	a := fits(32<<10 - 4)
	var p struct{ Code, Param string }
	if json.Unmarshal(a.body, &p) != nil || a.status != http.StatusBadRequest || p.Code != "too_long" || p.Param != "data" {
		t.Errorf("a large one: %d %s", a.status, a.body)
	}
	a = fits(32<<10 - 200)
	var out notifier.Accepted
	if a.status != http.StatusAccepted || json.Unmarshal(a.body, &out) != nil {
		t.Fatalf("one that fits: %d %s", a.status, a.body)
	}
	d.becomes(out.ID, "ann", route.Inbox, timeline.Delivered)
}

// TestLargeLater refuses what the plan can't carry, and takes it for now.
func TestLargeLater(t *testing.T) {
	t.Parallel()
	d := open(t)
	var to []string
	for i := range 1000 {
		to = append(to, fmt.Sprintf(`{"user":"u%0100d","email":"%s%d@example.com","name":"%s"}`, i, strings.Repeat("x", 50), i, strings.Repeat("n", 120)))
	}
	document := `{"to":[` + strings.Join(to, ",") + `],"category":"orders","title":"Large"`
	for _, later := range []string{`,"at":"2099-11-24T00:00:00Z"}`, `,"repeat":{"every":"day","at":"09:00"}}`} {
		a := d.do(service, http.MethodPost, "/v1/notify", document+later)
		if a.status != http.StatusBadRequest || a.code() != "too_long" {
			t.Errorf("%s: %d %.200s", later, a.status, a.body)
		}
	}
	if a := d.do(service, http.MethodPost, "/v1/notify", document+"}"); a.status != http.StatusAccepted {
		t.Errorf("now: %d %.200s", a.status, a.body)
	}
}
