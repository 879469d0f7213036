package tail

import (
	"bytes"
	"sync/atomic"

	"tidings/services/edge/blocks"
	"tidings/services/edge/websocket"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// What a frame costs beside its bytes, measured with TestBytesAreHonest.
const (
	// frameOverhead is the struct and the slots in the ring and in its topic's index,
	// which have room for twice as many as they hold.
	frameOverhead = 184
	// topicOverhead is a topic in the index: a tail of many people's own topics has
	// one for nearly every frame.
	topicOverhead = 144
	// packedOverhead is the struct of a compressed twin, twinOverhead that of one for
	// WebSockets.
	packedOverhead, twinOverhead = 72, 32
)

// Frame is one event, encoded. It is immutable and shared by all its readers. Its
// twins, the forms that not every stream needs, are made when the first reader
// asks the Tail for them and then serve all.
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

	packed         atomic.Pointer[blocks.Block]
	text, deflated atomic.Pointer[[]byte]
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
	text, deflated := f.text.Load(), f.deflated.Load()
	if text != nil {
		n += twinCost(text)
	}
	if deflated != nil && deflated != text {
		n += twinCost(deflated)
	}
	return n
}

// packedCost and twinCost are what a twin takes of the tail's bytes.
func packedCost(k *blocks.Block) int64 { return int64(cap(k.Chunk)) + packedOverhead }
func twinCost(b *[]byte) int64         { return int64(cap(*b)) + twinOverhead }

// Packed returns the frame as a block of a gzip stream.
func (t *Tail) Packed(f *Frame) blocks.Block {
	if k := f.packed.Load(); k != nil {
		return *k
	}
	k := blocks.New(f.SSE)
	return *keep(t, f, &f.packed, &k, packedCost(&k))
}

// Text returns the event as a WebSocket's text message: JSON with its cursor.
func (t *Tail) Text(f *Frame) []byte {
	if b := f.text.Load(); b != nil {
		return *b
	}
	return *t.text(f, f.AppendJSON(nil))
}

// text returns the twin that Text returns, and makes it of the JSON if there is none.
func (t *Tail) text(f *Frame, payload []byte) *[]byte {
	if b := f.text.Load(); b != nil {
		return b
	}
	b := websocket.AppendText(nil, payload)
	return keep(t, f, &f.text, &b, twinCost(&b))
}

// Deflated returns the message that Text returns, compressed if that is worthwhile,
// for those who agreed to permessage-deflate. The other message is then not made: most
// clients agree.
func (t *Tail) Deflated(f *Frame) []byte {
	if b := f.deflated.Load(); b != nil {
		return *b
	}
	payload := f.AppendJSON(nil)
	if len(payload) >= blocks.Worthwhile {
		if b := websocket.AppendDeflated(nil, websocket.Deflate(nil, payload)); len(b) < len(payload) {
			return *keep(t, f, &f.deflated, &b, twinCost(&b))
		}
	}
	return *keep(t, f, &f.deflated, t.text(f, payload), 0)
}

// The parts of a block that AppendJSON takes apart again: the JSON of its data line
// is the event but for the cursor, which its id line has.
const (
	idField   = "id: "
	dataField = "\ndata: "
	cursorKey = `,"cursor":"`
)

// AppendJSON appends the event as JSON with its cursor. It makes that from the block:
// to keep the event itself for those streams that need the other form would double
// what a frame costs.
func (f *Frame) AppendJSON(dst []byte) []byte {
	_, data, _ := bytes.Cut(f.SSE, []byte(dataField))
	data = bytes.TrimRight(data, "\n")
	id, ok := bytes.CutPrefix(f.SSE, []byte(idField))
	if !ok { // ephemeral
		return append(dst, data...)
	}
	id, _, _ = bytes.Cut(id, []byte{'\n'})
	dst = append(append(dst, data[:len(data)-1]...), cursorKey...)
	return append(append(dst, id...), '"', '}')
}

// keep makes a twin known, unless somebody was faster, and counts what it takes. It
// returns the one that is known now.
func keep[T any](t *Tail, f *Frame, known *atomic.Pointer[T], twin *T, cost int64) *T {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !known.CompareAndSwap(nil, twin) {
		return known.Load()
	}
	if t.holds(f) {
		t.size += cost
	}
	return twin
}

// holds reports whether a frame is in the tail. What is not is not counted: an
// ephemeral frame, or one that was dropped meanwhile, perhaps with its log. Both are
// about to be forgotten.
func (t *Tail) holds(f *Frame) bool {
	i := t.interests[subject.Pattern(f.Topic)]
	if i == nil || f.Seq <= t.start {
		return false
	}
	list := i.frames.after(f.Seq - 1)
	return len(list) > 0 && list[0] == f
}
