package blocks

import "strconv"

// LastChunk ends a chunked HTTP/1.1 body.
const LastChunk = "0\r\n\r\n"

// chunkOverhead is the most a chunk's frame takes: eight digits and two line ends.
const chunkOverhead = 8 + 4

// Chunk returns b as one chunk of a chunked HTTP/1.1 body, and where in it b is: one
// piece of memory serves those who need the frame and those who don't. Nothing is
// the chunk of nothing, since an empty chunk would end the body.
func Chunk(b []byte) (chunk, inner []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	chunk = make([]byte, 0, len(b)+chunkOverhead)
	chunk = append(strconv.AppendUint(chunk, uint64(len(b)), 16), '\r', '\n')
	start := len(chunk)
	chunk = append(chunk, b...)
	inner = chunk[start:len(chunk):len(chunk)]
	return append(chunk, '\r', '\n'), inner
}
