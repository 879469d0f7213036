package codec_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"tidings/services/edge/codec"
	"tidings/services/edge/tail"
	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
	"tidings/services/edge/wire"
	"tidings/shared/event"
)

// forms are all forms, with how each is made and taken apart again.
var forms = []struct {
	name string
	make func() codec.Codec
	open func(*testing.T, []byte) []string
}{
	{"SSE", func() codec.Codec { return codec.SSE(false) }, openBlocks},
	{"SSE gzip", func() codec.Codec { return codec.SSE(true) }, func(t *testing.T, b []byte) []string { return openBlocks(t, gunzip(t, b)) }},
	{"chunked", func() codec.Codec { return chunked(false) }, func(t *testing.T, b []byte) []string { return openBlocks(t, unchunk(t, b)) }},
	{"chunked gzip", func() codec.Codec { return chunked(true) }, func(t *testing.T, b []byte) []string { return openBlocks(t, gunzip(t, unchunk(t, b))) }},
	{"WebSocket", func() codec.Codec { return codec.WebSocket(false) }, func(t *testing.T, b []byte) []string { return openMessages(t, b, false) }},
	{"WebSocket deflate", func() codec.Codec { return codec.WebSocket(true) }, func(t *testing.T, b []byte) []string { return openMessages(t, b, true) }},
	{"list", codec.List, openList},
}

func chunked(gzip bool) codec.Codec {
	c := codec.SSE(gzip)
	c.Chunk()
	return c
}

// unchunk reads a chunked body with the standard library to its last chunk.
func unchunk(t *testing.T, b []byte) []byte {
	t.Helper()
	out, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatalf("chunks: %v", err)
	}
	return out
}

// gunzip reads a gzip stream with the standard library, which checks its trailer.
func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("gzip after %d bytes: %v", len(out), err)
	}
	return out
}

// openBlocks turns blocks into what the same events are as objects with a cursor.
func openBlocks(t *testing.T, b []byte) []string {
	t.Helper()
	var list []string
	for block := range strings.SplitSeq(string(b), "\n\n") {
		field := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			field[name] = value
		}
		id, kind, data := field["id"], field["event"], field["data"]
		cursor := ""
		if id != "" {
			cursor = `,"cursor":"` + id + `"`
		}
		switch {
		case block == "":
		case field["retry"] != "":
			list = append(list, "retry "+field["retry"])
		case kind == "":
			list = append(list, "{"+cursor[1:]+"}")
		case strings.HasPrefix(kind, event.ReservedPrefix):
			list = append(list, `{"type":"`+kind+`","data":`+data+cursor+"}")
		default:
			list = append(list, strings.TrimSuffix(data, "}")+cursor+"}")
		}
	}
	return list
}

// openMessages reads a server's frames with the strict client of the tests. A ping
// becomes "ping", a close frame its code and reason.
func openMessages(t *testing.T, b []byte, deflate bool) []string {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		r, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		shake, err := websocket.Accept(r, deflate)
		if err != nil {
			return
		}
		_, _ = server.Write(append(shake.AppendHead(nil, nil), b...)) // the client may stop at a fault
	}()
	h := http.Header{}
	if deflate {
		h.Set("Sec-WebSocket-Extensions", websockettest.OfferDeflate)
	}
	c, err := websockettest.Open(client, &url.URL{Scheme: "http", Host: "x", Path: "/"}, h)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var list []string
	for {
		m, err := c.ReadMessage()
		switch {
		case err != nil && err == io.EOF:
			return list
		case err != nil:
			t.Fatalf("after %d messages: %v", len(list), err)
		case m.Opcode == websockettest.Ping:
			list = append(list, "ping")
		case m.Opcode == websockettest.Close:
			list = append(list, "close "+string(m.Payload))
		default:
			list = append(list, string(m.Payload))
		}
	}
}

// openList reads items, a comma after each.
func openList(t *testing.T, b []byte) []string {
	t.Helper()
	var items []json.RawMessage
	if err := json.Unmarshal([]byte("["+strings.TrimSuffix(string(b), ",")+"]"), &items); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	var list []string
	for _, i := range items {
		list = append(list, string(i))
	}
	return list
}

// TestForms says the same in every form and reads it back.
func TestForms(t *testing.T) {
	t.Parallel()
	at := func(seq uint64) event.Cursor { return event.Cursor{Epoch: "e1", Seq: seq} }
	events := []event.Event{
		{Topic: "room.ops", Type: "cpu", ID: "1", Data: []byte(`{"a":1}`)},
		{Topic: "room.ops", Type: "message", Source: "user.ann", Data: []byte("two\nlines, and id: x\ndata: y")},
		{Topic: "room.ops", Type: "n", Data: []byte(`"` + strings.Repeat("paid in full ", 100) + `"`)},
		{Topic: "room.ops", Type: "n", Data: []byte{0xff, 0xfe}},
		{Topic: "room.ops", Type: "n", Data: []byte(`"` + strings.Repeat("x", 100_000) + `"`)},
	}
	fleeting := event.Event{Topic: "room.ops", Type: "cursor", Data: []byte(`{}`)}
	live := wire.Live{Cursor: at(5).String()}
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			tl := tail.New(1 << 20)
			tl.Reset(at(0))
			c := f.make()
			out := c.Opening(1234)
			var want []string
			if !c.Socket() && f.name != "list" {
				want = append(want, "retry 1234")
			}
			hand := func(frame *tail.Frame) {
				out = append(out, c.Bytes(tl, frame)...)
				c.Count(tl, frame)
			}
			for i, ev := range events { // each from the tail, and as one's own
				frame := tail.Encode(ev, at(uint64(i+1)))
				tl.Append(frame)
				hand(frame)
				out = append(out, c.Pack(c.AppendEvent(nil, ev, at(uint64(i+1))))...)
				text := string(ev.AppendJSONCursor(nil, at(uint64(i+1))))
				want = append(want, text, text)
			}
			hand(tail.Encode(fleeting, event.Cursor{}))
			want = append(want, string(fleeting.AppendJSONCursor(nil, event.Cursor{})))
			out = append(out, c.Pack(nil)...)
			both := c.AppendHeartbeat(nil, at(6))
			both = c.AppendControl(both, at(7), wire.TypeLive, live)
			out = append(out, c.Pack(c.AppendControl(both, event.Cursor{}, wire.TypeLive, live))...)
			if f.name != "list" {
				want = append(want, `{"cursor":"e1-6"}`)
			}
			if c.Socket() {
				want = append(want, "ping")
			}
			control := `{"type":"tidings.live","data":{"cursor":"e1-5"}`
			want = append(want, control+`,"cursor":"e1-7"}`, control+`}`)
			out = append(out, c.Farewell(wire.Expired)...)
			got := f.open(t, out)
			if len(got) < len(want)+1 || !strings.HasPrefix(got[len(want)], `{"type":"tidings.bye","data":{"code":"token_expired"`) {
				t.Fatalf("%d things were said, of %d; the last is %.200s", len(got), len(want), got[len(got)-1])
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("number %d is %.300s, want %.300s", i, got[i], want[i])
				}
			}
			if last := got[len(want)+1:]; c.Socket() && (len(last) != 1 || last[0] != "close token_expired") || !c.Socket() && len(last) > 0 {
				t.Errorf("after the bye: %q", last)
			}
		})
	}
}

// TestBytesAreShared: those who have the same form get the same memory.
func TestBytesAreShared(t *testing.T) {
	t.Parallel()
	tl, frame := held(1000)
	for _, f := range forms {
		a, b := f.make(), f.make()
		x, y := a.Bytes(tl, frame), b.Bytes(tl, frame)
		if !bytes.Equal(x, y) || f.name != "list" && &x[0] != &y[0] {
			t.Errorf("%s: the bytes are not shared", f.name)
		}
		for _, g := range forms {
			if o := g.make(); a.Same(&o) != (f.name == g.name) {
				t.Errorf("%s and %s: same is %v", f.name, g.name, a.Same(&o))
			}
		}
	}
}

// held returns a tail with one frame of about size bytes.
func held(size int) (*tail.Tail, *tail.Frame) {
	tl := tail.New(1 << 20)
	tl.Reset(event.Cursor{Epoch: "e1"})
	f := tail.Encode(event.Event{Topic: "room.ops", Type: "n", Data: []byte(`"` + strings.Repeat("paid ", size/5) + `"`)}, event.Cursor{Epoch: "e1", Seq: 1})
	tl.Append(f)
	return tl, f
}

// TestDeliveryAllocates keeps a delivery free of garbage in every form of a stream.
func TestDeliveryAllocates(t *testing.T) {
	tl, frame := held(200)
	for _, f := range forms[:len(forms)-1] { // a poll's answer is one's own
		c := f.make()
		c.Bytes(tl, frame) // the twin
		if n := testing.AllocsPerRun(100, func() { c.Bytes(tl, frame); c.Count(tl, frame) }); n != 0 {
			t.Errorf("%s: %v allocations", f.name, n)
		}
	}
}

// BenchmarkDeliver is what an event costs per connection before its bytes are written.
func BenchmarkDeliver(b *testing.B) {
	tl, frame := held(200)
	for _, f := range forms {
		b.Run(strings.ReplaceAll(f.name, " ", "_"), func(b *testing.B) {
			c := f.make()
			b.ReportAllocs()
			for b.Loop() {
				c.Bytes(tl, frame)
				c.Count(tl, frame)
			}
		})
	}
}
