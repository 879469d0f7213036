package websocket

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"

	fast "github.com/klauspost/compress/flate"
)

const (
	// deflateLevel: events of 200 to 1,000 bytes come out the same size, within 2
	// bytes, at every level of either library. At this one they take 6 to 9 µs
	// (BenchmarkDeflate), where compress/flate at its 6 takes 11 to 17, and matches
	// are still looked for well in larger ones.
	deflateLevel = 5
	// maxStreams is how many deflate streams may follow each other in a message. One
	// is normal and two are legal (RFC 7692, section 7.2.3.4); each costs a reset,
	// which a hostile message could ask for with every second byte.
	maxStreams = 8
	// inflateStep is the least room to inflate into.
	inflateStep = 512
)

// flushMark is how a sync flush ends. The sender leaves it away and the receiver
// adds it (RFC 7692, section 7.2.1).
const flushMark = "\x00\x00\xff\xff"

// flushed is what is added before inflating: the mark, and an empty final block so
// that the end is an end.
const flushed = flushMark + "\x01\x00\x00\xff\xff"

// deflater is a compressor and what it writes to.
type deflater struct {
	w   *fast.Writer
	out sink
}

// sink collects in a slice.
type sink struct{ b []byte }

// Write implements io.Writer. It never fails.
func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// deflaters are shared by everyone: a compressor takes some hundred kilobytes.
var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = fast.NewWriter(&d.out, deflateLevel) // fails only for a bad level
	return d
}}

// Deflate appends payload compressed for AppendDeflated. Nothing of earlier messages
// is used and nothing is kept, so the bytes serve every client that agreed. With
// flushMark added they are also a piece of any raw deflate stream.
func Deflate(dst, payload []byte) []byte {
	d := deflaters.Get().(*deflater)
	d.out.b = dst
	d.w.Reset(&d.out)
	_, _ = d.w.Write(payload) // writing to memory cannot fail
	_ = d.w.Flush()
	out := d.out.b
	d.out.b = nil
	deflaters.Put(d)
	return out[:len(out)-len(flushMark)]
}

// inflater is a decompressor with its buffers. It is the standard library's, which
// promises to read no byte beyond a final block; inflate relies on it.
type inflater struct {
	r   io.Reader // also a flate.Resetter
	src bytes.Reader
	in  []byte
	out []byte
}

// inflaters are shared by all Readers.
var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.r = flate.NewReader(&z.src)
	return z
}}

// release gives the decompressor back.
func (z *inflater) release() {
	if cap(z.in) > keepBytes {
		z.in = nil
	}
	if cap(z.out) > keepBytes {
		z.out = nil
	}
	z.src.Reset(nil)
	inflaters.Put(z)
}

// inflate returns a compressed message as it was, at most limit bytes of it. The
// result is z's own and valid until release.
func (z *inflater) inflate(payload []byte, limit int) ([]byte, error) {
	z.in = append(append(z.in[:0], payload...), flushed...)
	z.src.Reset(z.in)
	z.out = z.out[:0]
	for range maxStreams {
		if err := z.r.(flate.Resetter).Reset(&z.src, nil); err != nil {
			return nil, invalid("the message is not deflate")
		}
		if err := z.readAll(limit); err != nil {
			return nil, err
		}
		if z.src.Len() == 0 {
			return z.out, nil
		}
	}
	return nil, invalid("the message has too many final blocks")
}

// readAll reads one deflate stream to its end and appends it to out. The buffer
// doubles as it fills and never grows beyond what shows that limit is passed.
func (z *inflater) readAll(limit int) error {
	for {
		if len(z.out) == cap(z.out) {
			room := min(max(2*cap(z.out), inflateStep), max(limit+1, len(z.out)+1))
			z.out = append(make([]byte, 0, room), z.out...)
		}
		n, err := z.r.Read(z.out[len(z.out):cap(z.out)])
		z.out = z.out[:len(z.out)+n]
		if len(z.out) > limit {
			return tooBig("the message is too large when inflated")
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return invalid("the message is not deflate")
		}
	}
}
