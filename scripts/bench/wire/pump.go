package wire

import "sync"

// bufferSize is what one read takes at most. A client that catches up has hundreds
// of kilobytes waiting; larger buffers would fall out of the processor's cache.
const bufferSize = 64 << 10

// Pump reads connections. Make one with NewPump.
type Pump struct{ buffers sync.Pool }

// NewPump returns a Pump.
func NewPump() *Pump {
	return &Pump{buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

// borrow returns a buffer that give takes back.
func (p *Pump) borrow() *[bufferSize]byte {
	b, ok := p.buffers.Get().(*[bufferSize]byte)
	if !ok { // unreachable: New makes nothing else
		b = new([bufferSize]byte)
	}
	return b
}

func (p *Pump) give(b *[bufferSize]byte) { p.buffers.Put(b) }
