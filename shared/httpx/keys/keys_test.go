package keys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tidings/shared/httpx/keys"
)

// Base is embedded, in itself too.
type Base struct {
	Name string `json:"name"`
	Same string `json:"same"`
	*Base
}

// doc has a field of every kind.
type doc struct {
	Base
	Same   int             `json:"same"`
	To     []inner         `json:"to"`
	Fixed  [2]inner        `json:"fixed"`
	ByName map[string]*doc `json:"by_name"`
	At     *time.Time      `json:"at,omitempty"`
	Raw    json.RawMessage `json:"raw"`
	Any    any             `json:"any"`
	Plain  string          `json:",omitempty"`
	Hidden string          `json:"-"`
	Inner  **inner         `json:"inner"`
}

type inner struct {
	ID string `json:"id"`
}

func TestCheck(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, `"k%d":%d,`, i, i)
		}
		return s.String()
	}
	for _, c := range []struct{ in, want string }{
		{`{}`, ""},
		{`null`, ""},
		{` {"name" : "x" , "same":1,"to":[{"id":"\\\""},{"id":"}"}],"fixed":[{"id":""},null],"at":null,"Plain":"","inner":{"id":"x"}} `, ""},
		{`{"by_name":{"Name":{"name":"x"},"name":{"by_name":{"a":null}}},"any":{"ID":[1.5e-3,{"Name":{}}]},"raw":{"NAME":1,"name":2}}`, ""},
		{`{"at":"2030-01-01T00:00:00Z","any":[[],[[]],{},"",true,-1]}`, ""},
		{`{"any":{` + many(15) + `"K0":1}}`, ""},
		{`{"any":{` + many(500) + `"K0":1}}`, ""},
		{`{"NAME":"x"}`, "NAME at 1, meant name"},
		{`{"name":"x","ſame":1}`, "ſame at 12, meant same"},
		{`{"to":[{"id":"x"},{"Id":"y"}]}`, "Id at 19, meant id"},
		{`{"fixed":[{"iD":"x"}]}`, "iD at 11, meant id"},
		{`{"by_name":{"x":{"inner":{"I\u0044":"y"}}}}`, "ID at 26, meant id"},
		{`{"plain":""}`, "plain at 1, meant Plain"},
		{`{"name":"x", "name":"y"}`, "name at 13"},
		{`{"name":"x","n\u0061me":"y"}`, "name at 12"},
		{`{"by_name":{"x":{},"x":{}}}`, "x at 19"},
		{`{"raw":[{"x":1,"x":1}]}`, "x at 15"},
		{`{"raw":{"":1,"":1}}`, " at 13"},
		{`{"any":{"a\\":1,"a\\":1}}`, `a\ at 16`},
		{`{"any":{` + many(16) + `"k3":1}}`, "k3 at 132"},
		{`{"any":{` + many(500) + `"k499":1}}`, "k499 at 5288"},
	} {
		var v doc
		d := json.NewDecoder(strings.NewReader(c.in))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%.60s: %v", c.in, err)
		}
		got := ""
		if f := keys.Check([]byte(c.in), reflect.TypeOf(&v)); f != nil {
			if got = fmt.Sprintf("%s at %d", f.Name, f.At); f.Meant != "" {
				got += ", meant " + f.Meant
			}
			if c.in[f.At] != '"' {
				t.Errorf("%.60s: there is no key at %d", c.in, f.At)
			}
		}
		if got != c.want {
			t.Errorf("%.60s: %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzCheck compares it with a reader that is slow and plain.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"name":"x","Name":"y"}`, `{"to":[{"id":"a","id":"b"}]}`, `{"raw":{"\u0061":[{}],"a":1}}`, `[]`, `"\\"`, `{"any":{"a\"":{"":{}}}}`, `1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v doc
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if d.Decode(&v) != nil {
			return
		}
		fault := keys.Check(data, reflect.TypeOf(&v))
		if twice := hasTwice(t, json.NewDecoder(bytes.NewReader(data))); twice && fault == nil {
			t.Fatalf("%s: a key that is there twice is passed over", data)
		} else if !twice && fault != nil && fault.Meant == "" {
			t.Fatalf("%s: %+v", data, fault)
		}
		if fault != nil && fault.Meant != "" && (fault.Meant == fault.Name || !strings.EqualFold(fault.Meant, fault.Name)) {
			t.Fatalf("%s: %+v", data, fault)
		}
	})
}

// hasTwice reads one value and says whether an object in it has a key twice.
func hasTwice(t *testing.T, d *json.Decoder) (twice bool) {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{}
	for open, ok := token.(json.Delim); ok && d.More(); {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			twice = twice || met[name.(string)]
			met[name.(string)] = true
		}
		twice = hasTwice(t, d) || twice
	}
	if _, ok := token.(json.Delim); ok {
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	return twice
}
