package tail

import (
	"tidings/shared/event"
	"tidings/shared/subject"
)

// What a frame costs beside its bytes, measured with TestBytesAreHonest.
const (
	// frameOverhead is the struct and the slots in the ring and in its topic's index,
	// which have room for twice as many as they hold.
	frameOverhead = 144
	// topicOverhead is a topic in the index: a tail of many people's own topics has
	// one for nearly every frame.
	topicOverhead = 144
)

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
func (f *Frame) cost() int64 { return int64(cap(f.SSE)+len(f.Topic)+len(f.Except)) + frameOverhead }
