package envelope_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tidings/services/producer/envelope"
	"tidings/shared/event"
	"tidings/shared/httpx"
)

// now is the present of all tables.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// request makes a Request; headers are "Name: value".
func request(query, body string, headers ...string) envelope.Request {
	r := envelope.Request{Header: http.Header{}, Body: []byte(body), Now: now}
	r.Query, _ = url.ParseQuery(query)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

const (
	ctJSON   = "Content-Type: application/json"
	ctLines  = "Content-Type: application/x-ndjson"
	ctForm   = "Content-Type: application/x-www-form-urlencoded"
	ctCloud  = "Content-Type: application/cloudevents+json"
	ctClouds = "Content-Type: application/cloudevents-batch+json"
)

// show is an event in one line, as a browser gets it, with its key and type of body.
func show(it envelope.Item) string {
	s := string(it.Event.AppendJSON(nil, event.Cursor{}))
	if it.Event.ContentType != "" {
		s += " as " + it.Event.ContentType
	}
	if it.Key != "" {
		s += " key " + it.Key
	}
	return s
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   envelope.Request
		list bool
		want []string
	}{
		{name: "least", in: request("", `{"topic":"all"}`, ctJSON), want: []string{`{"topic":"all","type":"message","data":null}`}},
		{name: "no content type", in: request("", " {\"topic\":\"all\"}\n"), want: []string{`{"topic":"all","type":"message","data":null}`}},
		{name: "curl -d", in: request("", `{"topic":"all","data":1}`, ctForm), want: []string{`{"topic":"all","type":"message","data":1}`}},
		{name: "curl -d of a list", in: request("", `[{"topic":"all","data":1}]`, ctForm), list: true, want: []string{`{"topic":"all","type":"message","data":1}`}},
		{
			name: "all fields",
			in: request("", `{"user":"ann@example.com","type":"cpu","data":{"b":1.50,"a":"<é>"},"id":"7","source":"s","time":"2026-01-02T03:04:05.5+02:00","at":"2026-03-01T12:00:01Z"}`,
				"Content-Type: application/json; charset=UTF-8"),
			want: []string{`{"topic":"user.ann=40example=2Ecom","type":"cpu","id":"7","source":"s","time":"2026-01-02T01:04:05.5Z","data":{"b":1.50,"a":"<é>"}} key user.ann=40example=2Ecom 7`},
		},
		{name: "nulls are left out", in: request("", `{"topic":"all","user":null,"type":null,"id":null,"time":null,"at":null,"data":null}`), want: []string{`{"topic":"all","type":"message","data":null}`}},
		{name: "data is any JSON", in: request("", `[{"topic":"all","data":"x"},{"topic":"all","data":false},{"topic":"all","data":[1]}]`), list: true, want: []string{
			`{"topic":"all","type":"message","data":"x"}`, `{"topic":"all","type":"message","data":false}`, `{"topic":"all","type":"message","data":[1]}`,
		}},
		{name: "numbers keep their digits", in: request("", `{"topic":"all","data":12345678901234567890.10}`), want: []string{`{"topic":"all","type":"message","data":12345678901234567890.10}`}},
		{name: "a list of one is a list", in: request("", `[{"topic":"all"}]`, ctJSON), list: true, want: []string{`{"topic":"all","type":"message","data":null}`}},
		{name: "nothing to do", in: request("", ` [ ] `, ctJSON), list: true},
		{name: "topic of the query", in: request("topic=room.a", `[{"data":1},{"topic":"all"}]`), list: true, want: []string{
			`{"topic":"room.a","type":"message","data":1}`, `{"topic":"all","type":"message","data":null}`,
		}},
		{name: "lines", in: request("", "{\"topic\":\"all\",\"data\":1}\r\n\n  {\"topic\":\"all\",\"data\":2}", ctLines), list: true, want: []string{
			`{"topic":"all","type":"message","data":1}`, `{"topic":"all","type":"message","data":2}`,
		}},
		{name: "jsonl", in: request("", `{"topic":"all"}`, "Content-Type: application/jsonl"), list: true, want: []string{`{"topic":"all","type":"message","data":null}`}},
		{
			name: "structured",
			in:   request("", `{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"room.a","time":"2026-01-01T00:00:00Z","traceparent":"00","data":{"x":1}}`, ctCloud),
			want: []string{`{"topic":"room.a","type":"t","id":"1","source":"/s","time":"2026-01-01T00:00:00Z","data":{"x":1}} key ce room.a =2Fs 1`},
		},
		{
			name: "the extension wins over subject",
			in:   request("topic=room.c", `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"room.a","tidingstopic":"room.b"}`, ctCloud),
			want: []string{`{"topic":"room.b","type":"t","id":"1","source":"s","data":null} key ce room.b s 1`},
		},
		{
			name: "a subject that is no topic gives way",
			in:   request("topic=room.c", `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"img/1.png"}`, ctCloud),
			want: []string{`{"topic":"room.c","type":"t","id":"1","source":"s","data":null} key ce room.c s 1`},
		},
		{
			name: "text data",
			in:   request("topic=all", `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":"{}"}`, ctCloud),
			want: []string{`{"topic":"all","type":"t","id":"1","source":"s","data":"{}"} as text/plain key ce all s 1`},
		},
		{
			name: "JSON data that is a string",
			in:   request("topic=all", `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"application/json","data":"{}"}`, ctCloud),
			want: []string{`{"topic":"all","type":"t","id":"1","source":"s","data":"{}"} as application/json key ce all s 1`},
		},
		{
			name: "bytes",
			in:   request("topic=all", `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"image/png","data_base64":"/wA="}`, ctCloud),
			want: []string{`{"topic":"all","type":"t","id":"1","source":"s","data_base64":"/wA="} as image/png key ce all s 1`},
		},
		{
			name: "cloud batch",
			in:   request("topic=all", `[{"specversion":"1.0","id":"1","source":"s","type":"t"},{"specversion":"1.0","id":"1","source":"z","type":"t"}]`, ctClouds), list: true,
			want: []string{
				`{"topic":"all","type":"t","id":"1","source":"s","data":null} key ce all s 1`,
				`{"topic":"all","type":"t","id":"1","source":"z","data":null} key ce all z 1`,
			},
		},
		{
			name: "binary",
			in: request("", `{"x":1}`, ctJSON, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s%20%C3%A9", `ce-type: "t\"q"`,
				"ce-time: 2026-01-01T00:00:00Z", "ce-subject: room.a", "ce-other: x"),
			want: []string{`{"topic":"room.a","type":"t\"q","id":"1","source":"s é","time":"2026-01-01T00:00:00Z","data":{"x":1}} as application/json key ce room.a s=20=C3=A9 1`},
		},
		{
			name: "binary, any body",
			in:   request("topic=all", "a;b\n1;2\n", "Content-Type: text/csv", "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t", "ce-tidingstopic: room.b"),
			want: []string{`{"topic":"room.b","type":"t","id":"1","source":"s","data":"a;b\n1;2\n"} as text/csv key ce room.b s 1`},
		},
		{
			name: "binary, no body",
			in:   request("topic=all", "", "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t"),
			want: []string{`{"topic":"all","type":"t","id":"1","source":"s","data":null} key ce all s 1`},
		},
		{
			name: "binary from curl -d",
			in:   request("topic=all", `{"x":1}`, ctForm, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t"),
			want: []string{`{"topic":"all","type":"t","id":"1","source":"s","data":{"x":1}} key ce all s 1`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, err := envelope.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if b.Single == tc.list {
				t.Errorf("Single = %v", b.Single)
			}
			got := make([]string, len(b.Items))
			for i, it := range b.Items {
				got[i] = show(it)
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// cloud is a CloudEvent with everything it needs but for what a case changes.
func cloud(without string, add string) string {
	s := "{"
	for _, m := range []string{`"specversion":"1.0"`, `"id":"1"`, `"source":"s"`, `"type":"t"`, `"subject":"all"`} {
		if !strings.HasPrefix(m, `"`+without+`"`) {
			s += m + ","
		}
	}
	return strings.TrimSuffix(s+add, ",") + "}"
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		name   string
		in     envelope.Request
		status int
		code   string
		param  string
		detail string // a part of it
	}{
		{"empty", request("", ""), 400, "empty_body", "", "no body"},
		{"blank lines", request("", "\n \n", ctLines), 400, "empty_body", "", ""},
		{"broken JSON", request("", `{"topic":}`), 400, "bad_json", "", "at byte 10"},
		{"two values", request("", "{}\n{}"), 400, "bad_json", "", "at byte 4"},
		{"not UTF-8", request("", "{\"topic\":\"all\",\"data\":\"\xff\"}"), 400, "bad_json", "", "UTF-8 at byte 24"},
		{"not an object", request("", `3`, ctJSON), 400, "bad_json", "", "must be a JSON object"},
		{"not an array", request("", `{}`, ctClouds), 400, "bad_json", "", "array"},
		{"a form", request("", `a=b`, ctForm), 415, "unsupported_media_type", "", "form"},
		{"text", request("", `x`, "Content-Type: text/plain"), 415, "unsupported_media_type", "", "text/plain"},
		{"charset", request("", `{}`, "Content-Type: application/json; charset=latin1"), 415, "unsupported_media_type", "", "latin1"},
		{"broken type", request("", `{}`, "Content-Type: ;"), 415, "unsupported_media_type", "", ""},
		{"avro", request("", `{}`, "Content-Type: application/cloudevents+avro"), 415, "unsupported_media_type", "", "JSON format"},
		{"query topic", request("topic=nope", `{}`), 400, "bad_topic", "topic", "nope"},
		{"query topic twice", request("topic=all&topic=all", `{}`), 400, "bad_topic", "topic", ""},
		{"too many", request("topic=all", "["+strings.Repeat("{},", 1000)+"{}]"), 413, "too_many_events", "", "1000"},
		{"too many lines", request("topic=all", strings.Repeat("{}\n", 1001), ctLines), 413, "too_many_events", "", "1000"},

		{"no topic", request("", `{}`), 400, "missing_field", "topic", "missing"},
		{"both", request("", `{"topic":"all","user":"a"}`), 400, "bad_field", "user", "topic"},
		{"bad topic", request("", `{"topic":"room"}`), 400, "bad_topic", "topic", "needs a name"},
		{"wildcard", request("", `{"topic":"room.*"}`), 400, "bad_topic", "topic", ""},
		{"long user", request("", `{"user":"`+long+`"}`), 400, "bad_topic", "user", "too long"},
		{"unknown", request("", `{"topic":"all","payload":1}`), 400, "unknown_field", "payload", "not a field"},
		{"other case", request("", `{"topic":"all","Data":1}`), 400, "unknown_field", "Data", ""},
		{"twice", request("", `{"topic":"all","data":1,"data":2}`), 400, "duplicate_field", "data", "twice"},
		{"type of id", request("", `{"topic":"all","id":7}`), 400, "bad_field", "id", "string"},
		{"type of topic", request("", `{"topic":7}`), 400, "bad_field", "topic", "string"},
		{"reserved", request("", `{"topic":"all","type":"tidings.gap"}`), 400, "bad_field", "type", "tidings."},
		{"long id", request("", `{"topic":"all","id":"`+long+`"}`), 400, "bad_field", "id", "256"},
		{"control", request("", `{"topic":"all","type":"a\nb"}`), 400, "bad_field", "type", "control"},
		{"time", request("", `{"topic":"all","time":"yesterday"}`), 400, "bad_field", "time", "RFC 3339"},
		{"year 10000", request("", `{"topic":"all","time":"9999-12-31T23:59:59-01:00"}`), 400, "bad_field", "time", "years"},
		{"later", request("", `{"topic":"all","at":"2026-03-01T12:00:02Z"}`), 422, "at_unsupported", "at", "future"},
		{"large", request("", `{"topic":"all","data":"`+strings.Repeat("x", event.MaxData)+`"}`), 413, "too_large", "data", ""},
		{"members", request("", `{"topic":"all"`+manyMembers(80)+`}`), 413, "too_large", "", "members"},
		{"of several", request("", `[{"topic":"all"},{"topic":"all","x":1}]`), 400, "unknown_field", "[1].x", "event 1: x is not"},
		{"all of several", request("", `[{},{"topic":"all"},{"topic":"all","at":"2027-01-01T00:00:00Z","x":1}]`), 400, "invalid_events", "[0].topic", "event 2: at lies"},
		{"a line", request("", "{\"topic\":\"all\"}\n{\n[1]", ctLines), 400, "bad_json", "[1]", "event 2: must be"},

		{"no specversion", request("", cloud("specversion", ""), ctCloud), 400, "missing_field", "specversion", "1.0"},
		{"specversion", request("", cloud("specversion", `"specversion":"0.3"`), ctCloud), 400, "bad_field", "specversion", "1.0"},
		{"no id", request("", cloud("id", ""), ctCloud), 400, "missing_field", "id", ""},
		{"no source", request("", cloud("source", ""), ctCloud), 400, "missing_field", "source", ""},
		{"no type", request("", cloud("type", ""), ctCloud), 400, "missing_field", "type", ""},
		{"numeric id", request("", cloud("id", `"id":1`), ctCloud), 400, "bad_field", "id", "string"},
		{"no place", request("", cloud("subject", ""), ctCloud), 400, "missing_field", "tidingstopic", "?topic="},
		{"subject", request("", cloud("subject", `"subject":"x"`), ctCloud), 400, "bad_topic", "subject", ""},
		{"extension", request("topic=all", cloud("", `"tidingstopic":"x"`), ctCloud), 400, "bad_topic", "tidingstopic", ""},
		{"attribute", request("", cloud("", `"dataContentType":"x"`), ctCloud), 400, "unknown_field", "dataContentType", "lower-case"},
		{"both data", request("", cloud("", `"data":1,"data_base64":"AA=="`), ctCloud), 400, "bad_field", "data_base64", ""},
		{"base64", request("", cloud("", `"data_base64":"?"`), ctCloud), 400, "bad_field", "data_base64", "base64"},
		{"no string", request("", cloud("", `"datacontenttype":"text/plain","data":{}`), ctCloud), 400, "bad_field", "data", "string"},
		{"no JSON", request("", cloud("", `"datacontenttype":"application/json","data_base64":"eA=="`), ctCloud), 400, "bad_json", "data_base64", "promises"},
		{"media", request("", cloud("", `"datacontenttype":";"`), ctCloud), 400, "bad_field", "datacontenttype", ""},
		{"binary, one header", request("topic=all", `{}`, "ce-id: 1"), 400, "missing_field", "ce-specversion", "ce-type is missing"},
		{"binary, twice", request("topic=all", `{}`, "ce-specversion: 1.0", "ce-id: 1", "ce-id: 2", "ce-source: s", "ce-type: t"), 400, "duplicate_field", "ce-id", ""},
		{"binary, escape", request("topic=all", `{}`, "ce-specversion: 1.0", "ce-id: %zz", "ce-source: s", "ce-type: t"), 400, "bad_field", "ce-id", "percent"},
		{"binary, type", request("topic=all", `{}`, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: tidings.x"), 400, "bad_field", "ce-type", ""},
		{"binary, JSON", request("topic=all", `{`, ctJSON, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t"), 400, "bad_json", "data", ""},
		{"binary, not UTF-8", request("topic=all", "\"\xff\"", "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t"), 400, "bad_json", "data", "UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, err := envelope.Parse(tc.in)
			if err == nil {
				t.Fatalf("accepted: %v", b)
			}
			p := problem(t, err)
			if p.Status != tc.status || p.Code != tc.code || p.Param != tc.param || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("got %d %s %q %q\nwant %d %s %q …%s…", p.Status, p.Code, p.Param, p.Detail, tc.status, tc.code, tc.param, tc.detail)
			}
		})
	}
}

// manyMembers is the middle of an object that has too many.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	return b.String()
}

// problem is the answer to an error of a parser.
func problem(t *testing.T, err error) *httpx.Problem {
	t.Helper()
	if faults, ok := errors.AsType[*envelope.Faults](err); ok {
		return faults.Problem()
	}
	p, ok := errors.AsType[*httpx.Problem](err)
	if !ok {
		t.Fatalf("an error of no kind: %v", err)
	}
	return p
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	_, err := envelope.Parse(request("", "["+strings.Repeat(`{},`, 999)+"{}]"))
	faults, ok := errors.AsType[*envelope.Faults](err)
	if !ok {
		t.Fatal(err)
	}
	if len(faults.List) != envelope.MaxFaults || faults.More != 900 || faults.Events != 1000 {
		t.Errorf("%d faults, %d more, %d events", len(faults.List), faults.More, faults.Events)
	}
	if !strings.HasSuffix(err.Error(), "and 990 more") {
		t.Errorf("%q", err.Error()[len(err.Error())-40:])
	}
}
