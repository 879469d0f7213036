package load

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
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
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
}

// decode implements decoder.
func (d *wsDecoder) decode(piece []byte, to inbox) error {
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
		return 0, fmt.Errorf("%w: a frame with reserved bits or a mask", errWire)
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
		return 0, fmt.Errorf("%w: a frame of over %d bytes", errWire, maxMessage)
	}
	return n + int(size), nil
}

// frame takes one complete frame.
func (d *wsDecoder) frame(f []byte, to inbox) error {
	payload := f[headLength(f[1]):]
	final := f[0]&0x80 != 0
	switch op := f[0] & 0x0f; op {
	case opText, opBinary:
		if final {
			return deliver(payload, to)
		}
		d.message = append(d.message[:0], payload...)
		return nil
	case opContinuation:
		if len(d.message)+len(payload) > maxMessage {
			return fmt.Errorf("%w: a message of over %d bytes", errWire, maxMessage)
		}
		d.message = append(d.message, payload...)
		if !final {
			return nil
		}
		return deliver(d.message, to)
	case opPing:
		return to.reply(maskedFrame(opPong, payload))
	case opPong:
		return nil
	case opClose:
		return fmt.Errorf("the server closed: %s", closeReason(payload))
	default:
		return fmt.Errorf("%w: opcode %#x", errWire, op)
	}
}

// deliver hands on one message. Its cursor is the last member of the JSON object.
func deliver(b []byte, to inbox) error {
	var cursor []byte
	const member = `"cursor":"`
	if i := bytes.LastIndex(b, []byte(member)); i >= 0 {
		if value, _, ok := bytes.Cut(b[i+len(member):], []byte(`"`)); ok {
			cursor = value
		}
	}
	return to.message(cursor, b)
}

// maskedFrame is a client's frame of at most 125 bytes, which all control frames are.
func maskedFrame(op byte, payload []byte) []byte {
	var mask [4]byte
	rand.Read(mask[:]) // It never fails; the program crashes without randomness.
	n := min(len(payload), 125)
	b := append(make([]byte, 0, 6+n), 0x80|op, 0x80|byte(n)) // At most 125.
	b = append(b, mask[:]...)
	for i, c := range payload[:n] {
		b = append(b, c^mask[i%4])
	}
	return b
}

// closeReason reads the payload of a close frame for people.
func closeReason(payload []byte) string {
	if len(payload) < 2 {
		return "no code"
	}
	return fmt.Sprintf("%d %q", binary.BigEndian.Uint16(payload), payload[2:])
}
