package planner_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/notifier/planner"
	"tidings/shared/testkit"
)

func TestDue(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, reg := open(t, conn, c)
	var f fired
	start(t, p, f.fire)
	due := c.in(time.Hour)
	plan(t, p, "a", due)
	plan(t, p, "b", due.Add(time.Second))
	plan(t, p, "past", c.in(-time.Hour))
	plan(t, p, "far", c.in(100*365*24*time.Hour))
	testkit.Eventually(t, "what was due before", func() bool { return f.count("past") == 1 })
	c.pass(time.Hour - time.Microsecond)
	plan(t, p, "marker 1", c.in(-time.Hour))
	testkit.Eventually(t, "marker 1", func() bool { return f.count("marker 1") == 1 })
	if n, _ := f.keys(); n != 2 {
		t.Errorf("%d were fired before their time", n-2)
	}
	c.pass(time.Microsecond)
	testkit.Eventually(t, "a", func() bool { return f.count("a") == 1 })
	f.mu.Lock()
	if e := f.last; !e.Due.Equal(due) || e.Kind != "test" || string(e.Body) != `{"k":"a"}` {
		t.Errorf("%+v", e)
	}
	f.mu.Unlock()
	if f.count("b") != 0 {
		t.Error("b was fired before its time")
	}
	c.pass(time.Minute)
	testkit.Eventually(t, "b", func() bool { return f.count("b") == 1 && stored(t, conn) == 1 })
	if n, late := value(t, reg, "fired_total"), value(t, reg, "late_seconds"); n != 4 || late != 4 {
		t.Errorf("%v were counted, and %v times", n, late)
	}
	testkit.Eventually(t, "one to be pending", func() bool { return value(t, reg, "pending") == 1 })
}

// TestReplaced replaces and cancels entries of which the planner has heard.
func TestReplaced(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	var f fired
	start(t, p, f.fire)
	for i := range 20 { // a debounce
		plan(t, p, "debounced", c.in(time.Duration(i)*time.Minute+time.Hour))
	}
	plan(t, p, "earlier", c.in(100*time.Hour))
	plan(t, p, "earlier", c.in(time.Minute))
	plan(t, p, "canceled", c.in(time.Minute))
	if was, err := p.Cancel(t.Context(), "canceled"); err != nil || !was {
		t.Fatalf("cancel: %v, %v", was, err)
	}
	if was, err := p.Cancel(t.Context(), "canceled"); err != nil || was {
		t.Errorf("cancel again: %v, %v", was, err)
	}
	if planned, err := p.PlanNew(t.Context(), planner.Entry{Key: "debounced", Due: c.Now(), Kind: "test"}); err != nil || planned {
		t.Errorf("it was planned as new: %v, %v", planned, err)
	}
	if planned, err := p.PlanNew(t.Context(), planner.Entry{Key: "new", Due: c.in(time.Minute), Kind: "test"}); err != nil || !planned {
		t.Errorf("it was not planned as new: %v, %v", planned, err)
	}
	c.pass(time.Hour + 19*time.Minute - time.Second)
	testkit.Eventually(t, "the early ones", func() bool { return f.count("earlier") == 1 && f.count("new") == 1 })
	plan(t, p, "marker", c.Now())
	testkit.Eventually(t, "the marker", func() bool { return f.count("marker") == 1 })
	if f.count("debounced") != 0 {
		t.Error("it was fired too early")
	}
	c.pass(time.Second)
	testkit.Eventually(t, "the debounced one", func() bool { return f.count("debounced") == 1 && stored(t, conn) == 0 })
	c.pass(200 * time.Hour)
	plan(t, p, "marker 2", c.Now())
	testkit.Eventually(t, "the second marker", func() bool { return f.count("marker 2") == 1 })
	if keys, total := f.keys(); keys != 5 || total != 5 {
		t.Errorf("%d entries were fired, %d times", keys, total)
	}
}

func TestCancelAll(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	for i := range 10 {
		for _, user := range []string{"ann@example.com", "bob"} {
			e := planner.Entry{
				Key: fmt.Sprintf("%s-%d", user, i), Due: c.in(time.Hour), Notification: fmt.Sprint("n.", i), User: user, Kind: "test",
			}
			if err := p.Plan(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	plan(t, p, "nobody's", c.in(time.Hour))
	list, more, err := p.List(t.Context(), "n.3")
	if err != nil || more || len(list) != 2 || list[0].User != "ann@example.com" || list[1].Key != "bob-3" {
		t.Errorf("%+v, more %v, %v", list, more, err)
	}
	for i, want := range []int{2, 0} {
		if n, err := p.CancelAll(t.Context(), "n.3"); err != nil || n != want {
			t.Errorf("cancel n.3 for the %d. time: %d, %v", i+1, n, err)
		}
	}
	if n, err := p.CancelUser(t.Context(), "ann@example.com"); err != nil || n != 9 {
		t.Errorf("cancel ann's: %d, %v", n, err)
	}
	for _, name := range []string{"", "=", "*", ">", "nobody", strings.Repeat("x", 1000)} {
		a, err1 := p.CancelAll(t.Context(), name)
		b, err2 := p.CancelUser(t.Context(), name)
		was, err3 := p.Cancel(t.Context(), name)
		list, _, err4 := p.List(t.Context(), name)
		if err := errors.Join(err1, err2, err3, err4); err != nil || a != 0 || b != 0 || was || len(list) > 0 {
			t.Errorf("%q: %d, %d, %v, %v, %v", name, a, b, was, list, err)
		}
	}
	if n := stored(t, conn); n != 10 {
		t.Errorf("%d are left", n)
	}
}

// TestCollapse plans the same key for several notifications.
func TestCollapse(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	e := planner.Entry{Key: "k", Due: c.in(time.Hour), Notification: "n1", User: "ann", Kind: "test"}
	for _, n := range []string{"n1", "n2", "n3"} {
		e.Notification, e.Collapse = n, n != "n2"
		if err := p.Plan(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if n := stored(t, conn); n != 1 {
		t.Errorf("%d are left", n)
	}
	if list, _, err := p.List(t.Context(), "n3"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if was, err := p.Cancel(t.Context(), "k"); err != nil || !was {
		t.Errorf("cancel: %v, %v", was, err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, reg := open(t, conn, c)
	good := planner.Entry{Key: "k", Due: c.Now(), Kind: "test"}
	for what, change := range map[string]func(*planner.Entry){
		"no key":       func(e *planner.Entry) { e.Key = "" },
		"no kind":      func(e *planner.Entry) { e.Kind = "" },
		"no time":      func(e *planner.Entry) { e.Due = time.Time{} },
		"far":          func(e *planner.Entry) { e.Due = e.Due.AddDate(10000, 0, 0) },
		"long key":     func(e *planner.Entry) { e.Key = strings.Repeat("x", planner.MaxName+1) },
		"long user":    func(e *planner.Entry) { e.User = strings.Repeat("x", planner.MaxUser+1) },
		"long body":    func(e *planner.Entry) { e.Body = make([]byte, planner.MaxBody+1) },
		"no JSON":      func(e *planner.Entry) { e.Body = json.RawMessage("{") },
		"notification": func(e *planner.Entry) { e.Notification = strings.Repeat("x", planner.MaxName+1) },
	} {
		e := good
		change(&e)
		if err := p.Plan(t.Context(), e); !errors.Is(err, planner.ErrEntry) {
			t.Errorf("%s: %v", what, err)
		}
	}
	widest := planner.Entry{
		Key: strings.Repeat("@", planner.MaxName), User: strings.Repeat("@", planner.MaxUser), Kind: "test",
		Notification: strings.Repeat("@", planner.MaxName), Due: c.Now(), Body: json.RawMessage(`"` + strings.Repeat("x", planner.MaxBody-2) + `"`),
	}
	if err := p.Plan(t.Context(), widest); err != nil {
		t.Errorf("the widest entry: %v", err)
	}
	// What others wrote is dropped and holds nothing up.
	for i, m := range []*nats.Msg{
		{Data: []byte("{")},
		{Data: []byte(`{"key":"k","due":"2026-01-02T03:00:00Z","kind":"k"}`), Header: nats.Header{"Tidings-Due": {"7"}}},
		{},
	} {
		m.Subject = testkit.Space(t).Plan(fmt.Sprint("bad", i), "u", "n")
		if _, err := conn.JS.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var f fired
	start(t, p, f.fire)
	testkit.Eventually(t, "the schedule to be empty", func() bool { return stored(t, conn) == 0 })
	if keys, total := f.keys(); keys != 1 || total != 1 || value(t, reg, "malformed_total") != 3 {
		t.Errorf("%d entries were fired, %d times", keys, total)
	}
}

// TestFailing has some entries fail: they are tried again and hold nothing up.
func TestFailing(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, reg := open(t, conn, c)
	f := fired{fail: func(e planner.Entry, n int) error {
		switch {
		case e.Key == "panics" && n == 1:
			panic("at the disco")
		case strings.HasPrefix(e.Key, "fails") && n < 3:
			return errors.New("not now")
		}
		return nil
	}}
	for i := range 20 {
		plan(t, p, fmt.Sprint("fails ", i), c.in(-time.Hour))
	}
	plan(t, p, "panics", c.in(-time.Hour))
	plan(t, p, "fine", c.in(-time.Minute))
	start(t, p, f.fire)
	testkit.Eventually(t, "the fine one", func() bool { return f.count("fine") == 1 })
	if f.count("fails 19") > 1 {
		t.Error("it came after those that are tried again")
	}
	testkit.Eventually(t, "all to be fired", func() bool { return stored(t, conn) == 0 })
	if a, b := f.count("fails 7"), f.count("panics"); a != 3 || b != 2 {
		t.Errorf("fired %d and %d times", a, b)
	}
	if n := value(t, reg, "failed_total"); n != 41 {
		t.Errorf("%v failures were counted", n)
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	for n := 1; n < 100; n++ {
		if d := planner.Again(n); d < 250*time.Millisecond || d > 5*time.Minute {
			t.Errorf("%v after %d tries", d, n)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	collect := func(digest, key, item string) {
		t.Helper()
		if err := p.Collect(t.Context(), digest, key, json.RawMessage(item)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(digest, items string) planner.Collected {
		t.Helper()
		got, err := p.Collected(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, i := range got.Items {
			words = append(words, string(i))
		}
		if s := strings.Join(words, " "); s != items {
			t.Errorf("%s has %s, want %s", digest, s, items)
		}
		return got
	}
	want("d.1", "")
	collect("d.1", "a", "1")
	collect("d.1", "b@", "2")
	collect("d.2", "a", "3")
	collect("d.1", "a", "1") // again
	want("d.1", "1 2")
	collect("d.1", "a", "4") // another one
	before := want("d.1", "2 4")
	collect("d.1", "late", "5")
	if err := p.Forget(t.Context(), "d.1", before.Last); err != nil {
		t.Fatal(err)
	}
	want("d.1", "5")
	if err := p.Forget(t.Context(), "d.1", 0); err != nil {
		t.Fatal(err)
	}
	want("d.1", "")
	want("d.2", "3")
	for what, err := range map[string]error{
		"digest": p.Collect(t.Context(), "", "k", json.RawMessage("1")),
		"key":    p.Collect(t.Context(), "d", "", json.RawMessage("1")),
		"JSON":   p.Collect(t.Context(), "d", "k", json.RawMessage("{")),
		"empty":  p.Collect(t.Context(), "d", "k", nil),
		"size":   p.Collect(t.Context(), "d", "k", make([]byte, planner.MaxItem+1)),
	} {
		if !errors.Is(err, planner.ErrEntry) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestFullDigest(t *testing.T) {
	t.Parallel()
	c, conn := newClock(), testkit.NATS(t)
	p, _ := open(t, conn, c)
	for i := range planner.MaxItems {
		if err := p.Collect(t.Context(), "d", fmt.Sprint(i), json.RawMessage(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Collect(t.Context(), "d", "more", json.RawMessage("1")); !errors.Is(err, planner.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	if err := p.Collect(t.Context(), "d", "7", json.RawMessage("7")); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	if err := p.Collect(t.Context(), "d", "7", json.RawMessage("77")); err != nil {
		t.Errorf("one that is replaced: %v", err)
	}
	got, err := p.Collected(t.Context(), "d")
	if err != nil || len(got.Items) != planner.MaxItems || string(got.Items[0]) != "0" || string(got.Items[planner.MaxItems-1]) != "77" {
		t.Errorf("%d items, %v", len(got.Items), err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"key":"k","due":"2026-01-02T03:04:05.000006Z","kind":"k","user":"u","body":[1]}`))
	f.Add([]byte(`{"key":1}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := planner.Decode(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := planner.Decode(again); err != nil {
			t.Fatalf("%s cannot be read again: %v", again, err)
		}
	})
}
