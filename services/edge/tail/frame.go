package tail

import (
	"tidings/shared/event"
	"tidings/shared/subject"
)

// frameOverhead is what a frame costs beside its bytes: the struct, the slice
// headers' share and a slot in the ring and in its topic's index (measured with
// BenchmarkAppend: 176 B a frame).
const frameOverhead = 176

// Frame is one event, encoded. It is immutable and shared by all its readers.
type Frame struct {
	// Seq is the event's sequence; 0 for an ephemeral event, which has none.
	Seq uint64
	// Topic is where the event happened.
	Topic subject.Topic
	// Except is a connection that must not get the event, or "".
	Except string
	// SSE is the complete Server-Sent Events block.
	SSE []byte
}

// Encode makes the frame of an event at a position. A zero Cursor makes an
// ephemeral frame.
func Encode(ev event.Event, at event.Cursor) *Frame {
	return &Frame{Seq: at.Seq, Topic: ev.Topic, Except: ev.Except, SSE: ev.AppendSSE(make([]byte, 0, len(ev.Data)+256), at)}
}

// cost is what the frame takes of the tail's bytes.
func (f *Frame) cost() int64 { return int64(cap(f.SSE)) + frameOverhead }
