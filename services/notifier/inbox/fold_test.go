package inbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier/inbox"
	"tidings/shared/testkit"
)

// TestFold looks at one inbox through every filter.
func TestFold(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	items := []inbox.Item{
		{N: 1, ID: "read"},
		{N: 2, ID: "left", Category: "orders"},
		{N: 3, ID: "old", Collapse: "c"},
		{N: 4, ID: "archived"},
		{N: 5, ID: "asleep"},
		{N: 6, ID: "awake"},
		{N: 7, ID: "expired", Expires: now},
		{N: 8, ID: "new", Collapse: "c", Category: "orders"},
		{N: 9, ID: "above"},
		{N: 10, ID: "last", Expires: now.Add(1)},
		{N: 11, ID: "gone", Collapse: "d", Expires: now},
	}
	older := inbox.Item{N: 0, ID: "replaced by what is gone", Collapse: "d"}
	state := inbox.State{
		Rev: 7, SeenTo: 8, ReadTo: 5, Read: []int64{9}, Unread: []int64{2, 4, 5}, Archived: []int64{4},
		Snoozed: []inbox.Snooze{{N: 5, Until: now.Add(1)}, {N: 6, Until: now}},
	}
	v := inbox.Fold(append(items, older, items[3]), state, now) // in any order, some twice
	if v.Unread != 4 || v.Unseen != 1 {
		t.Errorf("%d unread, %d unseen", v.Unread, v.Unseen)
	}
	for _, c := range []struct {
		query inbox.Query
		want  string
		next  int64
	}{
		{inbox.Query{}, "last above new awake left read", 0},
		{inbox.Query{Filter: inbox.FilterUnread}, "last new awake left", 0},
		{inbox.Query{Filter: inbox.FilterArchived}, "archived", 0},
		{inbox.Query{Filter: inbox.FilterSnoozed}, "asleep", 0},
		{inbox.Query{Filter: inbox.FilterAll, Limit: 1000}, "last above new awake asleep archived left read", 0},
		{inbox.Query{Category: "orders"}, "new left", 0},
		{inbox.Query{Limit: 2}, "last above", 9},
		{inbox.Query{Limit: 2, Before: 9}, "new awake", 6},
		{inbox.Query{Limit: 2, Before: 6}, "left read", 0},
		{inbox.Query{Before: 1}, "", 0},
	} {
		p := v.Page(c.query)
		var ids []string
		for _, e := range p.Entries {
			ids = append(ids, e.ID)
		}
		if got := strings.Join(ids, " "); got != c.want || p.Next != c.next || p.Entries == nil {
			t.Errorf("%+v: %q, next %d; want %q, %d", c.query, got, p.Next, c.want, c.next)
		}
		if !c.query.Filter.Known() || inbox.Filter("spam").Known() {
			t.Error("the filters do not know each other")
		}
	}
}

// TestPageBytes pages through items that are too large to be told at once.
func TestPageBytes(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		item  inbox.Item
		pages int
	}{
		"small":       {inbox.Item{Title: "x"}, 1},
		"large":       {inbox.Item{Title: "x", Body: strings.Repeat("b", 28<<10), Data: json.RawMessage(`"` + strings.Repeat("d", 64<<10) + `"`)}, 8},
		"of HTML":     {inbox.Item{Body: strings.Repeat("<&>", 30<<10)}, 8},
		"of escapes":  {inbox.Item{Body: strings.Repeat("\x01", 30<<10)}, 15},
		"of wide \\n": {inbox.Item{Body: strings.Repeat("\u2028", 30<<10)}, 15},
		"over a page": {inbox.Item{Body: strings.Repeat("x", 500<<10)}, 30},
	} {
		var items []inbox.Item
		for n := range 30 {
			c.item.N, c.item.ID = int64(n+1), fmt.Sprint("n", n)
			items = append(items, c.item)
		}
		v := inbox.Fold(items, inbox.State{Read: []int64{30}}, now)
		var got []string
		pages := 0
		for q := (inbox.Query{Filter: inbox.FilterAll, Limit: 1000}); pages == 0 || q.Before > 0; pages++ {
			p := v.Page(q)
			for _, e := range p.Entries {
				got = append(got, e.ID)
			}
			if data := answer(t, p.Entries); len(p.Entries) == 0 || len(p.Entries) > 1 && len(data) > inbox.MaxPageBytes+2 {
				t.Fatalf("%s: a page of %d entries in %d bytes", name, len(p.Entries), len(data))
			}
			q.Before = p.Next
		}
		slices.Reverse(items)
		want := make([]string, len(items))
		for k, i := range items {
			want[k] = i.ID
		}
		if !slices.Equal(got, want) || pages != c.pages || v.Unread != 29 {
			t.Errorf("%s: %d pages of %d, want %d; %d unread", name, pages, len(got), c.pages, v.Unread)
		}
	}
	// One that is left out by a filter takes no room.
	v := inbox.Fold([]inbox.Item{
		{N: 1, ID: "a", Body: strings.Repeat("x", 300<<10)}, {N: 2, ID: "b", Body: strings.Repeat("x", 300<<10)}, {N: 3, ID: "c"},
	}, inbox.State{Archived: []int64{2}}, now)
	if p := v.Page(inbox.Query{}); len(p.Entries) != 2 || p.Next != 0 {
		t.Errorf("%d entries, next %d", len(p.Entries), p.Next)
	}
}

// answer writes it as the answer to a question is written.
func answer(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestJSON pins what clients see.
func TestJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	item := inbox.Item{
		N: 1, ID: "a", At: at, Category: "c", Severity: "s", Title: "t", Body: "b", Collapse: "k", Expires: at.AddDate(1, 0, 0),
		Actions: []inbox.Action{{ID: "x", Label: "X", URL: "https://example.com"}}, Data: json.RawMessage(`{"d":1}`),
	}
	v := inbox.Fold([]inbox.Item{item}, inbox.State{Unread: []int64{}, Snoozed: []inbox.Snooze{{N: 1, Until: at.Add(time.Hour)}}}, at)
	for _, c := range []struct {
		value any
		want  string
	}{
		{v.Entries[0], `{"n":1,"id":"a","at":"2030-01-01T00:00:00Z","category":"c","severity":"s","title":"t","body":"b",` +
			`"actions":[{"id":"x","label":"X","url":"https://example.com"}],"data":{"d":1},"collapse":"k","expires":"2031-01-01T00:00:00Z",` +
			`"read":false,"seen":false,"archived":false,"snoozed_until":"2030-01-01T01:00:00Z"}`},
		{v.State, `{"rev":0,"seen_to":0,"read_to":0,"read":[],"unread":[],"archived":[],"snoozed":[{"n":1,"until":"2030-01-01T01:00:00Z"}]}`},
	} {
		if got, err := json.Marshal(c.value); err != nil || string(got) != c.want {
			t.Errorf("%s, %v\nwant %s", got, err, c.want)
		}
	}
}

func TestParseOp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		data  string
		want  inbox.Op
		field string // of the error, "-" for none
	}{
		{`{"read":"all","seen":"all"}`, inbox.Op{ReadAll: true, SeenAll: true}, "-"},
		{`{"read":["a","b"],"seen":7}`, inbox.Op{Read: []string{"a", "b"}, Seen: 7}, "-"},
		{`{"unread":["a"],"archived":["b"],"unarchived":["c"]}`, inbox.Op{Unread: []string{"a"}, Archived: []string{"b"}, Unarchived: []string{"c"}}, "-"},
		{`{"snoozed":[{"id":"a","until":"2030-01-01T00:00:00Z"}]}`, inbox.Op{Snoozed: []inbox.Sleep{{ID: "a", Until: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}}}, "-"},
		{`{}`, inbox.Op{}, "-"},
		{`{"read":"some"}`, inbox.Op{}, "read"},
		{`{"read":[""]}`, inbox.Op{}, "read"},
		{`{"seen":-1}`, inbox.Op{}, "seen"},
		{`{"seen":1.5}`, inbox.Op{}, "seen"},
		{`{"seen":1e17}`, inbox.Op{}, "seen"},
		{`{"unread":"all"}`, inbox.Op{}, "unread"},
		{`{"archived":["` + strings.Repeat("x", 129) + `"]}`, inbox.Op{}, "archived"},
		{`{"unarchived":[` + strings.Repeat(`"a",`, 250) + `"a"]}`, inbox.Op{}, "unarchived"},
		{`{"snoozed":[{"id":"a"}]}`, inbox.Op{Snoozed: []inbox.Sleep{{ID: "a"}}}, "-"},
		{`{"snoozed":[{"id":""}]}`, inbox.Op{}, "snoozed"},
		{`{"red":"all"}`, inbox.Op{}, "red"},
		{`{"Read":"all"}`, inbox.Op{}, "Read"},
		{`{"read":[],"read":"all"}`, inbox.Op{}, "read"},
		{`{"snoozed":[{"ID":"a"}]}`, inbox.Op{}, "ID"},
		{`[]`, inbox.Op{}, ""},
		{`{} {}`, inbox.Op{}, ""},
		{``, inbox.Op{}, ""},
		{strings.Repeat(" ", inbox.MaxOp) + `{}`, inbox.Op{}, ""},
	} {
		op, err := inbox.ParseOp([]byte(c.data))
		if c.field == "-" {
			if err != nil || !reflect.DeepEqual(op, c.want) {
				t.Errorf("%s: %+v, %v", c.data, op, err)
			}
			continue
		}
		e := (*inbox.OpError)(nil)
		if !errors.As(err, &e) || e.Field != c.field || !errors.Is(err, inbox.ErrOp) || e.Error() == "" {
			t.Errorf("%.60s: %v, want a fault of %q", c.data, err, c.field)
		}
	}
}

// fact is what a plain model knows of one item.
type fact struct {
	read, archived bool
	until          time.Time
}

// TestModel does random things one after the other and compares the state, watermarks
// and all, with a plain list of facts.
func TestModel(t *testing.T) {
	t.Parallel()
	const keeps = 20
	s := open(t, testkit.NATS(t), limits(keeps))
	r := rand.New(rand.NewPCG(1, 2))
	facts := map[string]*fact{}
	var ids []string
	most := 0
	for step := range 400 {
		if r.IntN(3) == 0 || len(ids) == 0 {
			i := note(step)
			put(t, s, ann, i)
			facts[i.ID], ids = &fact{}, append(ids, i.ID)
			ids = ids[max(0, len(ids)-keeps):]
		}
		op := modelOp(r, ids)
		model(op, ids, facts)
		v := change(t, s, ann, op)
		entries := v.Page(inbox.Query{Filter: inbox.FilterAll, Limit: keeps}).Entries
		if len(entries) != len(ids) {
			t.Fatalf("step %d: %d entries, want %d", step, len(entries), len(ids))
		}
		for _, e := range entries {
			if f := facts[e.ID]; e.Read != f.read || e.Archived != f.archived || !e.SnoozedUntil.Equal(f.until) {
				t.Fatalf("step %d, %+v: %s is %+v, want %+v\n%+v", step, op, e.ID, e, f, v.State)
			}
		}
		if n := len(v.State.Read) + len(v.State.Unread); n > keeps/2 {
			t.Fatalf("step %d: %d exceptions", step, n)
		}
		data, err := json.Marshal(v.State)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(data))
	}
	if most > 41*keeps { // 8 KiB for 200
		t.Errorf("a state of %d bytes", most)
	}
}

// modelOp is an operation on some of the ids.
func modelOp(r *rand.Rand, ids []string) inbox.Op {
	some := func() (list []string) {
		for range r.IntN(3) {
			list = append(list, ids[r.IntN(len(ids))])
		}
		return list
	}
	op := inbox.Op{Read: some(), Unread: some(), Archived: some(), Unarchived: some(), ReadAll: r.IntN(10) == 0, SeenAll: r.IntN(10) == 0}
	for _, id := range some() {
		if r.IntN(4) == 0 {
			op.Snoozed = append(op.Snoozed, inbox.Sleep{ID: id, Until: time.Now().Add(time.Hour).Truncate(time.Second)})
		}
	}
	return op
}

// model does the same to the facts.
func model(op inbox.Op, ids []string, facts map[string]*fact) {
	for _, id := range ids {
		if f := facts[id]; op.ReadAll && f.until.IsZero() {
			f.read = true
		}
	}
	for k, list := range [][]string{op.Read, op.Unread, op.Archived, op.Unarchived} {
		for _, id := range list {
			f := facts[id]
			f.until = time.Time{}
			switch k {
			case 0, 1:
				f.read = k == 0
			default:
				f.archived = k == 2
			}
		}
	}
	for _, z := range op.Snoozed {
		*facts[z.ID] = fact{until: z.Until}
	}
}

// FuzzState reads states and folds with those that are some.
func FuzzState(f *testing.F) {
	for _, seed := range []string{
		`{"rev":1,"seen_to":2,"read_to":3,"read":[4],"unread":[1,2],"archived":[3],"snoozed":[{"n":4,"until":"2030-01-01T00:00:00Z"}]}`,
		`{}`, `null`, `[]`, `{"read":[2,1]}`, `{"read":[9007199254740992]}`, `{"snoozed":[{"n":1},{"n":1}]}`, `{"rev":1e3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := inbox.ParseState(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if s2, err := inbox.ParseState(again); err != nil || fmt.Sprint(s2) != fmt.Sprint(s) {
			t.Fatalf("%s becomes %s, %v", data, again, err)
		}
		var items []inbox.Item
		for n := range int64(8) {
			items = append(items, inbox.Item{N: n, ID: fmt.Sprint(n)})
		}
		v := inbox.Fold(items, s, time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC))
		if len(v.Entries) != 8 || v.Unread < v.Unseen || v.Unread != len(v.Page(inbox.Query{Filter: inbox.FilterUnread}).Entries) {
			t.Fatalf("%s: %+v", data, v)
		}
	})
}

// FuzzFold folds items out of any order, with and without repetitions: it comes to the
// same.
func FuzzFold(f *testing.F) {
	f.Add([]byte(`{"n":1,"id":"a","collapse":"c"}`), []byte(`{"n":2,"id":"b","collapse":"c","expires":"2020-01-01T00:00:00Z"}`), int64(1))
	f.Add([]byte(`{"n":1,"id":"a"}`), []byte(`{"n":1,"id":"a"}`), int64(0))
	f.Add([]byte(`{"n":9007199254740991,"id":"a","data":[1]}`), []byte(`{"id":""}`), int64(-1))
	f.Fuzz(func(t *testing.T, a, b []byte, to int64) {
		var items []inbox.Item
		for _, data := range [][]byte{a, b} {
			if i, err := inbox.ParseItem(data); err == nil && (len(items) == 0 || items[0].N != i.N) {
				items = append(items, i)
			}
		}
		state := inbox.State{SeenTo: to, ReadTo: to}
		now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		want := inbox.Fold(items, state, now)
		other := append(slices.Clone(items), items...)
		slices.Reverse(other)
		if got := inbox.Fold(other, state, now); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// FuzzOp reads operations.
func FuzzOp(f *testing.F) {
	f.Add([]byte(`{"read":"all","unread":["a"],"seen":5,"archived":[],"unarchived":null,"snoozed":[{"id":"a","until":"2030-01-01T00:00:00+14:00"}]}`))
	f.Add([]byte(`{"read":null,"seen":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		op, err := inbox.ParseOp(data)
		if err != nil && !errors.Is(err, inbox.ErrOp) {
			t.Fatalf("%v", err)
		}
		if err == nil && op.Check() != nil {
			t.Fatalf("%+v", op)
		}
	})
}
