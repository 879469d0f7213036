package natsx_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/testkit"
)

// TestBucket reads, writes under a condition, races, and loses its bucket.
func TestBucket(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	b, err := conn.OpenBucket(t.Context(), jetstream.KeyValueConfig{Bucket: "b", Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	if v, rev, err := b.Read(t.Context(), "k"); v != nil || rev != 0 || err != nil {
		t.Fatalf("an absent key is %q, %d, %v", v, rev, err)
	}
	rev, err := b.Write(t.Context(), "k", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []uint64{0, rev + 1} {
		if _, err := b.Write(t.Context(), "k", []byte("2"), wrong); !errors.Is(err, natsx.ErrConflict) {
			t.Errorf("revision %d was taken: %v", wrong, err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := b.Change(t.Context(), "k", func(v []byte) ([]byte, error) {
				n, err := strconv.Atoi(string(v))
				return []byte(strconv.Itoa(n + 1)), err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if v, _, err := b.Read(t.Context(), "k"); string(v) != "9" || err != nil {
		t.Errorf("after eight increments: %q, %v", v, err)
	}
	if _, err := b.Write(t.Context(), "k.x", nil, 0); err != nil {
		t.Fatal(err)
	}
	if keys, err := b.Keys(t.Context(), "k.*"); len(keys) != 1 || keys[0] != "k.x" || err != nil {
		t.Errorf("keys are %q, %v", keys, err)
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(t.Context(), "k", []byte("3"), 0); err != nil {
		t.Errorf("a deleted key can't be made again: %v", err)
	}
	for name, first := range map[string]func() error{
		"read":   func() error { _, _, err := b.Read(t.Context(), "k"); return err },
		"keys":   func() error { _, err := b.Keys(t.Context(), "k.*"); return err },
		"delete": func() error { return b.Delete(t.Context(), "k") },
		"change": func() error {
			return b.Change(t.Context(), "k", func([]byte) ([]byte, error) { return []byte("4"), nil })
		},
	} {
		if err := conn.JS.DeleteKeyValue(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if err := first(); err != nil {
			t.Errorf("%s: the bucket was not made again: %v", name, err)
		}
	}
	if _, err := b.Write(t.Context(), "gone", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	s, err := conn.JS.Stream(t.Context(), "KV_b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetLastMsgForSubject(t.Context(), "$KV.b.gone"); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("a deleted key leaves a mark: %v", err)
	}
}
