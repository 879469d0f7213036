package websocket_test

import (
	"bytes"
	"strings"
	"testing"

	"tidings/services/edge/websocket"
)

func BenchmarkAppendText(b *testing.B) {
	payload, dst := []byte(event()), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = websocket.AppendText(dst[:0], payload)
	}
}

// BenchmarkFeed reads commands of 40 bytes that arrive whole, in pieces, compressed
// and as pings.
func BenchmarkFeed(b *testing.B) {
	command := `{"id":1,"do":"subscribe","add":["room"]}`
	lim := websocket.Limits{Deflate: true}
	for name, c := range map[string]struct {
		in    string
		piece int
	}{
		"whole":      {text(command), 1 << 20},
		"pieces":     {text(command), 20},
		"fragments":  {begin(command[:20]) + last(command[20:]), 1 << 20},
		"compressed": {compressed(1, true, deflate(command)), 1 << 20},
		"ping":       {ping("1"), 1 << 20},
		"64KiB":      {text(strings.Repeat("all is well and ", 4096)), 1 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			in, buf := []byte(c.in), make([]byte, len(c.in))
			var r websocket.Reader
			messages := 0
			handle := func(websocket.Message) error {
				messages++
				return nil
			}
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, in) // Feed unmasks in place
				for rest := buf; len(rest) > 0; {
					n := min(c.piece, len(rest))
					if err := r.Feed(rest[:n], lim, handle); err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
			if messages != b.N {
				b.Fatalf("%d messages of %d", messages, b.N)
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	for name, s := range map[string]string{"event": event(), "eight": strings.Repeat(event()+"\n", 8), "64KiB": strings.Repeat(event(), 300)} {
		b.Run(name, func(b *testing.B) {
			payload := []byte(s)
			dst := bytes.Clone(payload)
			b.ReportAllocs()
			for b.Loop() {
				dst = websocket.Deflate(dst[:0], payload)
			}
			b.ReportMetric(float64(len(dst))/float64(len(payload)), "ratio")
		})
	}
}

// TestNoAllocations holds what the benchmarks show for what happens all the time.
func TestNoAllocations(t *testing.T) {
	payload, dst := []byte(event()), make([]byte, 0, 1024)
	in := []byte(text("a command") + ping("p"))
	buf := make([]byte, len(in))
	var r websocket.Reader
	handle := func(websocket.Message) error { return nil }
	for name, f := range map[string]func(){
		"AppendText": func() { dst = websocket.AppendText(dst[:0], payload) },
		"Feed": func() {
			copy(buf, in)
			if err := r.Feed(buf, websocket.Limits{}, handle); err != nil {
				t.Error(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
