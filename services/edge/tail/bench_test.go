package tail_test

import (
	"fmt"
	"strconv"
	"testing"

	"tidings/services/edge/tail"
	"tidings/shared/subject"
)

// deaf is a reader that costs nothing.
type deaf struct{}

func (deaf) Wake(*tail.Frame)  {}
func (deaf) Offer(*tail.Frame) {}

// BenchmarkAppend appends to 10,000 topics in turn, with readers spread over
// them, and to one room that all readers are in, which measures waking them.
func BenchmarkAppend(b *testing.B) {
	const many = 10_000
	for _, c := range []struct {
		name   string
		topics int
	}{{"spread", many}, {"one room", 1}} {
		names := make([]subject.Topic, c.topics)
		for i := range names {
			names[i] = subject.Room("orders", strconv.Itoa(i))
		}
		for _, readers := range []int{1, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/readers=%d", c.name, readers), func(b *testing.B) {
				tl := tail.New(tail.DefaultBytes)
				tl.Reset(at(0))
				for i := range readers {
					tl.Join(deaf{}, []subject.Pattern{subject.Pattern(names[i%len(names)]), "all"})
				}
				sse := frame(names[0], 1).SSE
				seq := uint64(0)
				b.ReportAllocs()
				for b.Loop() {
					seq++
					tl.Append(&tail.Frame{Seq: seq, Topic: names[seq%uint64(len(names))], SSE: sse})
				}
			})
		}
	}
}

// BenchmarkReadLive reads the newest frame, as a connection does that keeps up.
func BenchmarkReadLive(b *testing.B) {
	benchmarkRead(b, 1)
}

// BenchmarkReadCatchUp reads a batch from the middle of the tail.
func BenchmarkReadCatchUp(b *testing.B) {
	benchmarkRead(b, 5000)
}

func benchmarkRead(b *testing.B, behind uint64) {
	b.Helper()
	for name, patterns := range readPatterns() {
		b.Run(name, func(b *testing.B) {
			tl, v := readable(patterns)
			defer v.Leave()
			buf := make([]*tail.Frame, 64)
			after := at(tl.Extent().Head - behind)
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := v.Read(after, buf); n == 0 || err != nil {
					b.Fatalf("read %d, %v", n, err)
				}
			}
		})
	}
}

func readPatterns() map[string][]subject.Pattern {
	return map[string][]subject.Pattern{
		"one topic":    {"room.0"},
		"eight topics": {"room.0", "room.1", "room.2", "room.3", "room.4", "room.5", "room.6", "room.7"},
		"overlapping":  {"room.0", "room.*", ">"},
	}
}

// readable is a tail of 10,000 frames on 8 topics, the last on room.0, and a view of it.
func readable(patterns []subject.Pattern) (*tail.Tail, *tail.View) {
	tl := tail.New(plenty)
	tl.Reset(at(0))
	v := tl.Join(deaf{}, patterns)
	for seq := uint64(1); seq <= 10_000; seq++ {
		tl.Append(frame(subject.Room(strconv.FormatUint(seq%8, 10)), seq))
	}
	return tl, v
}

// TestReadAllocates keeps reading free of garbage, which the edge does for each
// connection and event.
func TestReadAllocates(t *testing.T) {
	for name, patterns := range readPatterns() {
		tl, v := readable(patterns)
		buf := make([]*tail.Frame, 64)
		for _, behind := range []uint64{0, 1, 5000} {
			after := at(tl.Extent().Head - behind)
			if n := testing.AllocsPerRun(100, func() {
				if _, _, err := v.Read(after, buf); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s, %d behind: %v allocations", name, behind, n)
			}
		}
		v.Leave()
	}
}
