package websocket

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Message is what a client said: a whole text or binary message, or a control
// frame.
type Message struct {
	// Opcode is Text, Binary, Close, Ping or Pong.
	Opcode Opcode
	// Code is the status of a close frame, CloseNoStatus if it had none; 0 otherwise.
	Code uint16
	// Payload is the message, inflated; of a close frame, the reason. Text and
	// reasons are UTF-8. It is valid until the function that got it returns.
	Payload []byte
}

// Reader understands the frames of one client. Its zero value is ready; it is part
// of a connection and must not be copied once it was fed. Whoever abandons a
// connection calls Release.
type Reader struct {
	part    *partial // nil between messages
	head    [maxHeader]byte
	headLen uint8 // how much of a header is in head
	ended   bool
}

// Feed reads what arrived next from the client, cut anywhere, and calls handle for
// every message and control frame that is complete with it, in order. Control
// frames between the fragments of a message are handed on before the message. Feed
// unmasks b in place and keeps nothing of it.
//
// An error is a *CloseError if the client broke a rule; an error of handle is
// returned as it is. After an error and after a close frame the Reader has ended:
// it discards whatever else it is fed, as the RFC wants it. handle must not use the
// Reader.
func (r *Reader) Feed(b []byte, limits Limits, handle func(Message) error) error {
	limits = limits.filled()
	for len(b) > 0 && !r.ended {
		n, err := r.step(b, &limits, handle)
		if err != nil {
			r.Release()
			return err
		}
		b = b[n:]
	}
	return nil
}

// Release ends the Reader and gives back what it holds of an incomplete message.
func (r *Reader) Release() {
	r.ended = true
	if r.part != nil {
		r.part.release()
		r.part = nil
	}
}

// step takes some of b, which is not empty: the rest of a frame, or a header and
// the payload if all of it is there. It returns how many bytes it took.
func (r *Reader) step(b []byte, l *Limits, handle func(Message) error) (int, error) {
	if r.part != nil && r.part.inFrame {
		return r.resume(b, l, handle)
	}
	f, n, ok, err := r.header(b, l)
	if err != nil || !ok {
		return n, err
	}
	b = b[n:]
	if f.length > len(b) {
		if r.part == nil {
			r.part = newPartial()
		}
		r.part.begin(f)
		return n, nil
	}
	payload := b[:f.length]
	ws.Cipher(payload, f.mask, 0)
	n += f.length
	switch {
	case f.op.control():
		return n, r.control(f.op, payload, handle)
	case f.fin && r.part == nil:
		return n, deliver(f.op, f.rsv1, payload, l, handle)
	}
	if r.part == nil {
		r.part = newPartial()
	}
	r.part.begin(f)
	if err := r.part.add(payload); err != nil {
		return n, err
	}
	return n, r.finish(l, handle)
}

// header gathers a header, of which b holds the next bytes, and returns it with how
// many of them it took. It is not ok while there are too few.
func (r *Reader) header(b []byte, l *Limits) (f frame, n int, ok bool, err error) {
	had := int(r.headLen)
	n = copy(r.head[had:], b)
	f, size, err := r.parse(r.head[:had+n], l)
	if err != nil {
		return f, n, false, err
	}
	if size == 0 {
		r.headLen += uint8(n)
		return f, n, false, nil
	}
	r.headLen = 0
	return f, size - had, true, nil
}

// resume takes what b has of the rest of the frame that is under way.
func (r *Reader) resume(b []byte, l *Limits, handle func(Message) error) (int, error) {
	p := r.part
	b = b[:min(len(b), p.left)]
	ws.Cipher(b, p.frame.mask, p.frame.length-p.left)
	if err := p.add(b); err != nil {
		return len(b), err
	}
	if p.left > 0 {
		return len(b), nil
	}
	if !p.frame.op.control() {
		return len(b), r.finish(l, handle)
	}
	p.inFrame = false
	if err := r.control(p.frame.op, p.control[:p.frame.length], handle); err != nil {
		return len(b), err
	}
	if r.part != nil && p.op == Continuation { // no message: only the frame was in pieces
		p.release()
		r.part = nil
	}
	return len(b), nil
}

// finish is called after a frame of a message was added, and hands the message on
// if it was the last.
func (r *Reader) finish(l *Limits, handle func(Message) error) error {
	p := r.part
	p.inFrame = false
	if !p.frame.fin {
		return nil
	}
	r.part = nil
	defer p.release()
	if p.text() && p.checked < len(p.data) {
		return invalid("the text ends within a character")
	}
	if p.text() {
		return handle(Message{Opcode: Text, Payload: p.data})
	}
	return deliver(p.op, p.deflated, p.data, l, handle)
}

// control hands a control frame on.
func (r *Reader) control(op Opcode, payload []byte, handle func(Message) error) error {
	if op != Close {
		return handle(Message{Opcode: op, Payload: payload})
	}
	m, err := parseClose(payload)
	if err != nil {
		return err
	}
	err = handle(m)
	r.Release() // not before: the reason may lie in what is given back
	return err
}

// deliver hands a message on whose text nobody has checked yet.
func deliver(op Opcode, deflated bool, payload []byte, l *Limits, handle func(Message) error) error {
	if deflated {
		z := inflaters.Get().(*inflater)
		defer z.release()
		var err error
		if payload, err = z.inflate(payload, l.MaxMessage); err != nil {
			return err
		}
	}
	if op == Text && !utf8.Valid(payload) {
		return invalid("the text is not UTF-8")
	}
	return handle(Message{Opcode: op, Payload: payload})
}
