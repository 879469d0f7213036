package streamtest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// wantRange reads one page and compares the events' numbers. A store that has
// just come back may need a moment.
func wantRange(t *testing.T, l stream.Log, q stream.Query, want ...int) stream.Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := l.Range(ctx, q)
	for errors.Is(err, stream.ErrUnavailable) && ctx.Err() == nil {
		p, err = l.Range(ctx, q)
	}
	if err != nil {
		t.Fatalf("range %+v: %v", q, err)
	}
	if got := numbers(p.Entries); !slices.Equal(got, want) {
		t.Fatalf("range %+v = %v, want %v", q, got, want)
	}
	return p
}

func numbers(entries []stream.Entry) []int {
	var list []int
	for _, e := range entries {
		n, err := strconv.Atoi(string(e.Event.Data))
		if err != nil {
			n = -1
		}
		list = append(list, n)
	}
	return list
}

func rangePages(t *testing.T, h Home) {
	for n := range 5 {
		put(t, h.Log, ops(), n)
		put(t, h.Log, subject.All, 100+n)
	}
	q := stream.Query{Pattern: subject.Pattern(ops()), Limit: 2}
	p := wantRange(t, h.Log, q, 0, 1)
	if !p.More || p.Gone {
		t.Fatalf("first page: more %v, gone %v", p.More, p.Gone)
	}
	q.After = p.Next
	p = wantRange(t, h.Log, q, 2, 3)
	q.After = p.Next
	p = wantRange(t, h.Log, q, 4)
	x, err := h.Log.Epoch(t.Context())
	if err != nil || p.More || p.Next != (event.Cursor{Epoch: x.Epoch, Seq: x.Last}) {
		t.Fatalf("last page: more %v, next %v, want the log's end %+v (%v)", p.More, p.Next, x, err)
	}
	q.After = p.Next
	wantRange(t, h.Log, q)
	put(t, h.Log, ops(), 5)
	wantRange(t, h.Log, q, 5)
}

func rangePattern(t *testing.T, h Home) {
	put(t, h.Log, subject.Room("a", "x"), 1)
	put(t, h.Log, subject.Room("b", "x"), 2)
	put(t, h.Log, subject.User("a"), 3)
	put(t, h.Log, subject.All, 4)
	for p, want := range map[subject.Pattern][]int{
		"room.>": {1, 2}, "room.*.x": {1, 2}, "room.a.*": {1}, "user.*": {3}, "all": {4}, ">": {1, 2, 3, 4}, "room.c": nil,
	} {
		wantRange(t, h.Log, stream.Query{Pattern: p}, want...)
	}
}

func rangeLast(t *testing.T, h Home) {
	for n := range 9 {
		put(t, h.Log, ops(), n)
		put(t, h.Log, subject.Room("noise", strconv.Itoa(n)), 100+n)
	}
	wantRange(t, h.Log, stream.Query{Pattern: "room.ops", Last: 3}, 6, 7, 8)
	wantRange(t, h.Log, stream.Query{Pattern: "room.ops", Last: 1}, 8)
	wantRange(t, h.Log, stream.Query{Pattern: "room.ops", Last: 99}, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	wantRange(t, h.Log, stream.Query{Pattern: "room.*.*", Last: 2}, 107, 108)
	wantRange(t, h.Log, stream.Query{Pattern: "room.none", Last: 2})
	wantRange(t, h.Log, stream.Query{Pattern: "room.ops", Last: 3, Limit: 1}, 6)
}

func rangeGone(t *testing.T, h Home) {
	quiet := put(t, h.Log, subject.Room("quiet"), 0).Cursor
	var acks []stream.Ack
	for n := range PerTopic + 10 {
		acks = append(acks, put(t, h.Log, ops(), n))
	}
	put(t, h.Log, subject.Room("quiet"), 1)
	for _, c := range []struct {
		name    string
		pattern subject.Pattern
		after   event.Cursor
		gone    bool
	}{
		{"before what was dropped", "room.ops", acks[0].Cursor, true},
		{"just before the first dropped", "room.ops", quiet, true},
		{"at the last dropped one", "room.ops", acks[9].Cursor, false},
		{"among what is kept", "room.ops", acks[30].Cursor, false},
		{"another topic lost nothing", "room.quiet", quiet, false},
		{"a pattern that selects it", "room.*", acks[0].Cursor, true},
		{"a pattern after it", "room.*", acks[9].Cursor, false},
	} {
		p, err := h.Log.Range(t.Context(), stream.Query{Pattern: c.pattern, After: c.after, Limit: 5})
		if err != nil || p.Gone != c.gone {
			t.Errorf("%s: gone = %v, %v; want %v", c.name, p.Gone, err, c.gone)
		}
	}
}

func rangeEpoch(t *testing.T, h Home) {
	old := put(t, h.Log, ops(), 0).Cursor
	h.Recreate()
	put(t, h.Log, ops(), 1)
	p := wantRange(t, h.Log, stream.Query{Pattern: "room.ops", After: old}, 1)
	if !p.Gone || p.Next.Epoch == old.Epoch {
		t.Errorf("page = gone %v, next %v; want gone and a new epoch", p.Gone, p.Next)
	}
}

// patience bounds every wait of the suite.
const patience = 30 * time.Second
