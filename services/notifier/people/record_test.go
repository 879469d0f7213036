package people_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/httpx"
)

func TestParseRecord(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`"room.a",`, people.MaxTopics)
	for _, c := range []struct {
		data, user string
		want       string // the record, or a code and a param
	}{
		{`{"user":"ann","email":"a@b.c","topics":["room.ops","room.a.b"]}`, "", `{"user":"ann","email":"a@b.c","topics":["room.ops","room.a.b"]}`},
		{`{"name":"Ann"}`, "ann", `{"user":"ann","name":"Ann"}`},
		{`{"user":"ann"}`, "ann", `{"user":"ann"}`},
		{`{}`, "ann", `{"user":"ann"}`},
		{`{"topics":null}`, "ann", `{"user":"ann"}`},
		{`{}`, "", "missing_field user"},
		{`{"user":"bob"}`, "ann", "bad_value user"},
		{``, "ann", "empty_body "},
		{`null`, "ann", "bad_field "},
		{`[]`, "ann", "bad_field "},
		{`{"user":"ann"`, "", "bad_json "},
		{`{"user":"ann"}{}`, "", "bad_json "},
		{`{"user":7}`, "", "bad_field user"},
		{`{"mail":"x"}`, "ann", "unknown_field mail"},
		{`{"Topics":["room.a"]}`, "ann", "unknown_field Topics"},
		{`{"topics":"room.a"}`, "ann", "bad_field topics"},
		{`{"topics":[1]}`, "ann", "bad_field topics"},
		{`{"topics":["room.a","room.>"]}`, "ann", "bad_value topics[1]"},
		{`{"topics":["user.ann"]}`, "ann", "bad_value topics[0]"},
		{`{"topics":["all"]}`, "ann", "bad_value topics[0]"},
		{`{"topics":["room.a","room.b","room.a"]}`, "ann", "duplicate topics[2]"},
		{`{"topics":[` + many + `"room.b"]}`, "ann", "too_many topics"},
		{`{"topics":["x"],"email":"x"}`, "ann", "many_faults "},
		{`{"name":"` + strings.Repeat("x", people.MaxRecord) + `"}`, "ann", "too_long "},
		{`{"name":"` + strings.Repeat("x", route.MaxPerson) + `"}`, "ann", "too_long "},
	} {
		r, err := people.ParseRecord([]byte(c.data), c.user)
		got := ""
		if err != nil {
			p := httpx.ProblemOf(err, nil)
			got = p.Code + " " + p.Param
		} else if data, err := json.Marshal(r); err != nil {
			t.Error(err)
		} else {
			got = string(data)
		}
		if got != c.want {
			t.Errorf("%.80s: %s, want %s", c.data, got, c.want)
		}
	}
}

func TestParseRecords(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`[{"user":"ann"},{"user":"bob","topics":["room.a"]}]`,
		"{\"user\":\"ann\"}\n\n {\"user\":\"bob\",\"topics\":[\"room.a\"]} \r\n",
	} {
		list, err := people.ParseRecords([]byte(data))
		if err != nil || len(list) != 2 || list[0].User != "ann" || list[1].User != "bob" || len(list[1].Topics) != 1 {
			t.Errorf("%s: %v, %v", data, list, err)
		}
	}
	if list, err := people.ParseRecords([]byte("{\n\"user\":\n\"ann\"}")); err != nil || len(list) != 1 {
		t.Errorf("one on several lines: %v, %v", list, err)
	}
	if list, err := people.ParseRecords([]byte("[]")); err != nil || len(list) != 0 {
		t.Errorf("nobody: %v, %v", list, err)
	}
	for data, want := range map[string]string{
		"":                                "empty_body ",
		" \n":                             "empty_body ",
		`[{"user":"ann"},{"user":"ann"}]`: "duplicate [1].user",
		`[{"user":"ann"},7]`:              "bad_field [1]",
		`[{"user":"ann"},{"user":"b","phone":1}]`:            "bad_field [1].phone",
		`[{"user":"ann"},{"user":"b","fax":1}]`:              "unknown_field [1].fax",
		`[{"user":"ann"},{"user":"b","topics":["x"]}]`:       "bad_value [1].topics[0]",
		`[{"user":"ann"},{"user":"b","email":"x"}`:           "bad_json [2]",
		`[{"user":"ann"},{"user":"b"]`:                       "bad_json [1]",
		`[{"user":"ann"}]x`:                                  "bad_json [1]",
		"{\"user\":\"ann\"}\n{\"user\"":                      "bad_json [1]",
		"{\"user\":\"ann\"}\n{}":                             "missing_field [1].user",
		`[{"email":"x"},{"email":"y"}]`:                      "many_faults ",
		`[` + strings.Repeat("{},", people.MaxBatch) + `{}]`: "too_many ",
		strings.Repeat("{}\n", people.MaxBatch+1):            "too_many ",
		strings.Repeat(" ", people.MaxBatchBytes+1):          "body_too_large ",
	} {
		list, err := people.ParseRecords([]byte(data))
		p := httpx.ProblemOf(err, nil)
		if got := p.Code + " " + p.Param; err == nil || list != nil || got != want {
			t.Errorf("%.60s: %s, want %s", data, got, want)
		}
	}
	var b strings.Builder
	for i := range people.MaxBatch {
		fmt.Fprintf(&b, `{"user":"u%d","email":"nonsense"}`+"\n", i)
	}
	_, err := people.ParseRecords([]byte(b.String()))
	if e, ok := errors.AsType[*route.FaultsError](err); !ok || len(e.Faults) != 20 || e.Omitted != people.MaxBatch-20 || e.Faults[3].Param != "[3].email" {
		t.Errorf("a thousand faults: %v", err)
	}
}

// told fails unless an error of a parser is one of those that it says.
func told(t *testing.T, err error) {
	t.Helper()
	_, faults := errors.AsType[*route.FaultsError](err)
	_, problem := errors.AsType[*httpx.Problem](err)
	if !faults && !problem || httpx.ProblemOf(err, nil).Status >= 500 {
		t.Fatalf("an error of another kind: %v", err)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"user":"ann","email":"a@b.c","topics":["room.ops"]}`), "")
	f.Add([]byte(`{"topics":["room.=2E"],"tz":"Europe/Vienna"}`), "ann@example.com")
	f.Add([]byte(`{"user":null,"topics":[null]}`), "x")
	f.Fuzz(func(t *testing.T, data []byte, user string) {
		r, err := people.ParseRecord(data, user)
		if err != nil {
			told(t, err)
			return
		}
		if err := r.Check(); err != nil || user != "" && r.User != user {
			t.Fatalf("parsed %q of %q: %v", r.User, user, err)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := people.ParseRecord(again, user); err != nil || s.Person != r.Person || len(s.Topics) != len(r.Topics) {
			t.Fatalf("%s read again: %v, %v", again, s, err)
		}
	})
}

func FuzzParseRecords(f *testing.F) {
	f.Add([]byte(`[{"user":"ann"},{"user":"bob","topics":["room.a"]}]`))
	f.Add([]byte("{\"user\":\"ann\"}\n{\"user\":\"bob\"}"))
	f.Add([]byte(`[[],{},null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := people.ParseRecords(data)
		if err != nil {
			told(t, err)
			return
		}
		seen := map[string]bool{}
		for _, r := range list {
			if err := r.Check(); err != nil || seen[r.User] {
				t.Fatalf("parsed %q: %v", r.User, err)
			}
			seen[r.User] = true
		}
		if len(list) > people.MaxBatch {
			t.Fatalf("%d records", len(list))
		}
	})
}
