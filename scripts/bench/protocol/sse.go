package protocol

import (
	"bytes"
	"fmt"
	"strconv"
)

// sseDecoder cuts a stream of Server-Sent Events into blocks. It is made for what
// Tidings sends: lines end in \n, and a block's id is its first line.
type sseDecoder struct {
	carry []byte // the beginning of a block that is not complete
}

// decode implements decoder. A block counts only when it is complete: a client that
// took the id of half a block would resume behind an event it never had.
func (d *sseDecoder) decode(piece []byte, to *Stream) error {
	if len(d.carry) > 0 {
		end := d.end(piece)
		if len(d.carry)+len(piece) > maxMessage && (end < 0 || end > maxMessage) {
			return fmt.Errorf("%w: a block of over %d bytes", ErrBroken, maxMessage)
		}
		if end < 0 {
			d.carry = append(d.carry, piece...)
			return nil
		}
		d.carry = append(d.carry, piece[:end]...)
		if err := block(d.carry, to); err != nil {
			return err
		}
		d.carry, piece = d.carry[:0], piece[end:]
	}
	for {
		i := bytes.Index(piece, []byte("\n\n"))
		if i < 0 {
			d.carry = append(d.carry, piece...)
			return nil
		}
		if err := block(piece[:i+2], to); err != nil {
			return err
		}
		piece = piece[i+2:]
	}
}

// end is where the carried block ends in piece, -1 if it does not.
func (d *sseDecoder) end(piece []byte) int {
	if d.carry[len(d.carry)-1] == '\n' && len(piece) > 0 && piece[0] == '\n' {
		return 1
	}
	if i := bytes.Index(piece, []byte("\n\n")); i >= 0 {
		return i + 2
	}
	return -1
}

// block hands on one block.
func block(b []byte, to *Stream) error {
	var cursor []byte
	if rest, ok := bytes.CutPrefix(b, []byte("id: ")); ok {
		i := bytes.IndexByte(rest, '\n') // a block ends in two
		cursor, b = rest[:i], rest[i+1:]
	}
	return to.inbox.Message(cursor, b)
}

// chunkDecoder takes off the chunked transfer coding, whose boundaries know nothing
// of events.
type chunkDecoder struct {
	events sseDecoder
	left   int  // bytes of the present chunk still to come
	body   bool // within a chunk's bytes, or at the line end after them
	line   []byte
}

// maxChunkLine bounds the line before a chunk: a size and perhaps an extension.
const maxChunkLine = 256

// decode implements decoder.
func (d *chunkDecoder) decode(piece []byte, to *Stream) error {
	for len(piece) > 0 {
		if d.left > 0 {
			n := min(d.left, len(piece))
			if err := d.events.decode(piece[:n], to); err != nil {
				return err
			}
			d.left, piece = d.left-n, piece[n:]
			continue
		}
		i := bytes.IndexByte(piece, '\n')
		if i < 0 {
			i = len(piece) - 1
		}
		d.line, piece = append(d.line, piece[:i+1]...), piece[i+1:]
		if len(d.line) > maxChunkLine {
			return fmt.Errorf("%w: the line of a chunk is too long", ErrBroken)
		}
		if d.line[len(d.line)-1] != '\n' {
			return nil
		}
		if err := d.endLine(); err != nil {
			return err
		}
	}
	return nil
}

// endLine takes a complete line: the empty one after a chunk, or a chunk's size.
func (d *chunkDecoder) endLine() error {
	line := bytes.TrimSpace(d.line)
	d.line = d.line[:0]
	if d.body {
		if len(line) > 0 {
			return fmt.Errorf("%w: a chunk is longer than it said", ErrBroken)
		}
		d.body = false
		return nil
	}
	size, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(size), 16, 31)
	if err != nil {
		return fmt.Errorf("%w: the size of a chunk is %q", ErrBroken, size)
	}
	d.left, d.body = int(n), true
	return nil
}
