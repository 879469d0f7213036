package protocol

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1" // RFC 6455 asks for it, and nothing is secret.
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

const (
	// maxControl is the longest payload of a control frame.
	maxControl = 125
	// statusNormal is the code of a close frame for a purpose fulfilled.
	statusNormal = 1000
)

// wsGUID is what RFC 6455 appends to the key of a handshake.
const wsGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// newKey draws the key of a handshake.
func newKey() string {
	b := make([]byte, 16)
	rand.Read(b) // It never fails; the program crashes without randomness.
	return base64.StdEncoding.EncodeToString(b)
}

// acceptKey is what a server must answer to a key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + wsGUID)) // See the import.
	return base64.StdEncoding.EncodeToString(sum[:])
}

// wsDecoder reads WebSocket frames. It offers no extension, so a set reserved bit is
// a fault.
type wsDecoder struct {
	carry   []byte // the beginning of a frame that is not complete
	message []byte // the fragments of a message that is not complete
	partial bool   // there are some
}

// decode implements decoder.
func (d *wsDecoder) decode(piece []byte, to *Stream) error {
	for len(piece) > 0 {
		frame := piece
		if len(d.carry) > 0 {
			frame = d.carry
		}
		n, err := frameLength(frame)
		if err != nil {
			return err
		}
		switch {
		case len(d.carry) > 0 && n == 0: // a byte at a time until the length is known
			d.carry, piece = append(d.carry, piece[0]), piece[1:]
			continue
		case len(d.carry) > 0:
			take := min(n-len(d.carry), len(piece))
			d.carry, piece = append(d.carry, piece[:take]...), piece[take:]
			frame = d.carry
			if len(frame) < n {
				return nil
			}
		case n == 0 || n > len(piece):
			d.carry = append(d.carry, piece...)
			return nil
		default:
			piece = piece[n:]
		}
		if err := d.frame(frame[:n], to); err != nil {
			return err
		}
		d.carry = d.carry[:0]
	}
	return nil
}

// headLength is the length of a frame's head by its second byte. A server's frames
// are not masked.
func headLength(second byte) int {
	switch second {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// frameLength is the length of the frame that b begins with, 0 if b is too short to
// tell.
func frameLength(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return 0, fmt.Errorf("%w: a frame with reserved bits or a mask", ErrBroken)
	}
	n := headLength(b[1])
	if len(b) < n {
		return 0, nil
	}
	size := uint64(b[1])
	switch n {
	case 4:
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxMessage {
		return 0, fmt.Errorf("%w: a frame of over %d bytes", ErrBroken, maxMessage)
	}
	return n + int(size), nil
}

// frame takes one complete frame.
func (d *wsDecoder) frame(f []byte, to *Stream) error {
	payload := f[headLength(f[1]):]
	final := f[0]&0x80 != 0
	op := f[0] & 0x0f
	switch {
	case op >= opClose && (!final || len(payload) > maxControl):
		return fmt.Errorf("%w: a control frame in fragments or of %d bytes", ErrBroken, len(payload))
	case op == opText && d.partial, op == opContinuation && !d.partial:
		return fmt.Errorf("%w: a fragment without the others of its message", ErrBroken)
	}
	switch op {
	case opText, opContinuation:
		return d.part(payload, final, to)
	case opPing:
		return to.reply(controlFrame(opPong, payload))
	case opPong:
		return nil
	case opClose:
		return closed(payload, to)
	default: // binary too: messages are JSON
		return fmt.Errorf("%w: opcode %#x", ErrBroken, op)
	}
}

// part takes a message or a fragment of one.
func (d *wsDecoder) part(payload []byte, final bool, to *Stream) error {
	if final && !d.partial {
		return deliver(payload, to)
	}
	if len(d.message)+len(payload) > maxMessage {
		return fmt.Errorf("%w: a message of over %d bytes", ErrBroken, maxMessage)
	}
	d.message, d.partial = append(d.message, payload...), !final
	if !final {
		return nil
	}
	whole := d.message
	d.message = d.message[:0]
	return deliver(whole, to)
}

// closed answers a close frame, unless it is the answer to ours.
func closed(payload []byte, to *Stream) error {
	if len(payload) == 1 {
		return fmt.Errorf("%w: a close frame with half a code", ErrBroken)
	}
	why := "no code"
	if len(payload) >= 2 {
		why = fmt.Sprintf("%d %q", binary.BigEndian.Uint16(payload), payload[2:])
	}
	if !to.left.Swap(true) {
		// An answer that does not get through changes nothing about the end.
		_ = to.reply(controlFrame(opClose, payload[:min(len(payload), 2)]))
	}
	return fmt.Errorf("%w: %s", ErrClosed, why)
}

// deliver hands on one message. Its cursor is the last member of the JSON object; a
// member of that name further inside is somebody's data.
func deliver(b []byte, to *Stream) error {
	var cursor []byte
	const member = `"cursor":"`
	if i := bytes.LastIndex(b, []byte(member)); i >= 0 {
		if value, ok := bytes.CutSuffix(b[i+len(member):], []byte(`"}`)); ok && bytes.IndexByte(value, '"') < 0 {
			cursor = value
		}
	}
	return to.inbox.Message(cursor, b)
}

// controlFrame is a client's control frame: final and masked.
func controlFrame(op byte, payload []byte) []byte {
	var mask [4]byte
	rand.Read(mask[:]) // It never fails; the program crashes without randomness.
	n := min(len(payload), maxControl)
	b := append(make([]byte, 0, 6+n), 0x80|op, 0x80|byte(n)) // At most 125.
	b = append(b, mask[:]...)
	for i, c := range payload[:n] {
		b = append(b, c^mask[i%4])
	}
	return b
}

// closeFrame is a close frame with a code.
func closeFrame(code uint16) []byte {
	return controlFrame(opClose, binary.BigEndian.AppendUint16(nil, code))
}
