package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcode is the kind of a frame.
type Opcode byte

// The opcodes of RFC 6455, section 5.2. All others are reserved.
const (
	// Continuation carries on a message whose first frame was not its last.
	Continuation Opcode = 0x0
	// Text begins a message that is UTF-8.
	Text Opcode = 0x1
	// Binary begins a message of any bytes.
	Binary Opcode = 0x2
	// Close says that the sender will send nothing more.
	Close Opcode = 0x8
	// Ping asks for a Pong with the same payload.
	Ping Opcode = 0x9
	// Pong answers a Ping, or is a sign of life by itself.
	Pong Opcode = 0xA
)

const (
	// MaxControl is the largest payload of a control frame, in bytes (RFC 6455,
	// section 5.5).
	MaxControl = 125
	// maxReason is what a close frame has left after its code.
	maxReason = MaxControl - 2
	// maxHeader is the longest header: two bytes, a 64-bit length, the mask.
	maxHeader = 2 + 8 + 4
)

// The bits of a header's two first bytes.
const (
	bitFin  = 0x80
	bitRSV1 = 0x40
	bitsRSV = 0x30 // RSV2 and RSV3, which nothing we agree to uses
	bitMask = 0x80
	lenBits = 0x7f
	len16   = 126 // the length is in the next two bytes
	len64   = 127 // the length is in the next eight bytes
)

// control says whether frames of this kind may stand between the fragments of a
// message, and may not be fragmented themselves.
func (o Opcode) control() bool { return o&0x8 != 0 }

// AppendHeader appends the header of a server's frame with a payload of n bytes.
// fin marks the last frame of a message, rsv1 a compressed one.
func AppendHeader(dst []byte, op Opcode, fin, rsv1 bool, n int) []byte {
	first := byte(op)
	if fin {
		first |= bitFin
	}
	if rsv1 {
		first |= bitRSV1
	}
	switch {
	case n < len16:
		return append(dst, first, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, first, len16), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, len64), uint64(n))
	}
}

// AppendText appends a text message of one frame. payload must be UTF-8; a client
// hangs up on anything else.
func AppendText(dst, payload []byte) []byte {
	return append(AppendHeader(dst, Text, true, false, len(payload)), payload...)
}

// AppendDeflated appends a text message of one frame whose payload Deflate made.
// Only clients that agreed to Handshake.Deflate understand it.
func AppendDeflated(dst, payload []byte) []byte {
	return append(AppendHeader(dst, Text, true, true, len(payload)), payload...)
}

// AppendPing appends a ping. Of payload, the first MaxControl bytes are sent.
func AppendPing(dst, payload []byte) []byte { return appendControl(dst, Ping, payload) }

// AppendPong appends the answer to a ping with that payload.
func AppendPong(dst, payload []byte) []byte { return appendControl(dst, Pong, payload) }

func appendControl(dst []byte, op Opcode, payload []byte) []byte {
	payload = payload[:min(len(payload), MaxControl)]
	return append(AppendHeader(dst, op, true, false, len(payload)), payload...)
}

// AppendClose appends a close frame. A code that may not be on the wire, such as
// CloseNoStatus, sends none. The reason is UTF-8 and cut to what fits, 123 bytes.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	if !validCode(code) {
		return AppendHeader(dst, Close, true, false, 0)
	}
	reason = cut(reason, maxReason)
	dst = AppendHeader(dst, Close, true, false, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, reason...)
}

// cut shortens s to at most n bytes and leaves no half of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
