package people_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestMain fails the run if a call leaves something running.
func TestMain(m *testing.M) { testkit.Main(m) }

func openOn(t testing.TB, c *natsx.Conn) *people.People {
	t.Helper()
	p, err := people.Open(t.Context(), c, testkit.Space(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// who is a record of a user in some rooms.
func who(user string, rooms ...string) people.Record {
	r := people.Record{Person: route.Person{User: user, Email: "x@example.com", Locale: "de-AT", TZ: "Europe/Vienna"}}
	for _, room := range rooms {
		r.Topics = append(r.Topics, subject.Room(room))
	}
	return r
}

func put(t testing.TB, p *people.People, list ...people.Record) {
	t.Helper()
	for _, r := range list {
		if err := p.Put(t.Context(), r); err != nil {
			t.Fatalf("put %s: %v", r.User, err)
		}
	}
}

// members is who is in a room, in order of their ids.
func members(t testing.TB, p *people.People, room string) string {
	t.Helper()
	users, more, err := p.Members(t.Context(), subject.Room(room), 1000)
	if err != nil || more {
		t.Fatalf("members of %s: %v, %v", room, more, err)
	}
	slices.Sort(users)
	return strings.Join(users, " ")
}

// markers are the keys of somebody's memberships, as they are stored.
func markers(t testing.TB, c *natsx.Conn, user string) []string {
	t.Helper()
	kv, err := c.JS.KeyValue(t.Context(), "tidings_people")
	if err != nil {
		t.Fatal(err)
	}
	lister, err := kv.ListKeysFiltered(t.Context(), "m.*."+subject.Escape(user))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range lister.Keys() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestPut(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	p := openOn(t, c)
	if _, ok, err := p.Of(t.Context(), "ann@example.com"); ok || err != nil {
		t.Fatalf("a stranger: %v, %v", ok, err)
	}
	put(t, p, who("ann@example.com", "b", "a"), who("bob", "b"))
	r, ok, err := p.Of(t.Context(), "ann@example.com")
	if err != nil || !ok || r.Email != "x@example.com" || r.TZ != "Europe/Vienna" || !slices.Equal(r.Topics, []subject.Topic{"room.a", "room.b"}) {
		t.Errorf("ann: %+v, %v, %v", r, ok, err)
	}
	if a, b := members(t, p, "a"), members(t, p, "b"); a != "ann@example.com" || b != "ann@example.com bob" {
		t.Errorf("members: %q, %q", a, b)
	}
	put(t, p, who("ann@example.com", "c", "b"))
	if a, b, c := members(t, p, "a"), members(t, p, "b"), members(t, p, "c"); a != "" || b != "ann@example.com bob" || c != "ann@example.com" {
		t.Errorf("members: %q, %q, %q", a, b, c)
	}
	if keys := markers(t, c, "ann@example.com"); !slices.Equal(keys, []string{"m.room=2Eb.ann=40example=2Ecom", "m.room=2Ec.ann=40example=2Ecom"}) {
		t.Errorf("markers: %v", keys)
	}
	kv, err := c.JS.KeyValue(t.Context(), "tidings_people")
	if err != nil {
		t.Fatal(err)
	}
	// Whoever deletes with the tools of NATS leaves a mark, on which a new record stands.
	if err := kv.Delete(t.Context(), "p.bob"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := p.Of(t.Context(), "bob"); ok || err != nil || members(t, p, "b") != "ann@example.com" {
		t.Errorf("a deleted record: %v, %v", ok, err)
	}
	put(t, p, who("bob", "b"))
	if b := members(t, p, "b"); b != "ann@example.com bob" {
		t.Errorf("put again: %q", b)
	}
	bad := who("carl", "a")
	bad.Topics = append(bad.Topics, "user.carl", "room.a", "room.*")
	faults, ok := errors.AsType[*route.FaultsError](p.Put(t.Context(), bad))
	if !ok || len(faults.Faults) != 3 {
		t.Errorf("a record with faults: %v", faults)
	}
}

func TestMany(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	p := openOn(t, c)
	put(t, p, who("ann"), who("Ünal"))
	got, err := p.Many(t.Context(), []string{"ann", "ann", "Ünal", "nobody", "", strings.Repeat("x", 300), "a\nb"})
	if err != nil || len(got) != 2 || got["ann"].User != "ann" || got["Ünal"].User != "Ünal" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := p.Many(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("nobody: %v, %v", got, err)
	}
	for _, bucket := range []string{"people", "prefs"} {
		kv, err := c.JS.KeyValue(t.Context(), "tidings_"+bucket)
		if err != nil {
			t.Fatal(err)
		}
		key := map[string]string{"people": "p.bob", "prefs": "bob"}[bucket]
		if _, err := kv.Put(t.Context(), key, []byte("garbage")); err != nil {
			t.Fatal(err)
		}
	}
	got, err = p.Many(t.Context(), []string{"ann", "bob"})
	if !errors.Is(err, people.ErrUnreadable) || len(got) != 1 {
		t.Errorf("beside garbage: %v, %v", got, err)
	}
	if _, _, err := p.Of(t.Context(), "bob"); !errors.Is(err, people.ErrUnreadable) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := p.ManyPreferences(t.Context(), []string{"ann", "bob"}); !errors.Is(err, people.ErrUnreadable) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := p.Patch(t.Context(), "bob", []byte(`{"enabled":false}`)); !errors.Is(err, people.ErrUnreadable) {
		t.Errorf("garbage: %v", err)
	}
	page, err := p.List(t.Context(), "", 10)
	if err != nil || len(page.Records) != 3 || page.Records[2].User != "bob" {
		t.Errorf("garbage: %v, %v", page, err)
	}
	put(t, p, who("bob"))
}

// TestImport: a thousand people at once, and again, and read at once.
func TestImport(t *testing.T) {
	t.Parallel()
	p := openOn(t, testkit.NATS(t))
	var list []people.Record
	var users []string
	for i := range people.MaxBatch {
		users = append(users, fmt.Sprintf("u%03d", i))
		list = append(list, who(users[i], "all", fmt.Sprint("r", i%10)))
	}
	for range 2 {
		if err := p.Import(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	got, err := p.Many(t.Context(), users)
	if err != nil || len(got) != len(users) || !slices.Equal(got["u017"].Topics, []subject.Topic{"room.all", "room.r7"}) {
		t.Fatalf("%d, %v", len(got), err)
	}
	t.Logf("%d people were read in %v", len(users), time.Since(begin))
	if n := len(strings.Fields(members(t, p, "r3"))); n != people.MaxBatch/10 {
		t.Errorf("%d members", n)
	}
	for _, limit := range []int{-1, 0, 1, 249, 250, 251, 999} {
		users, more, err := p.Members(t.Context(), "room.all", limit)
		if err != nil || !more || len(users) != max(limit, 0) {
			t.Errorf("%d of the members: %d, %v, %v", limit, len(users), more, err)
		}
	}
	seen := map[string]bool{}
	for after, pages := "", 0; ; pages++ {
		page, err := p.List(t.Context(), after, people.MaxPage)
		if err != nil || pages > 10 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, r := range page.Records {
			seen[r.User] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != people.MaxBatch {
		t.Errorf("%d are listed", len(seen))
	}
	if _, err := p.List(t.Context(), "x", 1); err == nil {
		t.Error("a page after nothing")
	}
	if err := p.Import(t.Context(), append(list, who("one"))); err == nil {
		t.Error("too many were imported")
	}
	if err := p.Import(t.Context(), []people.Record{who("one"), who("")}); err == nil {
		t.Error("nobody was imported")
	}
	if _, ok, err := p.Of(t.Context(), "one"); ok || err != nil {
		t.Errorf("a part of a bad import: %v, %v", ok, err)
	}
}

// TestPutAtOnce: whoever comes last wins, and the memberships are those of the record.
func TestPutAtOnce(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	var all []*people.People
	for range 4 {
		all = append(all, openOn(t, testkit.Connect(t, s.URL())))
	}
	for round := range 10 {
		var wg sync.WaitGroup
		for i, p := range all {
			wg.Go(func() {
				for k := range 3 {
					if err := p.Put(context.WithoutCancel(t.Context()), who("ann", "common", fmt.Sprint("r", i), fmt.Sprint("k", k))); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				}
			})
		}
		wg.Wait()
		r, _, err := all[0].Of(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, topic := range r.Topics {
			want = append(want, "m."+subject.Escape(string(topic))+".ann")
		}
		// A marker too many is allowed, one too few is not.
		got := markers(t, testkit.Connect(t, s.URL()), "ann")
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Fatalf("round %d: markers %v, want %v", round, got, want)
			}
		}
		for i := range all {
			room := fmt.Sprint("r", i)
			if is := members(t, all[0], room) == "ann"; is != slices.Contains(r.Topics, subject.Room(room)) {
				t.Errorf("round %d: ann in %s: %v, %v", round, room, is, r.Topics)
			}
		}
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	p := openOn(t, c)
	put(t, p, who("ann", "a", "b"), who("bob", "a"))
	for _, user := range []string{"ann", "bob"} {
		for _, patch := range []string{`{"enabled":false}`, `{"enabled":true}`} {
			if _, err := p.Patch(t.Context(), user, []byte(patch)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What a process leaves that died between a membership and the record.
	if _, err := c.JS.Publish(t.Context(), "$KV.tidings_people.m.room=2Ez.ann", nil); err != nil {
		t.Fatal(err)
	}
	if z := members(t, p, "z"); z != "" {
		t.Errorf("a member whose record says nothing: %q", z)
	}
	for range 2 {
		if err := p.Erase(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		for _, bucket := range []string{"people", "prefs"} {
			stream, err := c.JS.Stream(t.Context(), "KV_tidings_"+bucket)
			if err != nil {
				t.Fatal(err)
			}
			n := stream.CachedInfo().State.Msgs
			if want := map[string]uint64{"people": 2, "prefs": 2}[bucket]; n != want {
				t.Errorf("%s holds %d messages, want %d", bucket, n, want)
			}
		}
	}
	if a := members(t, p, "a"); a != "bob" {
		t.Errorf("members: %q", a)
	}
	if _, ok, err := p.Of(t.Context(), "ann"); ok || err != nil {
		t.Errorf("ann: %v, %v", ok, err)
	}
	if prefs, rev, err := p.Preferences(t.Context(), "ann"); prefs.Enabled != nil || rev != 0 || err != nil {
		t.Errorf("ann prefers %+v, %d, %v", prefs, rev, err)
	}
	put(t, p, who("ann", "a"))
	if a := members(t, p, "a"); a != "ann bob" {
		t.Errorf("members: %q", a)
	}
	if err := p.Erase(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestEraseAtOnce: whoever is put while they are erased is there or not, as a whole.
func TestEraseAtOnce(t *testing.T) {
	t.Parallel()
	p := openOn(t, testkit.NATS(t))
	for range 50 {
		put(t, p, who("ann", "a"))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.Erase(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { put(t, p, who("ann", "a", "b")) })
		wg.Wait()
		r, ok, err := p.Of(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range []string{"a", "b"} {
			if is := members(t, p, room) == "ann"; is != (ok && slices.Contains(r.Topics, subject.Room(room))) {
				t.Fatalf("ann is in %s: %v, but %v %v", room, is, ok, r)
			}
		}
	}
}

// TestHeals: after a restart of NATS and without a bucket all goes on.
func TestHeals(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	c := testkit.Connect(t, s.URL())
	p := openOn(t, c)
	put(t, p, who("ann", "a"))
	s.Stop()
	testkit.Eventually(t, "the loss to be noticed", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Many(ctx, []string{"ann"})
		return errors.Is(err, natsx.ErrAway) && errors.Is(p.Put(ctx, who("ann")), natsx.ErrAway)
	})
	s.Start()
	testkit.Eventually(t, "NATS to be back", func() bool {
		_, ok, err := p.Of(t.Context(), "ann")
		return ok && err == nil
	})
	for name, call := range map[string]func() error{
		"many":    func() error { _, err := p.Many(t.Context(), []string{"ann"}); return err },
		"of":      func() error { _, _, err := p.Of(t.Context(), "ann"); return err },
		"put":     func() error { return p.Put(t.Context(), who("ann", "a")) },
		"erase":   func() error { return p.Erase(t.Context(), "ann") },
		"list":    func() error { _, err := p.List(t.Context(), "", 1); return err },
		"members": func() error { _, _, err := p.Members(t.Context(), "room.a", 1); return err },
		"patch":   func() error { _, err := p.Patch(t.Context(), "ann", []byte(`{"enabled":true}`)); return err },
	} {
		for _, bucket := range []string{"tidings_people", "tidings_prefs"} {
			if err := c.JS.DeleteKeyValue(t.Context(), bucket); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := call(); err != nil {
			t.Errorf("%s without a bucket: %v", name, err)
		}
		openOn(t, c)
	}
}

// BenchmarkMany reads a thousand of ten thousand people.
func BenchmarkMany(b *testing.B) {
	p := openOn(b, testkit.NATS(b))
	var users []string
	for i := range 10 {
		var list []people.Record
		for j := range people.MaxBatch {
			list = append(list, who(fmt.Sprint("user-", i, "-", j), "a", "b"))
		}
		if err := p.Import(b.Context(), list); err != nil {
			b.Fatal(err)
		}
		for _, r := range list[:100] {
			users = append(users, r.User)
		}
	}
	for b.Loop() {
		if got, err := p.Many(b.Context(), users); err != nil || len(got) != len(users) {
			b.Fatal(len(got), err)
		}
	}
}
