package tail

import (
	"sync/atomic"

	"tidings/services/edge/blocks"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// What a frame costs beside its bytes, measured with TestBytesAreHonest.
const (
	// frameOverhead is the struct and the slots in the ring and in its topic's index,
	// which have room for twice as many as they hold.
	frameOverhead = 168
	// topicOverhead is a topic in the index: a tail of many people's own topics has
	// one for nearly every frame.
	topicOverhead = 144
	// packedOverhead is the struct of a compressed twin.
	packedOverhead = 72
)

// Frame is one event, encoded. It is immutable and shared by all its readers.
type Frame struct {
	// Seq is the event's sequence; 0 for an ephemeral event, which has none.
	Seq uint64
	// Topic is where the event happened.
	Topic subject.Topic
	// Except is a connection that must not get the event, or "".
	Except string
	// SSE is the complete Server-Sent Events block, and Chunk the same as one chunk of
	// a chunked HTTP/1.1 body.
	SSE, Chunk []byte

	packed atomic.Pointer[blocks.Block] // see Tail.Packed
}

// Encode makes the frame of an event at a position. A zero Cursor makes an
// ephemeral frame.
func Encode(ev event.Event, at event.Cursor) *Frame {
	f := &Frame{Seq: at.Seq, Topic: ev.Topic, Except: ev.Except}
	f.Chunk, f.SSE = blocks.Chunk(ev.AppendSSE(make([]byte, 0, len(ev.Data)+256), at))
	return f
}

// cost is what the frame takes of the tail's bytes.
func (f *Frame) cost() int64 {
	n := int64(cap(f.Chunk)+len(f.Topic)+len(f.Except)) + frameOverhead
	if k := f.packed.Load(); k != nil {
		n += packedCost(k)
	}
	return n
}

// packedCost is what the compressed twin of a frame takes of the tail's bytes.
func packedCost(k *blocks.Block) int64 { return int64(cap(k.Chunk)) + packedOverhead }

// Packed returns the frame as a block of a gzip stream. It is made when the first
// subscriber needs it and then serves all.
func (t *Tail) Packed(f *Frame) blocks.Block {
	if k := f.packed.Load(); k != nil {
		return *k
	}
	k := blocks.New(f.SSE)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f.packed.CompareAndSwap(nil, &k) {
		return *f.packed.Load()
	}
	// What is not held is not counted: an ephemeral frame, or one that was dropped
	// meanwhile. Both are about to be forgotten.
	if f.Seq > t.start {
		t.size += packedCost(&k)
	}
	return k
}
