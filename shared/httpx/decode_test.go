package httpx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tidings/shared/httpx"
)

// thing has a field of every kind that our requests use.
type thing struct {
	Name  string          `json:"name"`
	Count int8            `json:"count"`
	Tags  []string        `json:"tags"`
	At    *time.Time      `json:"at"`
	Inner struct{ A int } `json:"inner"`
	Data  json.RawMessage `json:"data"`
	Own   picky           `json:"own"`
}

// picky refuses everything but null, with a Problem or in words for us only.
type picky string

func (p *picky) UnmarshalJSON(data []byte) error {
	if string(data) == `"problem"` {
		return httpx.Bad("own", "bad_own", "Own is bad.")
	}
	return errors.New("secret words")
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `{"data":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	tests := []struct {
		name, in    string
		code, param string // no code: it must work
		detail      string
		status      int
	}{
		{name: "good", in: ` {"name":"é","count":1,"tags":["a"],"at":"2026-01-31T13:45:00Z","inner":{"A":1},"data":{"x":[1]}} ` + "\n"},
		{name: "empty object", in: `{}`},
		{name: "deep enough", in: deep(httpx.MaxJSONDepth - 1)},
		{name: "brackets in a string", in: `{"name":"` + strings.Repeat(`[\"`, 500) + `"}`},
		{name: "empty", in: "", code: "empty_body"},
		{name: "blank", in: " \n", code: "empty_body"},
		{name: "unknown", in: `{"naem":"x"}`, code: "unknown_field", param: "naem"},
		{name: "unknown and long", in: `{"` + strings.Repeat("é", 500) + `":1}`, code: "unknown_field", param: strings.Repeat("é", 32) + "…"},
		{name: "unknown inside", in: `{"inner":{"B":1}}`, code: "unknown_field", param: "B"},
		{name: "another case", in: `{"Name":"x"}`, code: "unknown_field", param: "Name", detail: `no field "Name"`},
		{name: "another case inside", in: `{"inner":{"a":1}}`, code: "unknown_field", param: "a"},
		{name: "twice", in: `{"name":"x","name":"y"}`, code: "duplicate_field", param: "name", detail: `The field "name" is given twice, again at byte 12.`},
		{name: "twice inside", in: `{"data":{"x":[{"é":1,"\u00e9":2}]}}`, code: "duplicate_field", param: "é", detail: "again at byte 22"},
		{name: "twice and in another case", in: `{"name":"x","NAME":"y"}`, code: "unknown_field", param: "NAME"},
		{name: "twice and long", in: `{"data":{"` + strings.Repeat("é", 500) + `":1,"` + strings.Repeat("é", 500) + `":1}}`, code: "duplicate_field", param: strings.Repeat("é", 32) + "…"},
		{name: "wrong type", in: `{"name":7}`, code: "bad_field", param: "name", detail: `The field "name" must be a string, not number.`},
		{name: "wrong type inside", in: `{"inner":{"A":"x"}}`, code: "bad_field", param: "inner.A", detail: `must be a number, not string`},
		{name: "wrong array", in: `{"tags":{}}`, code: "bad_field", param: "tags", detail: "must be an array, not object"},
		{name: "overflow", in: `{"count":300}`, code: "bad_field", param: "count", detail: "out of range"},
		{name: "fraction", in: `{"count":1.5}`, code: "bad_field", param: "count", detail: "not whole"},
		{name: "not an object", in: `[]`, code: "bad_field", detail: "must be an object, not array"},
		{name: "time", in: `{"at":"yesterday"}`, code: "bad_field", detail: "2026-01-31T13:45:00Z"},
		{name: "own problem", in: `{"own":"problem"}`, code: "bad_own", param: "own"},
		{name: "own words", in: `{"own":"x"}`, code: "bad_field", detail: "the form it must have"},
		{name: "broken", in: `{"name":x}`, code: "bad_json", detail: "at byte 8"},
		{name: "cut", in: `{"name":"x`, code: "bad_json", detail: "ends too early at byte 10"},
		{name: "two values", in: `{} {}`, code: "bad_json", detail: "goes on after its end at byte 3"},
		{name: "trailing comma", in: `{},`, code: "bad_json", detail: "at byte 2"},
		{name: "too deep", in: deep(httpx.MaxJSONDepth), code: "bad_json", detail: "nests deeper than 64 levels at byte 71"},
		{name: "not UTF-8", in: "{\"name\":\"a\xff\"}", code: "bad_json", detail: "is not UTF-8 at byte 10"},
		{name: "byte order mark", in: "\ufeff{}", code: "bad_json"},
		{name: "too large", in: strings.Repeat(" ", httpx.MaxJSON) + "{}", code: "body_too_large", status: 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v thing
			err := httpx.DecodeJSON(iotest.HalfReader(strings.NewReader(tt.in)), &v)
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			p, ok := errors.AsType[*httpx.Problem](err)
			if !ok {
				t.Fatalf("got %v, want a problem", err)
			}
			if tt.status == 0 {
				tt.status = 400
			}
			if p.Status != tt.status || p.Code != tt.code || p.Param != tt.param || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("got %d %s %q: %s", p.Status, p.Code, p.Param, p.Detail)
			}
			if strings.Contains(p.Detail, "secret") || strings.Contains(p.Detail, "httpx") || len(p.Detail) > 200 {
				t.Errorf("the detail tells too much: %s", p.Detail)
			}
		})
	}
}

func TestDecodeJSONReadErrors(t *testing.T) {
	t.Parallel()
	for err, code := range map[error]string{
		&http.MaxBytesError{Limit: 5}: "body_too_large",
		os.ErrDeadlineExceeded:        "body_timeout",
		io.ErrUnexpectedEOF:           "body_unreadable",
	} {
		got := httpx.DecodeJSON(iotest.ErrReader(err), &thing{})
		if p, ok := errors.AsType[*httpx.Problem](got); !ok || p.Code != code || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	// A target that is no pointer is a bug of ours, not a fault of the caller.
	if _, ok := errors.AsType[*httpx.Problem](httpx.DecodeJSON(strings.NewReader("{}"), thing{})); ok {
		t.Error("a bug must not be blamed on the caller")
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"name":"x","data":[[]]}`, `{"naem":1}`, `{"a":"\"[{"}`, "{\"name\":\"\xff\"}", `[[[[`, `{"at":1}`, `{"Name":"x"}`, `{"data":{"\u0061":1,"a":2}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v thing
		err := httpx.DecodeJSON(strings.NewReader(string(data)), &v)
		if err == nil {
			if !json.Valid(data) {
				t.Fatalf("took what is no JSON: %q", data)
			}
			return
		}
		p, ok := errors.AsType[*httpx.Problem](err)
		if !ok || p.Status < 400 || p.Status > 499 || p.Code == "" || len(p.Detail) > 300 {
			t.Fatalf("%q gave %v", data, err)
		}
	})
}

// BenchmarkDecodeJSON reads something small, and much of the caller's own.
func BenchmarkDecodeJSON(b *testing.B) {
	for name, in := range map[string]string{
		"small": `{"name":"é","count":1,"tags":["a"],"at":"2026-01-31T13:45:00Z","inner":{"A":1},"data":{"x":[1]}}`,
		"large": `{"data":[` + strings.Repeat(`{"title":"One line of text","number":12345.5,"list":[true,null]},`, 10_000) + `{}]}`,
		"wide":  `{"data":{` + wide(50_000) + `}}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if err := httpx.DecodeJSON(strings.NewReader(in), &thing{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// wide is so many members of an object.
func wide(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `"key %d":0,`, i)
	}
	return s.String() + `"end":0`
}
