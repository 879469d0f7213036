package blocks_test

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"tidings/services/edge/blocks"
)

// stream joins pieces into a gzip stream by way of shared blocks.
func stream(pieces ...[]byte) []byte {
	var sum blocks.Sum
	out := blocks.AppendHeader(nil)
	for _, p := range pieces {
		k := blocks.New(p)
		out = append(out, k.Bytes...)
		sum.Add(k)
	}
	return sum.AppendTrailer(out)
}

// read decompresses with the standard library, which checks the trailer.
func read(t testing.TB, stream []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(got), err)
	}
	return got
}

func TestStreamsAreValid(t *testing.T) {
	t.Parallel()
	event := []byte(`id: a-1` + "\n" + `event: order` + "\n" + `data: {"topic":"room.ops","data":"` + strings.Repeat("paid in full ", 100) + `"}` + "\n\n")
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for name, pieces := range map[string][][]byte{
		"nothing":         nil,
		"one small":       {[]byte("id: a-1\n\n")},
		"an empty one":    {{}, []byte("x"), {}},
		"large and small": {event, []byte("id: a-2\n\n"), event, event},
		"incompressible":  {noise, event, noise[:70_000]},
	} {
		got, want := read(t, stream(pieces...)), bytes.Join(pieces, nil)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, want %d", name, len(got), len(want))
		}
	}
	if n := len(blocks.New(event).Bytes); n > len(event)/3 {
		t.Errorf("an event of %d bytes became %d", len(event), n)
	}
}

// TestReadableAtOnce reads each piece before the next one is written.
func TestReadableAtOnce(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	pieces := []string{"id: a-1\n\n", strings.Repeat("data", 1000), "id: a-2\n\n"}
	go func() { _, _ = w.Write(append(blocks.AppendHeader(nil), blocks.New([]byte(pieces[0])).Bytes...)) }()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pieces {
		if i > 0 {
			go func() { _, _ = w.Write(blocks.New([]byte(p)).Bytes) }()
		}
		got := make([]byte, len(p))
		if _, err := io.ReadFull(z, got); err != nil || string(got) != p {
			t.Fatalf("piece %d: %q, %v", i, got, err)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("a"), []byte(""), uint16(3))
	f.Add([]byte("hello"), bytes.Repeat([]byte("ab"), 1000), uint16(7))
	f.Fuzz(func(t *testing.T, a, b []byte, n uint16) {
		pieces := [][]byte{a, b}
		for range n % 20 {
			pieces = append(pieces, a)
		}
		want := bytes.Join(pieces, nil)
		if got := read(t, stream(pieces...)); !bytes.Equal(got, want) {
			t.Errorf("%d bytes with checksum %x became %d", len(want), crc32.ChecksumIEEE(want), len(got))
		}
	})
}

func BenchmarkNew1000(b *testing.B) {
	event := []byte(`{"topic":"room.ops","data":"` + strings.Repeat("paid in full ", 80) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		blocks.New(event)
	}
}

func BenchmarkAdd(b *testing.B) {
	k := blocks.New([]byte(strings.Repeat("x", 300)))
	var s blocks.Sum
	b.ReportAllocs()
	for b.Loop() {
		s.Add(k)
	}
}
