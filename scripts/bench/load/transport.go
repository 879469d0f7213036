package load

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Transport is how events reach a subscriber.
type Transport string

// The transports.
const (
	SSE       Transport = "sse"
	WebSocket Transport = "ws"
)

// Bounds of what a server may send before the bench believes it is broken.
const (
	// maxHead bounds the head of a response in bytes.
	maxHead = 16 << 10
	// maxMessage bounds one message in bytes. The server's events end at 1 MiB.
	maxMessage = 4 << 20
)

// errWire says that the server sent what its protocol does not allow.
var errWire = errors.New("the server broke the protocol")

// ParseTransport checks the name of a transport.
func ParseTransport(s string) (Transport, error) {
	if t := Transport(s); t == SSE || t == WebSocket {
		return t, nil
	}
	return "", fmt.Errorf("there is no transport %q: choose %s or %s", s, SSE, WebSocket)
}

// inbox takes the messages of a connection.
type inbox interface {
	// message is called for each complete message. cursor is the position it moves the
	// client to, empty if it moves none. Both are valid during the call only.
	message(cursor, body []byte) error
	// reply sends bytes back.
	reply(b []byte) error
}

// decoder turns a connection's bytes, in pieces of any size, into messages.
type decoder interface {
	decode(piece []byte, to inbox) error
}

// request is the head that opens a stream.
func (t Transport) request(host, query, token, cursor, key string) []byte {
	path := "/v1/events?"
	if t == WebSocket {
		path = "/v1/ws?"
		if cursor != "" {
			query += "&cursor=" + cursor // letters, digits and a hyphen
		}
	}
	b := []byte("GET " + path + query + " HTTP/1.1\r\nHost: " + host + "\r\n")
	if token != "" {
		b = append(b, "Authorization: Bearer "+token+"\r\n"...)
	}
	if t == WebSocket {
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n"...)
	} else {
		b = append(b, "Accept: text/event-stream\r\n"...)
		if cursor != "" {
			b = append(b, "Last-Event-ID: "+cursor+"\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// head is a response's head while it comes in.
type head struct{ text []byte }

// take adds a piece. When the head is complete it returns what follows it.
func (h *head) take(piece []byte) (rest []byte, done bool, err error) {
	h.text = append(h.text, piece...)
	i := bytes.Index(h.text, []byte("\r\n\r\n"))
	if i < 0 && len(h.text) <= maxHead {
		return nil, false, nil
	}
	if i < 0 || i > maxHead {
		return nil, false, fmt.Errorf("%w: a head of over %d bytes", errWire, maxHead)
	}
	rest = h.text[i+4:]
	h.text = h.text[:i]
	return rest, true, nil
}

// field returns a header's value, "" if there is none.
func (h *head) field(name string) string {
	for line := range strings.SplitSeq(string(h.text), "\r\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// decoder checks the answer and returns what reads the rest of it. rest is shown
// when the server refused.
func (h *head) decoder(t Transport, key string, rest []byte) (decoder, error) {
	status, _, _ := strings.Cut(string(h.text), "\r\n")
	want := "HTTP/1.1 200"
	if t == WebSocket {
		want = "HTTP/1.1 101"
	}
	if !strings.HasPrefix(status, want) {
		const shown = 300 // enough for a problem document's title and detail
		return nil, fmt.Errorf("the server answered %q: %s", status, rest[:min(len(rest), shown)])
	}
	if t == WebSocket {
		if h.field("Sec-WebSocket-Accept") != acceptKey(key) {
			return nil, fmt.Errorf("%w: a wrong Sec-WebSocket-Accept", errWire)
		}
		return &wsDecoder{}, nil
	}
	if strings.EqualFold(h.field("Transfer-Encoding"), "chunked") {
		return &chunkDecoder{}, nil
	}
	return &sseDecoder{}, nil
}
