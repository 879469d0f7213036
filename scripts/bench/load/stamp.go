package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// A stamp is a string of fixed width that no framing escapes, so that a subscriber
// finds it in the bytes of any transport by searching, without parsing JSON:
//
//	~tb:RRRRRRRR:OOOO:SSSSSSSS:TTTTTTTTTTTTTTTT~
//
// are the run, the room, the sequence and the time, in hexadecimal.
const (
	stampMark  = "~tb:"
	stampRoom  = len(stampMark) + 8 + 1
	stampSeq   = stampRoom + 4 + 1
	stampSent  = stampSeq + 8 + 1
	stampBytes = stampSent + 16 + 1
)

// MinSize is the smallest data of an event in bytes: a stamp in quotes.
const MinSize = stampBytes + 2

// Stamp identifies one event of a run.
type Stamp struct {
	// Room is the index of the room it was published to.
	Room uint16
	// Seq is its number in the order of publishing, over all rooms.
	Seq uint32
	// Sent is the time just before it was published, since the run's beginning.
	Sent time.Duration
}

// Coder writes and finds the stamps of one run. Two runs against the same server,
// or one that reads what another left in the log, do not see each other's.
type Coder struct{ mark []byte }

// NewCoder returns the coder of a run.
func NewCoder(run uint32) Coder {
	return Coder{mark: fmt.Appendf(nil, "%s%08x:", stampMark, run)}
}

// Data returns the data of an event, a JSON string of exactly size bytes, or of
// MinSize if that is more.
func (c Coder) Data(s Stamp, size int) []byte {
	b := append(make([]byte, 0, max(size, MinSize)), '"')
	b = append(b, c.mark...)
	b = fmt.Appendf(b, "%04x:%08x:%016x~", s.Room, s.Seq, uint64(s.Sent)) // Two's complement goes both ways.
	for len(b) < size-1 {
		b = append(b, 'x')
	}
	return append(b, '"')
}

// Find returns the first stamp of the run in b, false if there is none.
func (c Coder) Find(b []byte) (Stamp, bool) {
	i := bytes.Index(b, c.mark)
	if i < 0 || len(b)-i < stampBytes {
		return Stamp{}, false
	}
	b = b[i : i+stampBytes]
	if b[stampSeq-1] != ':' || b[stampSent-1] != ':' || b[stampBytes-1] != '~' {
		return Stamp{}, false
	}
	var raw [14]byte // room, sequence and time
	_, err1 := hex.Decode(raw[0:2], b[stampRoom:stampSeq-1])
	_, err2 := hex.Decode(raw[2:6], b[stampSeq:stampSent-1])
	_, err3 := hex.Decode(raw[6:14], b[stampSent:stampBytes-1])
	if err1 != nil || err2 != nil || err3 != nil {
		return Stamp{}, false
	}
	return Stamp{
		Room: binary.BigEndian.Uint16(raw[0:2]),
		Seq:  binary.BigEndian.Uint32(raw[2:6]),
		Sent: time.Duration(binary.BigEndian.Uint64(raw[6:14])), // As it was written.
	}, true
}
