package blocks

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"sync"
)

const (
	// Worthwhile is the size from which on compressing is tried. A lone event of 200
	// bytes shrinks by a fifth and costs 15 µs; one of 1,000 by two thirds.
	Worthwhile = 512
	// level is deflate's: above it the gain is a few percent.
	level = 6
	// maxStored is the most one stored block holds.
	maxStored = 1<<16 - 1
)

// header begins every gzip stream: deflate, no name, no time, unknown system.
var header = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// AppendHeader appends what begins a stream.
func AppendHeader(dst []byte) []byte { return append(dst, header...) }

// Block is a piece of a gzip stream that may stand anywhere in any of them.
type Block struct {
	// Bytes are what is written, and Chunk the same as one chunk of a chunked body.
	// They are shared: never change them.
	Bytes, Chunk []byte
	size         uint32
	crc          uint32
	shift        uint32 // moves a checksum past size bytes
}

// New makes a block of b, compressed if that makes it smaller.
func New(b []byte) Block {
	k := Block{size: uint32(len(b)), crc: crc32.ChecksumIEEE(b), shift: shiftBy(uint64(len(b)))}
	var packed []byte
	if len(b) >= Worthwhile {
		packed = compress(b)
	}
	if packed == nil || len(packed) >= len(b) {
		packed = appendStored(make([]byte, 0, len(b)+5*(len(b)/maxStored+2)), b)
	}
	k.Chunk, k.Bytes = Chunk(packed)
	return k
}

// compressor is a reusable writer with its buffer.
type compressor struct {
	buf bytes.Buffer
	w   *flate.Writer
}

// compressors are shared by everyone: one takes about 650 KB.
var compressors = sync.Pool{New: func() any {
	c := &compressor{}
	c.w, _ = flate.NewWriter(&c.buf, level) // fails only for a bad level
	return c
}}

// compress deflates b with a fresh window and ends on a byte boundary.
func compress(b []byte) []byte {
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.buf.Reset()
	c.w.Reset(&c.buf)
	_, _ = c.w.Write(b) // writing to memory cannot fail
	_ = c.w.Flush()
	return bytes.Clone(c.buf.Bytes())
}

// appendStored appends b as it is, in as many stored blocks as it takes, and an
// empty one: some decoders, Go's among them, hand data over only there.
func appendStored(dst, b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), maxStored)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, b[:n]...)
		b = b[n:]
	}
	return append(dst, 0, 0, 0, 0xff, 0xff)
}

// Sum is the checksum of one stream so far. The zero Sum is that of an empty one.
type Sum struct{ crc, size uint32 }

// Add counts a block that was written to the stream.
func (s *Sum) Add(k Block) {
	s.crc = multiply(k.shift, s.crc) ^ k.crc
	s.size += k.size
}

// AppendTrailer appends what ends the stream.
func (s Sum) AppendTrailer(dst []byte) []byte {
	dst = append(dst, 1, 0, 0, 0xff, 0xff) // an empty final block
	dst = binary.LittleEndian.AppendUint32(dst, s.crc)
	return binary.LittleEndian.AppendUint32(dst, s.size)
}
