package event_test

import (
	"strings"
	"testing"
	"time"

	"tidings/shared/event"
)

// at is the position of the tests' events.
func at() event.Cursor { return event.Cursor{Epoch: "e1", Seq: 42} }

func TestAppendSSE(t *testing.T) {
	t.Parallel()
	const open = `{"topic":"room.ops","type":"cpu","id":"i1",`
	with := func(change func(*event.Event)) event.Event {
		e := event.Event{Topic: "room.ops", Type: "cpu", ID: "i1", Data: []byte(`{"cpu":3}`)}
		change(&e)
		return e
	}
	data := func(contentType, body string) event.Event {
		return with(func(e *event.Event) { e.ContentType, e.Data = contentType, []byte(body) })
	}
	for name, c := range map[string]struct {
		event event.Event
		data  string // the data line
	}{
		"JSON": {with(func(*event.Event) {}), open + `"data":{"cpu":3}}`},
		"all attributes": {
			event.Event{
				Topic: "user.ann=40x", Type: "order.paid", ID: "o-1", Source: "shop/ö", Except: "hidden", ContentType: "application/json",
				Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("east", 3600)), Data: []byte("1"),
			},
			`{"topic":"user.ann=40x","type":"order.paid","id":"o-1","source":"shop/ö","time":"2026-03-01T11:00:00.005Z","data":1}`,
		},
		"no id":               {with(func(e *event.Event) { e.ID = "" }), `{"topic":"room.ops","type":"cpu","id":"e1-42","data":{"cpu":3}}`},
		"quotes":              {with(func(e *event.Event) { e.ID, e.Source = `a"b`, `c\d` }), `{"topic":"room.ops","type":"cpu","id":"a\"b","source":"c\\d","data":{"cpu":3}}`},
		"markup":              {with(func(e *event.Event) { e.ID, e.Data = "<&>", []byte(`"<&>"`) }), `{"topic":"room.ops","type":"cpu","id":"<&>","data":"<&>"}`},
		"line separator":      {data("", "\"\u2028\u2029\""), open + "\"data\":\"\u2028\u2029\"}"},
		"separator in text":   {data("", "a\u2028b"), open + `"data":"a\u2028b"}`},
		"pretty JSON":         {data("", "{\n  \"a\": [1,\n\t2],\n  \"b\": \"x y\"\n}\n"), open + `"data":{"a":[1,2],"b":"x y"}}`},
		"pretty JSON on DOS":  {data("", "{\r\n\"a\": 1\r\n}\r\n"), open + `"data":{"a":1}}`},
		"lone carriage":       {data("", "[1,\r2]"), open + `"data":[1,2]}`},
		"spaces are kept":     {data("", ` {"a": 1} `), open + `"data": {"a": 1} }`},
		"escaped newline":     {data("", `"a\nb"`), open + `"data":"a\nb"}`},
		"a number too large":  {data("", "123456789012345678901234567890.10"), open + `"data":123456789012345678901234567890.10}`},
		"null":                {data("", "null"), open + `"data":null}`},
		"nothing":             {data("", ""), open + `"data":""}`},
		"text":                {data("", "paid\n"), open + `"data":"paid\n"}`},
		"text on DOS":         {data("text/plain", "a\r\nb\x00"), open + `"data":"a\r\nb\u0000"}`},
		"text like JSON":      {data("text/plain", `{"a":1}`), open + `"data":"{\"a\":1}"}`},
		"broken JSON":         {data("application/json", `{"a":`), open + `"data":"{\"a\":"}`},
		"two values":          {data("", "1 2"), open + `"data":"1 2"}`},
		"JSON by suffix":      {data("application/vnd.x+json; charset=utf-8", "[1]"), open + `"data":[1]}`},
		"JSON in capitals":    {data("Application/JSON", "[1]"), open + `"data":[1]}`},
		"JSON lines":          {data("application/jsonl", "1"), open + `"data":"1"}`},
		"a broken media type": {data("application/json; =", "1"), open + `"data":"1"}`},
		"bytes":               {data("", "\x00\xff"), open + `"data_base64":"AP8="}`},
		"bytes as text":       {data("text/plain", "\xff"), open + `"data_base64":"/w=="}`},
		"bytes in JSON":       {data("application/json", "\"\xff\""), open + `"data_base64":"Iv8i"}`},
		"byte order mark":     {data("", "\ufeff1"), open + "\"data\":\"\ufeff1\"}"},
		"deep, and over it":   {data("", nested(501)), open + `"data":"` + nested(501) + `"}`},
		"as deep as allowed":  {data("", nested(500)), open + `"data":` + nested(500) + `}`},
		"wide, not deep":      {data("", "["+strings.Repeat("[],", 600)+"0]"), open + `"data":[` + strings.Repeat("[],", 600) + `0]}`},
		"brackets in strings": {data("", `["\"`+strings.Repeat("[", 600)+`"]`), open + `"data":["\"` + strings.Repeat("[", 600) + `"]}`},
		"hidden depth":        {data("", `["`+strings.Repeat("]", 600)+`",`+nested(500)+`]`), open + `"data":"[\"` + strings.Repeat("]", 600) + `\",` + nested(500) + `]"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := "id: e1-42\nevent: " + c.event.Type + "\ndata: " + c.data + "\n\n"
			if got := string(c.event.AppendSSE(nil, at())); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			// The other transports send the same object.
			if got := string(c.event.AppendJSON([]byte("x"), at())); got != "x"+c.data {
				t.Errorf("JSON\ngot  %q\nwant %q", got, "x"+c.data)
			}
			want = strings.TrimSuffix(c.data, "}") + `,"cursor":"e1-42"}`
			if got := string(c.event.AppendJSONCursor([]byte("x"), at())); got != "x"+want {
				t.Errorf("JSON with cursor\ngot  %q\nwant %q", got, "x"+want)
			}
		})
	}
}

// TestAppendEphemeral: an event without a position must not move a browser's
// cursor, nor reset it as an empty id line would.
func TestAppendEphemeral(t *testing.T) {
	t.Parallel()
	e := event.Event{Topic: "all", Type: "typing", Data: []byte("1")}
	const object = `{"topic":"all","type":"typing","data":1}`
	if got, want := string(e.AppendSSE(nil, event.Cursor{})), "event: typing\ndata: "+object+"\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(e.AppendJSONCursor(nil, event.Cursor{})); got != object {
		t.Errorf("got %q, want %q", got, object)
	}
}

// TestAppendSharesNothing: an append goes behind what is there, and writes
// neither over it nor over the event.
func TestAppendSharesNothing(t *testing.T) {
	t.Parallel()
	e := event.Event{Topic: "all", Type: "t", Source: "ü", Data: []byte("{\n\"a\":1}")}
	buf := append(make([]byte, 0, 4096), "before"...)
	first := e.AppendSSE(buf, at())
	second := e.AppendSSE(first, at())
	if string(second[:len(first)]) != string(first) || string(second[len(first):]) != string(first[len("before"):]) {
		t.Errorf("the second of two appends: %q", second)
	}
	if string(e.Data) != "{\n\"a\":1}" {
		t.Errorf("the data was changed to %q", e.Data)
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// TestAppendSSEAllocates keeps the usual event's encoding free of garbage.
func TestAppendSSEAllocates(t *testing.T) {
	e := usual()
	buf := make([]byte, 0, 4096)
	// None; but under the race detector the pool that json.Valid takes its state from
	// forgets at random.
	if n := testing.AllocsPerRun(1000, func() { e.AppendSSE(buf, at()) }); n > 2 {
		t.Errorf("%v allocations, want none", n)
	}
}

// usual is an event as producers send them.
func usual() event.Event {
	return event.Event{
		Topic: "room.orders.eu", Type: "order.paid", ID: "4b1f7c52", Source: "shop", ContentType: "application/json",
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC),
		Data: []byte(`{"order":4711,"total":129.95,"currency":"EUR","items":[{"sku":"a-1","n":2},{"sku":"b-7","n":1}],"note":"ring twice"}`),
	}
}

func BenchmarkAppendSSE(b *testing.B) {
	pretty := usual()
	pretty.Data = []byte(strings.ReplaceAll(string(pretty.Data), ",", ",\n  "))
	text := usual()
	text.ContentType, text.Data = "text/plain", []byte("größer als zuvor")
	raw := usual()
	raw.Data = []byte(strings.Repeat("\xff\x00", 60))
	large := usual()
	large.Data = []byte("[" + strings.Repeat(`{"a":[1,2,3],"b":"text"},`, 2000) + "0]")
	for _, c := range []struct {
		name  string
		event event.Event
	}{{"json", usual()}, {"pretty", pretty}, {"text", text}, {"bytes", raw}, {"large", large}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.event.Data)))
			var buf []byte
			for b.Loop() {
				buf = c.event.AppendSSE(buf[:0], at())
			}
		})
	}
}

// BenchmarkAppendJSONCursor encodes the usual event as WebSocket messages and polls
// have it.
func BenchmarkAppendJSONCursor(b *testing.B) {
	e := usual()
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Data)))
	var buf []byte
	for b.Loop() {
		buf = e.AppendJSONCursor(buf[:0], at())
	}
}

func BenchmarkFromMessage(b *testing.B) {
	e := usual()
	full := e.Header()
	full["Nats-Msg-Id"] = []string{"4b1f7c52"}
	other := map[string][]string{}
	for name, values := range full {
		other[strings.ToUpper(name)] = values
	}
	for _, c := range []struct {
		name   string
		header map[string][]string
	}{{"bare", nil}, {"full", full}, {"other case", other}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				event.FromMessage("room.orders.eu", c.header, e.Data, e.Time)
			}
		})
	}
}
