package websocket_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"tidings/services/edge/websocket"
)

// FuzzFeed compares Feed, however its input is cut, with the naive reader.
func FuzzFeed(f *testing.F) {
	for _, r := range slices.Concat(framing(), pingsAndPongs(), reserved(), fragmentation(), utf8Rules(), closing(), lengths()) {
		if len(r.in) < 2000 {
			f.Add([]byte(r.in), uint64(len(r.in)), uint8(1))
		}
	}
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	f.Add([]byte(compressed(1, true, hello)+compressed(1, false, hello[:3])+ping("p")+last(hello[3:])), uint64(7), uint8(3))
	f.Add([]byte(compressed(1, true, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")), uint64(7), uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, flags uint8) {
		lim := websocket.Limits{
			MaxFrame: 1000, MaxMessage: 1500, MaxFragments: 10,
			Binary: flags&1 != 0, Deflate: flags&2 != 0,
		}
		want := understand(in, lim)
		rnd := rand.New(rand.NewPCG(seed, 2))
		for how, next := range map[string]func() int{
			"whole":  func() int { return len(in) },
			"octets": func() int { return 1 },
			"random": func() int { return 1 + rnd.IntN(20) },
		} {
			if got := hear(t, in, lim, next); !slices.Equal(got, want) {
				t.Errorf("%s:\n got %s\nwant %s", how, short(got), short(want))
			}
		}
		var r websocket.Reader
		for _, b := range in {
			if r.Feed([]byte{b}, lim, func(websocket.Message) error { return nil }) != nil {
				break
			}
			// A buffer from the pool may be one that served a larger message.
			if n := r.Held(); n > 64<<10 {
				t.Fatalf("holds %d bytes for messages of %d", n, lim.MaxMessage)
			}
		}
		r.Release()
	})
}
