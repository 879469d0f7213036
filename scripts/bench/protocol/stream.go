package protocol

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// Bounds of what a server may send before the bench believes it is broken.
const (
	// maxHead bounds the head of a response in bytes.
	maxHead = 16 << 10
	// maxMessage bounds one message in bytes. The server's events end at 1 MiB.
	maxMessage = 4 << 20
)

// Inbox takes the messages of a stream.
type Inbox interface {
	// Message is called for each complete message. cursor is the position it moves the
	// client to, empty if it moves none. Both are valid during the call only. An error
	// ends the stream.
	Message(cursor, body []byte) error
}

// Stream is one stream of events. Take belongs to the goroutine that reads the
// connection; Leave may be called by any.
type Stream struct {
	transport Transport
	key       string
	out       io.Writer
	inbox     Inbox
	left      atomic.Bool // our close frame was sent

	head    []byte  // of the response, while it comes in
	decoder decoder // nil until the head is complete
}

// decoder turns a connection's bytes into messages.
type decoder interface {
	decode(piece []byte, to *Stream) error
}

// Open asks for a stream over a connection to the server. What is then read from the
// connection belongs to Take.
func Open(t Transport, r Request, conn io.Writer, to Inbox) (*Stream, error) {
	s := &Stream{transport: t, out: conn, inbox: to}
	if t == WebSocket {
		s.key = newKey()
	}
	if _, err := conn.Write(r.head(t, s.key)); err != nil {
		return nil, fmt.Errorf("send the request: %w", err)
	}
	return s, nil
}

// Take takes the next piece of the connection. It fails with ErrRefused, ErrBroken,
// ErrClosed or the inbox's own error, each of which ends the stream.
func (s *Stream) Take(piece []byte) error {
	if s.decoder != nil {
		return s.decoder.decode(piece, s)
	}
	s.head = append(s.head, piece...)
	i := bytes.Index(s.head, []byte("\r\n\r\n"))
	if i < 0 && len(s.head) <= maxHead {
		return nil
	}
	if i < 0 || i > maxHead {
		return fmt.Errorf("%w: a head of over %d bytes", ErrBroken, maxHead)
	}
	head, rest := string(s.head[:i]), s.head[i+4:]
	s.head = nil
	if err := s.accept(head, rest); err != nil {
		return err
	}
	return s.decoder.decode(rest, s)
}

// accept checks the answer and chooses what reads the rest of it, which is shown
// when the server refused.
func (s *Stream) accept(head string, rest []byte) error {
	status, fields, _ := strings.Cut(head, "\r\n")
	want := "HTTP/1.1 200"
	if s.transport == WebSocket {
		want = "HTTP/1.1 101"
	}
	if !strings.HasPrefix(status, want) {
		const shown = 300 // enough for a problem document's title and detail
		return fmt.Errorf("%w with %q: %s", ErrRefused, status, rest[:min(len(rest), shown)])
	}
	switch {
	case s.transport == WebSocket:
		s.decoder = &wsDecoder{}
		return s.upgraded(fields)
	case strings.EqualFold(field(fields, "Transfer-Encoding"), "chunked"):
		s.decoder = &chunkDecoder{}
	default:
		s.decoder = &sseDecoder{}
	}
	return nil
}

// upgraded checks the head of a WebSocket's handshake.
func (s *Stream) upgraded(fields string) error {
	switch {
	case field(fields, "Sec-WebSocket-Accept") != acceptKey(s.key):
		return fmt.Errorf("%w: a wrong Sec-WebSocket-Accept", ErrBroken)
	case !strings.EqualFold(field(fields, "Upgrade"), "websocket"), !strings.EqualFold(field(fields, "Connection"), "upgrade"):
		return fmt.Errorf("%w: a 101 that does not upgrade to WebSocket", ErrBroken)
	case field(fields, "Sec-WebSocket-Extensions") != "", field(fields, "Sec-WebSocket-Protocol") != "":
		return fmt.Errorf("%w: it chose an extension or a subprotocol that was not offered", ErrBroken)
	}
	return nil
}

// field returns a header's value, "" if there is none.
func field(fields, name string) string {
	for line := range strings.SplitSeq(fields, "\r\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Leave says goodbye where the transport has a word for it: a WebSocket's close
// frame, which the server answers with its own, so that Take fails with ErrClosed.
// It returns false where there is no such word.
func (s *Stream) Leave() (bool, error) {
	if s.transport != WebSocket {
		return false, nil
	}
	if s.left.Swap(true) {
		return true, nil
	}
	return true, s.reply(closeFrame(statusNormal))
}

// reply sends bytes back.
func (s *Stream) reply(b []byte) error {
	if _, err := s.out.Write(b); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}
