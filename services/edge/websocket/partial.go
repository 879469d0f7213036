package websocket

import (
	"sync"
	"unicode/utf8"
)

// keepBytes is the largest buffer that goes back to a pool: what one large message
// needed shall not be held for the small ones that follow.
const keepBytes = 64 << 10

// partial is a message that is incomplete, or a frame of which a part has arrived.
type partial struct {
	// The message. op is Continuation while there is none.
	op        Opcode
	deflated  bool
	fragments int
	data      []byte
	checked   int // data[:checked] is UTF-8

	// The frame, if inFrame.
	inFrame bool
	frame   frame
	left    int              // bytes of its payload that have not arrived
	control [MaxControl]byte // the payload of a control frame
}

// partials are shared by all Readers.
var partials = sync.Pool{New: func() any { return new(partial) }}

func newPartial() *partial { return partials.Get().(*partial) }

// release forgets the message and gives the buffer back.
func (p *partial) release() {
	data := p.data[:0]
	if cap(data) > keepBytes {
		data = nil
	}
	*p = partial{data: data}
	partials.Put(p)
}

// begin notes the header of a frame whose payload will be added.
func (p *partial) begin(f frame) {
	p.frame, p.left, p.inFrame = f, f.length, true
	switch {
	case f.op.control():
		return
	case f.op != Continuation:
		p.op, p.deflated = f.op, f.rsv1
	}
	p.fragments++
}

// add takes the next bytes of the frame's payload, unmasked.
func (p *partial) add(b []byte) error {
	at := p.frame.length - p.left
	p.left -= len(b)
	if p.frame.op.control() {
		copy(p.control[at:], b)
		return nil
	}
	p.data = append(p.data, b...)
	if p.text() {
		return p.check()
	}
	return nil
}

// text says whether the message is text that can be checked as it comes.
func (p *partial) text() bool { return p.op == Text && !p.deflated }

// check moves checked over the characters that have arrived. It fails on the first
// byte that no character can have at its place, so a message that is bad at its
// beginning is not waited for.
func (p *partial) check() error {
	rest := p.data[p.checked:]
	// Only the last three bytes can be the beginning of a character, so all before
	// them is checked at the speed of utf8.Valid.
	whole := len(rest)
	for i := 1; i < utf8.UTFMax && i <= len(rest); i++ {
		if c := rest[len(rest)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(rest[len(rest)-i:]) {
				whole = len(rest) - i
			}
			break
		}
	}
	if !utf8.Valid(rest[:whole]) {
		return invalid("the text is not UTF-8")
	}
	p.checked += whole
	return nil
}
