package websocket_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/big"
	"unicode/utf8"

	"tidings/services/edge/websocket"
)

// naive is the second implementation that Feed is compared with: it has the whole
// input at once, no states, no sharing and no haste.
type naive struct {
	in  []byte
	lim websocket.Limits
	out []string

	open     bool // a message is under way
	kind     byte
	deflated bool
	body     []byte
	frames   int
}

// understand returns what Feed should tell about the input.
func understand(in []byte, lim websocket.Limits) []string {
	n := &naive{in: bytes.Clone(in), lim: lim}
	for len(n.in) > 0 {
		if !n.frame() {
			break
		}
	}
	return n.out
}

func (n *naive) fail(code int) bool {
	n.out = append(n.out, fmt.Sprintf("error %d", code))
	return false
}

// frame reads one frame and says whether there may be another one.
func (n *naive) frame() bool {
	bits := fmt.Sprintf("%08b", n.in[0])
	fin, rsv1, kind := bits[0] == '1', bits[1] == '1', n.in[0]%16
	isControl := kind == 8 || kind == 9 || kind == 10
	first := kind == 1 || kind == 2
	switch {
	case bits[2:4] != "00",
		!isControl && !first && kind != 0,
		isControl && !fin,
		first && n.open,
		kind == 0 && !n.open,
		rsv1 && (!first || !n.lim.Deflate):
		return n.fail(1002)
	case kind == 2 && !n.lim.Binary:
		return n.fail(1003)
	}
	if len(n.in) < 2 {
		return false
	}
	masked, short := n.in[1] >= 128, int(n.in[1]%128)
	if !masked || isControl && short > 125 {
		return n.fail(1002)
	}
	wide := map[int]int{126: 2, 127: 8}[short]
	if len(n.in) < 2+wide {
		return false
	}
	size := big.NewInt(int64(short))
	if wide > 0 {
		size.SetBytes(n.in[2 : 2+wide])
	}
	switch {
	case size.BitLen() > 63, wide == 2 && size.Int64() < 126, wide == 8 && size.Int64() < 65536:
		return n.fail(1002)
	case !isControl && size.Cmp(big.NewInt(int64(n.lim.MaxFrame))) > 0,
		!isControl && size.Cmp(big.NewInt(int64(n.lim.MaxMessage-len(n.body)))) > 0,
		!isControl && n.frames+1 > n.lim.MaxFragments:
		return n.fail(1009)
	}
	head := 2 + wide + 4
	if len(n.in) < head {
		return false
	}
	want := int(size.Int64())
	payload := bytes.Clone(n.in[head:min(len(n.in), head+want)])
	for i := range payload {
		payload[i] ^= n.in[head-4+i%4]
	}
	n.in = n.in[head+len(payload):]
	whole := len(payload) == want
	if isControl {
		return whole && n.control(kind, payload)
	}
	return n.data(first, kind, fin, rsv1, payload, whole)
}

func (n *naive) control(kind byte, payload []byte) bool {
	switch kind {
	case 9:
		n.out = append(n.out, "ping "+string(payload))
	case 10:
		n.out = append(n.out, "pong "+string(payload))
	default:
		if len(payload) == 0 {
			n.out = append(n.out, "close 1005 ")
			return false
		}
		if len(payload) == 1 {
			return n.fail(1002)
		}
		code := int(payload[0])*256 + int(payload[1])
		allowed := map[int]bool{
			1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true,
			1010: true, 1011: true, 1012: true, 1013: true, 1014: true,
		}
		if !allowed[code] && (code < 3000 || code > 4999) {
			return n.fail(1002)
		}
		if !bytes.Equal(payload[2:], []byte(string([]rune(string(payload[2:]))))) {
			return n.fail(1007)
		}
		n.out = append(n.out, fmt.Sprintf("close %d %s", code, payload[2:]))
		return false
	}
	return true
}

func (n *naive) data(first bool, kind byte, fin, rsv1 bool, payload []byte, whole bool) bool {
	if first {
		n.open, n.kind, n.deflated = true, kind, rsv1
	}
	n.frames++
	n.body = append(n.body, payload...)
	if n.kind == 1 && !n.deflated && !beginning(n.body) {
		return n.fail(1007)
	}
	if !whole {
		return false
	}
	if !fin {
		return true
	}
	body := n.body
	if n.deflated {
		var code int
		if body, code = naiveInflate(body, n.lim.MaxMessage); code != 0 {
			return n.fail(code)
		}
	}
	if n.kind == 1 && !utf8.Valid(body) {
		return n.fail(1007)
	}
	n.out = append(n.out, map[byte]string{1: "text ", 2: "binary "}[n.kind]+string(body))
	n.open, n.body, n.frames, n.kind = false, nil, 0, 0
	return true
}

// beginning says whether b can become UTF-8 by adding bytes, by adding them.
func beginning(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		b = b[size:]
	}
	if len(b) == 0 {
		return true
	}
	if len(b) > 3 {
		return false
	}
	tries := [][]byte{b}
	for range 3 {
		var longer [][]byte
		for _, t := range tries {
			for _, c := range []byte{0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf} {
				next := append(bytes.Clone(t), c)
				if utf8.Valid(next) {
					return true
				}
				longer = append(longer, next)
			}
		}
		tries = longer
	}
	return false
}

// naiveInflate returns the message, or the code to close with.
func naiveInflate(b []byte, limit int) ([]byte, int) {
	src := bytes.NewReader(append(bytes.Clone(b), 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff))
	var out []byte
	for stream := 0; src.Len() > 0; stream++ {
		if stream == 8 {
			return nil, 1007
		}
		z := flate.NewReader(src)
		more, err := io.ReadAll(io.LimitReader(z, int64(limit+1-len(out))))
		out = append(out, more...)
		if len(out) > limit {
			return nil, 1009
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 1007
		}
	}
	return out, 0
}
