package websockettest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"
)

const (
	// patience is how long Dial, a read or a write may take before the test is told.
	patience = 10 * time.Second
	// maxRead is the largest message that is read, in bytes, so that a broken length
	// does not take the machine's memory.
	maxRead = 64 << 20
	// maxBody is how much of a refusal's body is kept, in bytes.
	maxBody = 64 << 10
)

// The opcodes.
const (
	Continuation byte = 0x0
	Text         byte = 0x1
	Binary       byte = 0x2
	Close        byte = 0x8
	Ping         byte = 0x9
	Pong         byte = 0xA
)

// OfferDeflate is the Sec-WebSocket-Extensions header that browsers send.
const OfferDeflate = "permessage-deflate; client_max_window_bits"

// Refused is an answer that is not a WebSocket.
type Refused struct {
	Status int
	Header http.Header
	Body   []byte
}

// Error is the status and the body.
func (e *Refused) Error() string { return fmt.Sprintf("refused with %d: %s", e.Status, e.Body) }

// Message is what the server said: a whole message or a control frame.
type Message struct {
	// Opcode is Text, Binary, Close, Ping or Pong.
	Opcode byte
	// Payload is the message, inflated; of a close frame, the reason.
	Payload []byte
	// Code is the status of a close frame, 1005 if it had none.
	Code uint16
	// Deflated says that the message came compressed.
	Deflated bool
}

// Conn is a client's end of a WebSocket.
type Conn struct {
	// Header is the header of the server's answer.
	Header http.Header
	// Net is the socket.
	Net net.Conn

	r       *bufio.Reader
	deflate bool
}

// Dial opens a WebSocket at an http or ws URL. header is added to the request, and
// wins over what Dial would send; "Sec-WebSocket-Extensions": OfferDeflate asks for
// compression. The error is a *Refused if the server answered anything but 101.
func Dial(address string, header http.Header) (*Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("parse address: %w", err)
	}
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return Open(conn, u, header)
}

// Open is Dial over a connection that exists, such as one with TLS, and closes it
// if it fails.
func Open(conn net.Conn, u *url.URL, header http.Header) (*Conn, error) {
	c := &Conn{Net: conn, r: bufio.NewReader(conn)}
	if err := c.shake(u, header); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// shake sends the request and checks the answer.
func (c *Conn) shake(u *url.URL, header http.Header) error {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key},
	}}
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	c.Net.SetDeadline(time.Now().Add(patience))
	defer c.Net.SetDeadline(time.Time{})
	if err := r.Write(c.Net); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	answer, err := http.ReadResponse(c.r, r)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
		if err != nil {
			return fmt.Errorf("read refusal: %w", err)
		}
		return &Refused{Status: answer.StatusCode, Header: answer.Header, Body: body}
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if got := answer.Header.Get("Sec-WebSocket-Accept"); got != base64.StdEncoding.EncodeToString(sum[:]) {
		return fmt.Errorf("the answer has Sec-WebSocket-Accept %q", got)
	}
	c.Header = answer.Header
	c.deflate = answer.Header.Get("Sec-WebSocket-Extensions") != ""
	return nil
}

// Close closes the socket, without a close frame.
func (c *Conn) Close() error { return c.Net.Close() }

// Write sends bytes as they are.
func (c *Conn) Write(b []byte) (int, error) {
	c.Net.SetWriteDeadline(time.Now().Add(patience))
	return c.Net.Write(b)
}

// WriteText sends a text message of one frame.
func (c *Conn) WriteText(s string) error { return c.WriteFrame(Text, true, false, []byte(s)) }

// WriteClose sends a close frame.
func (c *Conn) WriteClose(code uint16, reason string) error {
	return c.WriteFrame(Close, true, false, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// WriteFrame sends one masked frame.
func (c *Conn) WriteFrame(op byte, fin, rsv1 bool, payload []byte) error {
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails
	_, err := c.Write(AppendFrame(nil, op, fin, rsv1, mask, payload))
	return err
}

// AppendFrame appends a client's frame.
func AppendFrame(dst []byte, op byte, fin, rsv1 bool, mask [4]byte, payload []byte) []byte {
	first := op
	if fin {
		first |= 0x80
	}
	if rsv1 {
		first |= 0x40
	}
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, first, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, first, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, 0x80|127), uint64(n))
	}
	dst = append(dst, mask[:]...)
	for i, b := range payload {
		dst = append(dst, b^mask[i%4])
	}
	return dst
}

// ReadMessage returns the next message or control frame. After a close frame and
// the end of the socket the error is io.EOF.
func (c *Conn) ReadMessage() (Message, error) {
	c.Net.SetReadDeadline(time.Now().Add(patience))
	var m Message
	for started := false; ; {
		first, payload, err := c.readFrame()
		if err != nil {
			return m, err
		}
		op, fin, rsv1 := first&0x0f, first&0x80 != 0, first&0x40 != 0
		switch {
		case op >= Close:
			// Between fragments it would be lost, and no server of ours fragments.
			if started {
				return m, errors.New("a control frame between fragments")
			}
			return controlMessage(first, payload)
		case (op == Continuation) != started:
			return m, fmt.Errorf("opcode %d out of place", op)
		case rsv1 && (started || !c.deflate):
			return m, errors.New("RSV1 out of place")
		}
		if !started {
			m.Opcode, m.Deflated, started = op, rsv1, true
		}
		if m.Payload = append(m.Payload, payload...); len(m.Payload) > maxRead {
			return m, errors.New("the message is too large")
		}
		if fin {
			return c.complete(m)
		}
	}
}

// complete inflates and checks a message that is all there.
func (c *Conn) complete(m Message) (Message, error) {
	if m.Deflated {
		var err error
		if m.Payload, err = Inflate(m.Payload); err != nil {
			return m, err
		}
	}
	if m.Opcode == Text && !utf8.Valid(m.Payload) {
		return m, errors.New("the text is not UTF-8")
	}
	return m, nil
}

// Inflate decompresses the payload of a compressed message.
func Inflate(payload []byte) ([]byte, error) {
	z := flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	out, err := io.ReadAll(io.LimitReader(z, maxRead))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	return out, nil
}

// controlMessage checks a control frame.
func controlMessage(first byte, payload []byte) (Message, error) {
	m := Message{Opcode: first & 0x0f, Payload: payload}
	switch {
	case first&0xc0 != 0x80 || len(payload) > 125 || m.Opcode > Pong:
		return m, fmt.Errorf("control frame with first byte %#x and %d bytes", first, len(payload))
	case m.Opcode != Close:
		return m, nil
	case len(payload) == 0:
		m.Code = 1005
		return m, nil
	case len(payload) == 1 || !utf8.Valid(payload[2:]):
		return m, fmt.Errorf("close frame with payload %q", payload)
	}
	m.Code, m.Payload = binary.BigEndian.Uint16(payload), payload[2:]
	return m, nil
}

// readFrame reads one frame of the server.
func (c *Conn) readFrame() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.r, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[0]&0x30 != 0 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame header % x: a reserved bit or a mask", head[:2])
	}
	n, least := uint64(head[1]), uint64(0)
	switch n {
	case 126:
		_, err = io.ReadFull(c.r, head[2:4])
		n, least = uint64(binary.BigEndian.Uint16(head[2:])), 126
	case 127:
		_, err = io.ReadFull(c.r, head[2:10])
		n, least = binary.BigEndian.Uint64(head[2:]), 1<<16
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read length: %w", err)
	}
	if n < least || n > maxRead {
		return 0, nil, fmt.Errorf("length %d in %d bytes", n, head[1])
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return 0, nil, fmt.Errorf("read payload: %w", err)
	}
	return head[0], payload, nil
}
