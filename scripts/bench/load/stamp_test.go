package load_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench/load"
)

func TestStamp(t *testing.T) {
	t.Parallel()
	c := load.NewCoder(0xdeadbeef)
	for _, s := range []load.Stamp{
		{}, {Room: 1, Seq: 2, Sent: 3}, {Room: math.MaxUint16, Seq: math.MaxUint32, Sent: math.MaxInt64}, {Sent: -time.Second},
	} {
		for _, size := range []int{0, load.MinSize, 200} {
			data := c.Data(s, size)
			if len(data) != max(size, load.MinSize) || !json.Valid(data) {
				t.Errorf("data of %d bytes: %q", size, data)
			}
			got, ok := c.Find(append([]byte(`event: x\ndata: {"data":`), data...))
			if !ok || got != s {
				t.Errorf("found %+v, %v in %q, want %+v", got, ok, data, s)
			}
			if _, ok := load.NewCoder(0xdeadbeee).Find(data); ok {
				t.Errorf("another run finds %q", data)
			}
		}
	}
}

func TestFindRefuses(t *testing.T) {
	t.Parallel()
	c := load.NewCoder(7)
	good := string(c.Data(load.Stamp{Room: 1, Seq: 2, Sent: 3}, 0))
	for _, bad := range []string{
		"", "~tb:", good[:len(good)-2], strings.Replace(good, ":0001:", ":000g:", 1),
		strings.Replace(good, ":0001:", ":0001;", 1), strings.Replace(good, "~\"", "-\"", 1),
	} {
		if s, ok := c.Find([]byte(bad)); ok {
			t.Errorf("found %+v in %q", s, bad)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	c := load.NewCoder(7)
	frame := append([]byte(strings.Repeat("id: 4LRP5PDQDGVW-17\nevent: message\n", 5)), c.Data(load.Stamp{Room: 1, Seq: 2, Sent: 3}, 200)...)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Find(frame); !ok {
			b.Fatal("not found")
		}
	}
}
