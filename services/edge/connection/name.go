package connection

import (
	crand "crypto/rand"
	"encoding/base32"
	"encoding/binary"
)

// The parts of a connection's name: the tag of its edge, where that keeps it, and
// what nobody can guess, 65 bits.
const (
	tagLen   = 8
	placeLen = 7 // 32 bits in base32
	idLen    = 20
)

// places writes a slot in the letters of crand.Text.
var places = base32.StdEncoding.WithPadding(base32.NoPadding)

// ID is the connection's own part of its name. It is unguessable: whoever knows it
// may address the connection.
type ID [idLen]byte

// newID returns the id of a connection in a slot.
func newID(slot uint32) ID {
	var id ID
	places.Encode(id[:placeLen], binary.BigEndian.AppendUint32(nil, slot))
	copy(id[placeLen:], crand.Text())
	return id
}

// slot returns where the connection is, if it is.
func (id *ID) slot() (uint32, bool) {
	var b [placeLen * 5 / 8]byte
	if _, err := places.Decode(b[:], id[:placeLen]); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[:]), true
}

// Is reports whether an event's Except names this connection.
func (id *ID) Is(except string) bool {
	return len(except) == tagLen+idLen && except[tagLen:] == string(id[:])
}

// Named implements Member for those that embed a Conn.
func (c *Conn) Named() ID { return c.ID }

// Name returns the connection's name as clients see it. The tag in it lets any edge
// find the one that has the connection.
func (c *Conn) Name() string { return c.h.tag + string(c.ID[:]) }

// newTag draws the tag of an edge.
func newTag() string { return crand.Text()[:tagLen] }

// TagOf returns the tag of the edge that a connection's name belongs to. It is not
// ok if no connection can be named like that.
func TagOf(name string) (tag string, ok bool) {
	if len(name) != tagLen+idLen {
		return "", false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return name[:tagLen], true
}
