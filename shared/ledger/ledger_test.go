package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open returns a ledger in a fresh server.
func open(t *testing.T) (*ledger.Ledger, *natsx.Conn) {
	t.Helper()
	conn := testkit.NATS(t)
	l, err := ledger.Open(t.Context(), conn, testkit.Space(t), ledger.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return l, conn
}

func entry(kind ledger.Kind, part, body string) ledger.Entry {
	e := ledger.Entry{Kind: kind, Part: part}
	if body != "" {
		e.Body = json.RawMessage(body)
	}
	return e
}

// put stores an entry and returns its sequence.
func put(t *testing.T, l *ledger.Ledger, id string, e ledger.Entry) uint64 {
	t.Helper()
	stored, fresh, err := l.Put(t.Context(), id, e)
	if err != nil || !fresh || stored.Seq == 0 || stored.At.IsZero() {
		t.Fatalf("put %s of %s: %+v, fresh %v, %v", e.Part, id, stored, fresh, err)
	}
	return stored.Seq
}

// parts returns the parts of a notification in order.
func parts(t *testing.T, l *ledger.Ledger, id string) string {
	t.Helper()
	list, more, err := l.Read(t.Context(), id)
	if err != nil || more {
		t.Fatalf("read %s: more %v, %v", id, more, err)
	}
	var words []string
	for _, e := range list {
		words = append(words, e.Part)
	}
	return strings.Join(words, " ")
}

func TestPut(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	const id = "a.b c" // an id is any text
	sent := conn.NC.Stats().OutMsgs
	first := put(t, l, id, entry(ledger.KindRequest, "request", `{"n":1}`))
	if n := conn.NC.Stats().OutMsgs - sent; n != 1 {
		t.Errorf("a first Put took %d messages", n)
	}
	second := put(t, l, id, entry(ledger.KindRouted, "r1", ""))
	put(t, l, id, entry(ledger.KindNote, "bounced", ""))
	put(t, l, id, entry(ledger.KindNote, "opened", ""))
	put(t, l, id, entry(ledger.KindNote, "a part with.dots", ""))
	put(t, l, "other", entry(ledger.KindRequest, "request", ""))
	if got := parts(t, l, id); got != "request r1 bounced opened a part with.dots" {
		t.Errorf("parts %s", got)
	}
	e, fresh, err := l.Put(t.Context(), id, entry(ledger.KindRouted, "r1", `"other"`))
	if err != nil || fresh || e.Seq != second || e.Body != nil {
		t.Errorf("a part for the second time: %+v, fresh %v, %v", e, fresh, err)
	}
	if e, found, err := l.Part(t.Context(), id, "request"); !found || err != nil || e.Seq != first {
		t.Errorf("the part is %+v, %v, %v", e, found, err)
	}
	if _, found, err := l.Part(t.Context(), id, "nope"); found || err != nil {
		t.Errorf("a part that is not there: %v, %v", found, err)
	}
	list, _, err := l.Read(t.Context(), id)
	if err != nil || string(list[0].Body) != `{"n":1}` || list[0].Kind != ledger.KindRequest || list[0].Seq != first {
		t.Errorf("%+v, %v", list, err)
	}
	for _, id := range []string{"nobody", "", strings.Repeat("x", ledger.MaxID+1)} {
		if _, _, err := l.Read(t.Context(), id); !errors.Is(err, ledger.ErrUnknown) {
			t.Errorf("read %q: %v", id, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	long := strings.Repeat("x", 5<<10)
	for what, e := range map[string]ledger.Entry{
		"no kind":   entry("", "p", ""),
		"no part":   entry(ledger.KindNote, "", ""),
		"body":      entry(ledger.KindNote, "p", `"`+strings.Repeat("x", ledger.MaxBody)+`"`),
		"no JSON":   entry(ledger.KindNote, "p", `{`),
		"long part": entry(ledger.KindNote, long, ""),
		"user":      {Kind: ledger.KindNote, Part: "p", User: long},
		"detail":    {Kind: ledger.KindNote, Part: "p", Detail: long},
		"reason":    {Kind: ledger.KindNote, Part: "p", Reason: long},
	} {
		if _, _, err := l.Put(t.Context(), "n", e); !errors.Is(err, ledger.ErrEntry) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", ledger.MaxID+1)} {
		if _, _, err := l.Put(t.Context(), id, entry(ledger.KindNote, "p", "")); !errors.Is(err, ledger.ErrEntry) {
			t.Errorf("id of %d bytes: %v", len(id), err)
		}
	}
	put(t, l, "large", entry(ledger.KindRequest, "request", `"`+strings.Repeat("x", ledger.MaxBody-2)+`"`))
}

// TestRace has many write the same parts of a notification: each is stored once, and all
// are given the same entry.
func TestRace(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	put(t, l, "n", entry(ledger.KindRequest, "request", ""))
	const writers, each = 4, 5
	var fresh atomic.Int32
	var mu sync.Mutex
	bodies := map[string]map[string]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				part := fmt.Sprint("r", i)
				e, f, err := l.Put(t.Context(), "n", entry(ledger.KindRouted, part, fmt.Sprint(w)))
				if err != nil {
					t.Error(err)
					continue
				}
				if f {
					fresh.Add(1)
				}
				mu.Lock()
				if bodies[part] == nil {
					bodies[part] = map[string]bool{}
				}
				bodies[part][string(e.Body)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	list, _, err := l.Read(t.Context(), "n")
	if err != nil || len(list) != each+1 || fresh.Load() != each {
		t.Errorf("%d entries, %d fresh, %v", len(list), fresh.Load(), err)
	}
	for part, b := range bodies {
		if len(b) != 1 {
			t.Errorf("%s was decided %d times", part, len(b))
		}
	}
}

// TestMany fills a notification beyond what is read.
func TestMany(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	for i := range ledger.MaxEntries + 1 {
		put(t, l, "n", entry(ledger.KindNote, fmt.Sprint("n", i), ""))
	}
	list, more, err := l.Read(t.Context(), "n")
	if err != nil || len(list) != ledger.MaxEntries || !more {
		t.Errorf("%d entries, more %v, %v", len(list), more, err)
	}
	put(t, l, "n", entry(ledger.KindNote, "one more", "")) // it may have more than are read
}

// TestLarge reads entries that are too large to be read all.
func TestLarge(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	body := `"` + strings.Repeat("x", 800<<10) + `"`
	for i := range 25 {
		put(t, l, "n", entry(ledger.KindRouted, fmt.Sprint("r", i), body))
	}
	list, more, err := l.Read(t.Context(), "n")
	if err != nil || !more || len(list) < 15 || len(list) > 22 {
		t.Errorf("%d entries, more %v, %v", len(list), more, err)
	}
	if e, fresh, err := l.Put(t.Context(), "n", entry(ledger.KindRouted, "r24", "")); err != nil || fresh || e.Part != "r24" {
		t.Errorf("the last one was not found: fresh %v, %v", fresh, err)
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	if p, err := l.Recent(t.Context(), 0, 10); err != nil || p.More || len(p.Requests) > 0 {
		t.Fatalf("an empty ledger: %+v, %v", p, err)
	}
	const count = 100
	var want []string
	for i := range count {
		id := fmt.Sprint("n.", i)
		put(t, l, id, entry(ledger.KindRequest, "request", fmt.Sprint(i)))
		for k := range i % 5 {
			put(t, l, id, entry(ledger.KindRouted, fmt.Sprint("r", k), ""))
		}
		if i%3 == 0 { // these are on another subject of the stream
			if err := conn.NC.Publish(testkit.Space(t).Notify(), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		want = append([]string{id}, want...)
	}
	if err := conn.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(ledger.Name))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []uint64{50, 51, 52} { // holes
		if err := s.DeleteMsg(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 7, 64, 1000} {
		got := map[string]bool{}
		var order []string
		for p, pages := (ledger.Page{More: true}), 0; p.More; pages++ {
			if p, err = l.Recent(t.Context(), p.Next, limit); err != nil {
				t.Fatal(err)
			}
			if len(p.Requests) > limit || pages > count+10 {
				t.Fatalf("%d requests on page %d", len(p.Requests), pages)
			}
			for _, r := range p.Requests {
				if got[r.ID] {
					t.Errorf("limit %d: %s came twice", limit, r.ID)
				}
				got[r.ID] = true
				order = append(order, r.ID)
				if want := strings.TrimPrefix(r.ID, "n."); string(r.Body) != want {
					t.Errorf("%s has the body %s", r.ID, r.Body)
				}
			}
		}
		missing := 0
		for _, id := range want {
			if !got[id] {
				missing++
			}
		}
		if missing > 3 || len(order) < count-3 {
			t.Errorf("limit %d: %d requests, %d are missing", limit, len(order), missing)
		}
		at := 0
		for _, id := range order {
			for want[at] != id {
				at++ // fails beyond the end if the order is wrong
			}
		}
	}
}

// TestRecentBounded has more entries in between than one call looks at.
func TestRecentBounded(t *testing.T) {
	t.Parallel()
	l, conn := open(t)
	put(t, l, "old", entry(ledger.KindRequest, "request", ""))
	const between = 5000
	for range between {
		if err := conn.NC.Publish(testkit.Space(t).Notification("noise", "x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	s, err := conn.JS.Stream(t.Context(), testkit.Space(t).Stream(ledger.Name))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "all to be stored", func() bool {
		info, err := s.Info(t.Context())
		return err == nil && info.State.Msgs == between+1
	})
	var p ledger.Page
	calls := 0
	for p.More = true; p.More; calls++ {
		if p, err = l.Recent(t.Context(), p.Next, 10); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 3 || len(p.Requests) != 1 || p.Requests[0].ID != "old" {
		t.Errorf("%d calls, the last one with %v", calls, p.Requests)
	}
	if _, _, err := l.Read(t.Context(), "noise"); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("noise was read: %v", err)
	}
}

// TestCluster writes and reads at once with three replicas, any of which may answer.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := natsxtest.RunCluster(t, 3)
	conn, err := natsx.Open(t.Context(), natsx.Config{URL: c.URL()}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	limits := ledger.DefaultLimits()
	limits.Replicas = 3
	var l *ledger.Ledger
	testkit.Eventually(t, "the stream", func() bool {
		l, err = ledger.Open(t.Context(), conn, testkit.Space(t), limits)
		return err == nil
	})
	for i := range 100 {
		id := fmt.Sprint("n", i)
		put(t, l, id, entry(ledger.KindRequest, "request", ""))
		if _, _, err := l.Read(t.Context(), id); err != nil {
			t.Errorf("read %s: %v", id, err)
		}
		put(t, l, id, entry(ledger.KindNote, "note", "")) // must see the first one
		if _, fresh, err := l.Put(t.Context(), id, entry(ledger.KindNote, "note", "")); err != nil || fresh {
			t.Errorf("a part for the second time: fresh %v, %v", fresh, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","kind":"note","part":"p","body":{"a":1}}`))
	f.Add([]byte(`{"at":1}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ledger.Decode(&nats.Msg{Data: data})
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := ledger.Decode(&nats.Msg{Data: again}); err != nil {
			t.Fatalf("%s cannot be read again: %v", again, err)
		}
	})
}

func TestAgain(t *testing.T) {
	t.Parallel()
	for n := range uint64(100) {
		if d := ledger.Again(n); d < time.Second/2 || d > time.Minute {
			t.Errorf("%v after %d deliveries", d, n)
		}
	}
}
