package websocket_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"tidings/services/edge/websocket"
)

// TestAppend reads the frames with another library.
func TestAppend(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000} {
		payload := []byte(strings.Repeat("x", n))
		control := payload[:min(n, 125)]
		for _, c := range []struct {
			got  []byte
			want ws.Header
			body []byte
		}{
			{websocket.AppendText(nil, payload), ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(n)}, payload},
			{websocket.AppendDeflated(nil, payload), ws.Header{Fin: true, Rsv: ws.Rsv(true, false, false), OpCode: ws.OpText, Length: int64(n)}, payload},
			{append(websocket.AppendHeader(nil, websocket.Binary, false, false, n), payload...), ws.Header{OpCode: ws.OpBinary, Length: int64(n)}, payload},
			{websocket.AppendPing(nil, payload), ws.Header{Fin: true, OpCode: ws.OpPing, Length: int64(len(control))}, control},
			{websocket.AppendPong(nil, payload), ws.Header{Fin: true, OpCode: ws.OpPong, Length: int64(len(control))}, control},
		} {
			r := bytes.NewReader(c.got)
			h, err := ws.ReadHeader(r)
			if err != nil || h != c.want {
				t.Errorf("%d bytes: header %+v, want %+v (%v)", n, h, c.want, err)
			}
			if rest := c.got[len(c.got)-r.Len():]; !bytes.Equal(rest, c.body) {
				t.Errorf("%d bytes: %d bytes of payload", n, len(rest))
			}
		}
	}
	if got := websocket.AppendText([]byte("before"), []byte("a")); string(got) != "before\x81\x01a" {
		t.Errorf("dst is lost: %q", got)
	}
}

func TestAppendClose(t *testing.T) {
	t.Parallel()
	euros := strings.Repeat("€", 42) // 126 bytes
	for _, c := range []struct {
		code   uint16
		reason string
		want   string
	}{
		{websocket.CloseNormal, "", "\x88\x02\x03\xe8"},
		{websocket.CloseGoingAway, "bye", "\x88\x05\x03\xe9bye"},
		{4999, "ours", "\x88\x06\x13\x87ours"},
		{websocket.CloseTryLater, strings.Repeat("x", 200), "\x88\x7d\x03\xf5" + strings.Repeat("x", 123)},
		{websocket.CloseInternal, euros, "\x88\x7d\x03\xf3" + euros[:123]},
		{websocket.CloseInternal, "x" + euros, "\x88\x7b\x03\xf3x" + euros[:120]},
		{websocket.CloseNoStatus, "lost", "\x88\x00"},
		{1006, "", "\x88\x00"},
		{0, "", "\x88\x00"},
		{5000, "", "\x88\x00"},
	} {
		got := websocket.AppendClose(nil, c.code, c.reason)
		if string(got) != c.want {
			t.Errorf("%d %q: got %q, want %q", c.code, c.reason, got, c.want)
		}
		if len(got) > 4 && !utf8.Valid(got[4:]) {
			t.Errorf("%d %q: half a character", c.code, c.reason)
		}
	}
}
