package envelope_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"unicode/utf8"

	"tidings/services/producer/envelope"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// FuzzParse feeds hostile bodies to every parser. Whatever is accepted must be an
// event that may be published and a frame that a browser can read.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`{"topic":"all","data":{"a":1},"id":"1"}`, `[{"user":"ann"},{"topic":"room.a","time":"2026-01-01T00:00:00Z"}]`,
		"{\"topic\":\"all\"}\n{}", cloud("", `"data_base64":"/w=="`), `[` + cloud("", `"datacontenttype":"text/plain","data":"x"`) + `]`,
		`{"alerts":[{"status":"firing","fingerprint":"f","startsAt":"2026-01-01T00:00:00Z"}]}`, "payload=%7B%7D", "\xff", "",
	} {
		for _, ct := range []string{"", "application/json", "application/x-ndjson", "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-www-form-urlencoded", "text/plain"} {
			f.Add([]byte(body), ct, "", "topic=all")
			f.Add([]byte(body), ct, "a%20b", "")
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType, attribute, query string) {
		header := http.Header{}
		if contentType != "" {
			header.Set("Content-Type", contentType)
		}
		r := envelope.Request{Header: header, Body: body, Now: now}
		r.Query, _ = url.ParseQuery(query)
		examine(t)(envelope.Parse(r))
		hook := envelope.Hook{Topic: "room.hook", Source: "hook/x"}
		header.Set("X-GitHub-Event", attribute)
		header.Set("X-GitHub-Delivery", attribute)
		header.Set("X-Tidings-Type", attribute)
		examine(t)(envelope.ParseGitHub(hook, header, body))
		examine(t)(envelope.ParseHMAC(hook, header, body))
		examine(t)(envelope.ParseAlerts(hook, body))
		for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type", "Ce-Time", "Ce-Subject"} {
			header.Set(name, attribute)
		}
		header.Set("Ce-Specversion", "1.0")
		examine(t)(envelope.Parse(r))
		header.Del("Ce-Time")
		header.Set("Ce-Subject", "all")
		examine(t)(envelope.Parse(r))
	})
}

// examine checks what a parser returned.
func examine(t *testing.T) func(envelope.Batch, error) {
	return func(b envelope.Batch, err error) {
		t.Helper()
		if err != nil {
			if p := problem(t, err); p.Status < 400 || p.Status > 499 || p.Code == "" || p.Detail == "" || !utf8.ValidString(p.Detail) {
				t.Errorf("bad answer: %+v", p)
			}
			return
		}
		if len(b.Items) > envelope.MaxItems || b.Single && len(b.Items) != 1 {
			t.Errorf("%d events", len(b.Items))
		}
		for _, it := range b.Items {
			if err := it.Event.Check(); err != nil {
				t.Errorf("Check: %v", err)
			}
			if _, err := subject.ParseTopic(string(it.Event.Topic)); err != nil {
				t.Error(err)
			}
			if frame := it.Event.AppendJSON(nil, event.Cursor{}); !json.Valid(frame) || !utf8.Valid(frame) {
				t.Errorf("bad frame %q", frame)
			}
			if len(it.Key) > 128 {
				t.Errorf("key of %d bytes", len(it.Key))
			}
		}
	}
}
