package protocol_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tidings/scripts/bench/protocol"
	"tidings/shared/event"
)

// inbox keeps what comes.
type inbox struct{ got []string }

func (i *inbox) Message(cursor, body []byte) error {
	i.got = append(i.got, string(cursor)+" "+string(body))
	return nil
}

// asked opens a stream and returns the request that the server got.
func asked(t *testing.T, transport protocol.Transport, r protocol.Request) (*protocol.Stream, *inbox, *bytes.Buffer, *http.Request) {
	t.Helper()
	var out bytes.Buffer
	in := &inbox{}
	s, err := protocol.Open(transport, r, &out, in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	return s, in, &out, req
}

// upgrade is a server's answer to a WebSocket's request.
func upgrade(req *http.Request) string {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
}

// open is a WebSocket that the server accepted.
func open(t *testing.T) (*protocol.Stream, *inbox, *bytes.Buffer) {
	t.Helper()
	s, in, out, req := asked(t, protocol.WebSocket, protocol.Request{Host: "h"})
	if err := s.Take([]byte(upgrade(req) + "\r\n")); err != nil {
		t.Fatal(err)
	}
	return s, in, out
}

func TestRequest(t *testing.T) {
	t.Parallel()
	r := protocol.Request{Host: "127.0.0.1:8080", Query: "topics=user,room.x", Token: "tok", Cursor: "E1-7"}
	_, _, _, sse := asked(t, protocol.SSE, r)
	if sse.URL.String() != "/v1/events?topics=user,room.x" || sse.Header.Get("Last-Event-ID") != "E1-7" || sse.Header.Get("Authorization") != "Bearer tok" ||
		sse.Host != "127.0.0.1:8080" {
		t.Errorf("asks for %v with %v", sse.URL, sse.Header)
	}
	_, _, _, ws := asked(t, protocol.WebSocket, r)
	if ws.URL.String() != "/v1/ws?topics=user,room.x&cursor=E1-7" || ws.Header.Get("Sec-WebSocket-Version") != "13" || ws.Header.Get("Upgrade") != "websocket" ||
		len(ws.Header.Get("Sec-WebSocket-Key")) != 24 || ws.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("asks for %v with %v", ws.URL, ws.Header)
	}
	for _, transport := range []protocol.Transport{protocol.SSE, protocol.WebSocket} {
		if got, want := string(r.Head(transport)[:12]), map[protocol.Transport]string{protocol.SSE: "GET /v1/even", protocol.WebSocket: "GET /v1/ws?t"}[transport]; got != want {
			t.Errorf("%s begins with %q", transport, got)
		}
	}
}

func TestUpgradeIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) string{
		"key":         func(s string) string { return strings.ReplaceAll(s, "Accept: ", "Accept: x") },
		"upgrade":     func(s string) string { return strings.ReplaceAll(s, "Upgrade: websocket", "Upgrade: h2c") },
		"connection":  func(s string) string { return strings.ReplaceAll(s, "Connection: Upgrade", "Connection: close") },
		"extension":   func(s string) string { return s + "Sec-WebSocket-Extensions: permessage-deflate\r\n" },
		"subprotocol": func(s string) string { return s + "Sec-WebSocket-Protocol: chat\r\n" },
	} {
		s, _, _, req := asked(t, protocol.WebSocket, protocol.Request{Host: "h"})
		if err := s.Take([]byte(change(upgrade(req)) + "\r\n")); !errors.Is(err, protocol.ErrBroken) {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
	s, _, _, _ := asked(t, protocol.WebSocket, protocol.Request{Host: "h"})
	if err := s.Take([]byte("HTTP/1.1 404 Not Found\r\n\r\nno such thing")); !errors.Is(err, protocol.ErrRefused) || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("a refusal: %v", err)
	}
}

// text is a server's frame of one message.
func text(s string) string {
	if len(s) > 125 {
		return string([]byte{0x81, 126, byte(len(s) >> 8), byte(len(s))}) + s
	}
	return string([]byte{0x81, byte(len(s))}) + s
}

// TestCursors takes the messages of the protocol: the cursor is the object's last
// member, and one within the data is not meant.
func TestCursors(t *testing.T) {
	t.Parallel()
	e := event.Event{Topic: "room.x", Type: "t", ID: "i", Data: []byte(`{"cursor":"E9-9"}`)}
	for _, c := range []struct{ body, want string }{
		{string(e.AppendJSONCursor(nil, event.Cursor{Epoch: "E1", Seq: 5})), "E1-5"},
		{string(e.AppendJSON(nil, event.Cursor{})), ""},
		{`{"type":"tidings.hello","data":{"conn":"c","cursor":"E1-1"},"cursor":"E1-2"}`, "E1-2"},
		{`{"type":"tidings.live","data":{"cursor":"E1-1"}}`, ""},
		{`{"cursor":"E1-3"}`, "E1-3"},
		{`{"re":1,"ok":true}`, ""},
	} {
		s, in, _ := open(t)
		if err := s.Take([]byte(text(c.body))); err != nil {
			t.Fatal(err)
		}
		if len(in.got) != 1 || in.got[0] != c.want+" "+c.body {
			t.Errorf("got %q, want the cursor %q", in.got, c.want)
		}
	}
}

// unmask reads a client's control frame.
func unmask(t *testing.T, b []byte) (op byte, payload string) {
	t.Helper()
	if len(b) < 6 || b[1]&0x80 == 0 || len(b) != 6+int(b[1]&0x7f) {
		t.Fatalf("% x is no masked control frame", b)
	}
	for i := range b[6:] {
		b[6+i] ^= b[2+i%4]
	}
	return b[0], string(b[6:])
}

func TestPing(t *testing.T) {
	t.Parallel()
	s, in, out := open(t)
	if err := s.Take([]byte("\x89\x05hello" + text(`{"cursor":"E1-3"}`))); err != nil {
		t.Fatal(err)
	}
	if op, payload := unmask(t, out.Bytes()); op != 0x8A || payload != "hello" || len(in.got) != 1 {
		t.Errorf("a ping is answered with %#x %q, and the rest is %q", op, payload, in.got)
	}
}

// TestClose closes from both sides.
func TestClose(t *testing.T) {
	t.Parallel()
	s, _, out := open(t)
	if err := s.Take([]byte("\x88\x06\x03\xe9away")); !errors.Is(err, protocol.ErrClosed) || !strings.Contains(err.Error(), `1001 "away"`) {
		t.Errorf("got %v", err)
	}
	if op, payload := unmask(t, out.Bytes()); op != 0x88 || payload != "\x03\xe9" {
		t.Errorf("the answer is %#x %q", op, payload)
	}
	s, _, out = open(t)
	if left, err := s.Leave(); !left || err != nil {
		t.Fatal(left, err)
	}
	if op, payload := unmask(t, out.Bytes()); op != 0x88 || payload != "\x03\xe8" {
		t.Errorf("we leave with %#x %q", op, payload)
	}
	out.Reset()
	if err := s.Take([]byte("\x88\x02\x03\xe8")); !errors.Is(err, protocol.ErrClosed) || out.Len() > 0 {
		t.Errorf("got %v, and %d bytes in answer to an answer", err, out.Len())
	}
	sse, _, _, _ := asked(t, protocol.SSE, protocol.Request{Host: "h"})
	if left, err := sse.Leave(); left || err != nil {
		t.Errorf("an event stream has a word for leaving: %v, %v", left, err)
	}
}

func TestFrameFaults(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"a mask":                         "\x81\x80\x00\x00\x00\x00",
		"a reserved bit":                 "\xC1\x00",
		"a reserved opcode":              "\x83\x00",
		"a binary message":               "\x82\x02{}",
		"a huge frame":                   "\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00",
		"a continuation of nothing":      "\x80\x02{}",
		"a message within another":       "\x01\x01{\x81\x02{}",
		"a ping in fragments":            "\x09\x00",
		"a ping that is too long":        "\x89\x7e\x00\x80" + strings.Repeat("x", 128),
		"a close frame with half a code": "\x88\x01\x03",
	} {
		s, _, _ := open(t)
		if err := s.Take([]byte(frame)); !errors.Is(err, protocol.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControlOf(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]protocol.Control{
		"event: tidings.hello\ndata: {}": protocol.Hello, `{"type":"tidings.gap","data":{}}`: protocol.Gap,
		`{"type":"tidings.bye"}`: protocol.Bye, `{"cursor":"E1-1"}`: protocol.None, "": protocol.None,
	} {
		if got := protocol.ControlOf([]byte(body)); got != want {
			t.Errorf("%q is %d", body, got)
		}
	}
}

func TestParseTransport(t *testing.T) {
	t.Parallel()
	if got, err := protocol.ParseTransport("ws"); got != protocol.WebSocket || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := protocol.ParseTransport("pigeon"); err == nil {
		t.Error("there are pigeons")
	}
}
