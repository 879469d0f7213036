package websocket

import "encoding/binary"

// frame is the header of a client's frame that has passed every check.
type frame struct {
	length int // of the payload, in bytes
	mask   [4]byte
	op     Opcode
	fin    bool
	rsv1   bool
}

// parse reads a header from the beginning of b. It returns the size of the header,
// 0 while b is too short for it; but what is wrong with the bytes that are there is
// said at once.
func (r *Reader) parse(b []byte, l *Limits) (f frame, size int, err error) {
	if len(b) == 0 {
		return f, 0, nil
	}
	f = frame{op: Opcode(b[0] & 0x0f), fin: b[0]&bitFin != 0, rsv1: b[0]&bitRSV1 != 0}
	if b[0]&bitsRSV != 0 {
		return f, 0, violation("a reserved bit is set")
	}
	if err := r.checkKind(f, l); err != nil {
		return f, 0, err
	}
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[1]&bitMask == 0 {
		return f, 0, violation("a client must mask its frames")
	}
	if f.op.control() && b[1]&lenBits > MaxControl {
		return f, 0, violation("a control frame holds at most 125 bytes")
	}
	n, at, err := length(b)
	if err != nil || at == 0 {
		return f, 0, err
	}
	if !f.op.control() {
		if err := r.checkSize(n, l); err != nil {
			return f, 0, err
		}
	}
	if len(b) < at+len(f.mask) {
		return f, 0, nil
	}
	f.length = int(n) // at most MaxFrame
	copy(f.mask[:], b[at:])
	return f, at + len(f.mask), nil
}

// checkKind checks a frame's opcode and bits against each other and against the
// message that is under way.
func (r *Reader) checkKind(f frame, l *Limits) error {
	within := r.part != nil && r.part.op != Continuation
	switch f.op {
	case Text, Binary:
		if within {
			return violation("a message began within another one")
		}
	case Continuation:
		if !within {
			return violation("there is no message to continue")
		}
	case Close, Ping, Pong:
		if !f.fin {
			return violation("a control frame may not be fragmented")
		}
	default:
		return violation("the opcode is reserved")
	}
	if f.rsv1 && !l.Deflate {
		return violation("compression was not agreed")
	}
	if f.rsv1 && f.op != Text && f.op != Binary {
		return violation("only the first frame of a message says that it is compressed")
	}
	if f.op == Binary && !l.Binary {
		return &CloseError{Code: CloseUnsupported, Reason: "binary messages are not taken"}
	}
	return nil
}

// length reads the length of the payload from a header of at least two bytes. It
// returns where the mask is, 0 while b is too short to know.
func length(b []byte) (n uint64, at int, err error) {
	switch short := b[1] & lenBits; short {
	case len16:
		if len(b) < 4 {
			return 0, 0, nil
		}
		n, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if n < len16 {
			return 0, 0, violation("the length is not in its shortest form")
		}
	case len64:
		if len(b) < 10 {
			return 0, 0, nil
		}
		n, at = binary.BigEndian.Uint64(b[2:]), 10
		if n>>63 != 0 {
			return 0, 0, violation("the length has more than 63 bits")
		}
		if n <= 0xffff {
			return 0, 0, violation("the length is not in its shortest form")
		}
	default:
		n, at = uint64(short), 2
	}
	return n, at, nil
}

// checkSize checks what the next frame of a message would make of it.
func (r *Reader) checkSize(n uint64, l *Limits) error {
	held, fragments := 0, 0
	if r.part != nil {
		held, fragments = len(r.part.data), r.part.fragments
	}
	switch {
	case n > uint64(l.MaxFrame):
		return tooBig("the frame is too large")
	case held > l.MaxMessage || n > uint64(l.MaxMessage-held):
		return tooBig("the message is too large")
	case fragments >= l.MaxFragments:
		return tooBig("the message has too many fragments")
	}
	return nil
}
