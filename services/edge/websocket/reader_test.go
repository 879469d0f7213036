package websocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
)

// roomy are limits that only the tests of limits reach.
func roomy() websocket.Limits {
	return websocket.Limits{MaxFrame: 8 << 20, MaxMessage: 8 << 20, MaxFragments: 1 << 17, Binary: true}
}

// mask is a mask of which every byte differs.
func mask() [4]byte { return [4]byte{0x37, 0xfa, 0x21, 0x3d} }

// frame is a client's frame as it should be.
func frame(op byte, fin bool, payload string) string {
	return string(websockettest.AppendFrame(nil, op, fin, false, mask(), []byte(payload)))
}

// odd is a client's frame with any first byte.
func odd(first byte, payload string) string {
	f := []byte(frame(websockettest.Text, true, payload))
	f[0] = first
	return string(f)
}

func text(s string) string   { return frame(websockettest.Text, true, s) }
func binary(s string) string { return frame(websockettest.Binary, true, s) }
func begin(s string) string  { return frame(websockettest.Text, false, s) }
func more(s string) string   { return frame(websockettest.Continuation, false, s) }
func last(s string) string   { return frame(websockettest.Continuation, true, s) }
func ping(s string) string   { return frame(websockettest.Ping, true, s) }
func pong(s string) string   { return frame(websockettest.Pong, true, s) }
func bye(s string) string    { return frame(websockettest.Close, true, s) }

// fragments is a message cut into frames of n bytes.
func fragments(op byte, s string, n int) string {
	var b strings.Builder
	for i := 0; i < len(s); i += n {
		b.WriteString(frame(op, i+n >= len(s), s[i:min(len(s), i+n)]))
		op = websockettest.Continuation
	}
	return b.String()
}

// tell is a message in words.
func tell(m websocket.Message) string {
	switch m.Opcode {
	case websocket.Text:
		return "text " + string(m.Payload)
	case websocket.Binary:
		return "binary " + string(m.Payload)
	case websocket.Ping:
		return "ping " + string(m.Payload)
	case websocket.Pong:
		return "pong " + string(m.Payload)
	case websocket.Close:
		return fmt.Sprintf("close %d %s", m.Code, m.Payload)
	default:
		return fmt.Sprintf("opcode %d", m.Opcode)
	}
}

// hear feeds the input in pieces of the sizes that next returns and tells what came
// of it. Each piece is spoiled once it was fed: a Reader keeps nothing of it.
func hear(t testing.TB, in []byte, lim websocket.Limits, next func() int) []string {
	t.Helper()
	var r websocket.Reader
	defer r.Release()
	var out []string
	ended := false
	for len(in) > 0 {
		n := min(max(1, next()), len(in))
		piece := bytes.Clone(in[:n])
		in = in[n:]
		err := r.Feed(piece, lim, func(m websocket.Message) error {
			if ended {
				t.Error("a message after the end")
			}
			out = append(out, tell(m))
			ended = ended || m.Opcode == websocket.Close
			return nil
		})
		for i := range piece {
			piece[i] = 0xEE
		}
		if err != nil {
			var c *websocket.CloseError
			if !errors.As(err, &c) || ended {
				t.Errorf("error %v (ended: %t)", err, ended)
				return out
			}
			out = append(out, fmt.Sprintf("error %d", c.Code))
			ended = true
		}
		if ended && r.Held() > 0 {
			t.Error("a Reader that has ended holds a buffer")
		}
	}
	return out
}

// check feeds the input whole, byte by byte, cut in two at every place and in random
// pieces, and compares with what is wanted and with the naive reader.
func check(t *testing.T, in string, lim websocket.Limits, want []string) {
	t.Helper()
	same := func(how string, got []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", how, short(got), short(want))
		}
	}
	b := []byte(in)
	same("naive", understand(b, lim))
	same("whole", hear(t, b, lim, func() int { return len(b) }))
	same("octets", hear(t, b, lim, func() int { return 1 }))
	if len(b) <= 512 {
		for at := 1; at < len(b); at++ {
			next := at
			same(fmt.Sprintf("cut at %d", at), hear(t, b, lim, func() int {
				n := next
				next = len(b)
				return n
			}))
		}
	}
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		most := 1 << (2 * (seed + 1))
		same(fmt.Sprintf("seed %d", seed), hear(t, b, lim, func() int { return 1 + rnd.IntN(most) }))
	}
}

// short is outcomes that can be read in a failure.
func short(out []string) string {
	var b strings.Builder
	for _, s := range out {
		if len(s) > 60 {
			s = fmt.Sprintf("%s… (%d bytes)", s[:60], len(s))
		}
		fmt.Fprintf(&b, "[%q]", s)
	}
	return b.String()
}

func TestReaderIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(websocket.Reader{}); n > 64 {
		t.Errorf("%d bytes", n)
	}
}

// TestBuffers says when a Reader holds a buffer, and that an announced length is
// not believed before the bytes are there.
func TestBuffers(t *testing.T) {
	t.Parallel()
	var r websocket.Reader
	lim := websocket.Limits{MaxMessage: 1 << 30}
	ignore := func(websocket.Message) error { return nil }
	feed := func(s string) {
		t.Helper()
		if err := r.Feed([]byte(s), lim, ignore); err != nil {
			t.Fatal(err)
		}
	}
	feed(text("whole") + ping("whole") + text("half")[:4])
	if n := r.Held(); n != 0 {
		t.Errorf("holds %d bytes between messages and within a header", n)
	}
	feed(text("half")[4:8])
	if r.Held() == 0 {
		t.Error("an incomplete message is nowhere")
	}
	feed(text("half")[8:])
	if n := r.Held(); n != 0 {
		t.Errorf("holds %d bytes after a message", n)
	}
	feed(ping("half")[:8])
	if r.Held() == 0 {
		t.Error("an incomplete ping is nowhere")
	}
	feed(ping("half")[8:])
	if n := r.Held(); n != 0 {
		t.Errorf("holds %d bytes after a ping", n)
	}
	feed("\x81\xff\x00\x00\x00\x00\x3f\xff\xff\xff\x00\x00\x00\x00" + "one GiB is coming")
	if n := r.Held(); n == 0 || n > 64<<10 {
		t.Errorf("holds %d bytes for what was announced", n)
	}
	r.Release()
	if n := r.Held(); n != 0 {
		t.Errorf("holds %d bytes after Release", n)
	}
}

// TestHandleError ends the Reader with the handler's own error.
func TestHandleError(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for name, in := range map[string]string{
		"text": text("a"), "ping": ping("a"), "close": bye(""), "fragments": begin("a") + last("b"),
		"ping between": begin("a") + ping("b"),
	} {
		for _, size := range []int{1, 100} {
			var r websocket.Reader
			calls := 0
			handle := func(websocket.Message) error {
				calls++
				return enough
			}
			var err error
			for piece := range slices.Chunk([]byte(in+text("never")), size) {
				if e := r.Feed(piece, roomy(), handle); e != nil && err == nil {
					err = e
				}
			}
			if err != enough || calls != 1 || r.Held() != 0 {
				t.Errorf("%s by %d: error %v, %d calls, %d bytes held", name, size, err, calls, r.Held())
			}
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	largest := strings.Repeat("x", websocket.DefaultMaxMessage)
	for name, c := range map[string]struct {
		in   string
		want uint16
	}{
		"largest":   {text(largest), 0},
		"larger":    {text(largest + "x"), websocket.CloseTooBig},
		"binary":    {binary("x"), websocket.CloseUnsupported},
		"fragments": {fragments(websockettest.Text, largest[:websocket.DefaultMaxFragments], 1), 0},
		"more":      {fragments(websockettest.Text, largest[:websocket.DefaultMaxFragments+1], 1), websocket.CloseTooBig},
		"deflate":   {odd(0xC1, "x"), websocket.CloseProtocol},
	} {
		var r websocket.Reader
		err := r.Feed([]byte(c.in), websocket.Limits{}, func(websocket.Message) error { return nil })
		var e *websocket.CloseError
		if errors.As(err, &e); e != nil && e.Code != c.want || e == nil && c.want != 0 {
			t.Errorf("%s: %v, want %d", name, err, c.want)
		}
	}
}
