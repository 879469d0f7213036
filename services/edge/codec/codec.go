package codec

import (
	"tidings/services/edge/blocks"
	"tidings/services/edge/tail"
	"tidings/services/edge/websocket"
	"tidings/services/edge/wire"
	"tidings/shared/event"
)

type form uint8

const (
	formSSE     form = iota // blocks; whoever writes them frames the body
	formChunked             // blocks in chunks of HTTP/1.1
	formSocket              // messages of a WebSocket
	formList                // JSON objects, a comma after each
)

// Codec is the form of one stream. Make it with SSE, WebSocket or List.
type Codec struct {
	form   form
	packed bool       // compressed
	sum    blocks.Sum // of a gzip stream, so far
}

// SSE returns the codec of a stream of Server-Sent Events, in gzip or not.
func SSE(gzip bool) Codec { return Codec{form: formSSE, packed: gzip} }

// WebSocket returns the codec of a WebSocket, which agreed to permessage-deflate or
// not.
func WebSocket(deflate bool) Codec { return Codec{form: formSocket, packed: deflate} }

// List returns the codec of a long-poll's answer: what it appends are items with a
// comma after each.
func List() Codec { return Codec{form: formList} }

// Chunk makes the codec of Server-Sent Events frame its bytes as HTTP/1.1 chunks. It
// is called before anything was encoded.
func (c *Codec) Chunk() { c.form = formChunked }

// Gzip reports whether the stream is a gzip stream.
func (c *Codec) Gzip() bool { return c.packed && !c.Socket() }

// Socket reports whether the stream is a WebSocket.
func (c *Codec) Socket() bool { return c.form == formSocket }

// Deflate reports whether the stream is a WebSocket that takes compressed messages.
func (c *Codec) Deflate() bool { return c.packed && c.Socket() }

// Transport names what the stream is: "sse", "ws" or "poll".
func (c *Codec) Transport() string {
	switch c.form {
	case formSocket:
		return "ws"
	case formList:
		return "poll"
	case formSSE, formChunked:
	}
	return "sse"
}

// Encoding names its compression: "gzip", "deflate" or "none".
func (c *Codec) Encoding() string {
	switch {
	case c.Gzip():
		return "gzip"
	case c.Deflate():
		return "deflate"
	}
	return "none"
}

// Same reports whether frames are written in the same bytes as with another codec.
func (c *Codec) Same(o *Codec) bool { return c.form == o.form && c.packed == o.packed }

// Bytes returns a frame as it is written. Once it is handed over, Count must be told.
func (c *Codec) Bytes(t *tail.Tail, f *tail.Frame) []byte {
	switch c.form {
	case formChunked:
		if c.packed {
			return t.Packed(f).Chunk
		}
		return f.Chunk
	case formSocket:
		if c.packed {
			return t.Deflated(f)
		}
		return t.Text(f)
	case formList:
		return append(f.AppendJSON(nil), ',')
	case formSSE:
	}
	if c.packed {
		return t.Packed(f).Bytes
	}
	return f.SSE
}

// Count notes that a frame was handed over.
func (c *Codec) Count(t *tail.Tail, f *tail.Frame) {
	if c.packed && c.form != formSocket {
		c.sum.Add(t.Packed(f))
	}
}

// AppendControl appends a control event. A zero cursor leaves the client's position
// alone. Like everything that is appended it must be packed before it is written.
func (c *Codec) AppendControl(dst []byte, at event.Cursor, kind string, data any) []byte {
	switch c.form {
	case formSocket:
		return websocket.AppendText(dst, wire.AppendControlJSON(nil, at, kind, data))
	case formList:
		return append(wire.AppendControlJSON(dst, at, kind, data), ',')
	case formSSE, formChunked:
	}
	return wire.AppendControl(dst, at, kind, data)
}

// AppendEvent appends an event that is nobody else's.
func (c *Codec) AppendEvent(dst []byte, e event.Event, at event.Cursor) []byte {
	switch c.form {
	case formSocket:
		text := e.AppendJSONCursor(nil, at)
		if c.packed && len(text) >= blocks.Worthwhile {
			return websocket.AppendDeflated(dst, websocket.Deflate(nil, text))
		}
		return websocket.AppendText(dst, text)
	case formList:
		return append(e.AppendJSONCursor(dst, at), ',')
	case formSSE, formChunked:
	}
	return e.AppendSSE(dst, at)
}

// AppendHeartbeat appends what moves the client's position and fires nothing. A
// WebSocket's client is asked for a sign of life with it.
func (c *Codec) AppendHeartbeat(dst []byte, at event.Cursor) []byte {
	switch c.form {
	case formSocket:
		return websocket.AppendPing(websocket.AppendText(dst, wire.AppendHeartbeatJSON(nil, at)), nil)
	case formList:
		return dst
	case formSSE, formChunked:
	}
	return wire.AppendHeartbeat(dst, at)
}

// Opening returns what comes before the first words: a compressed stream's head and
// the reconnection time. It is ready to be written, and nothing for a WebSocket.
func (c *Codec) Opening(retryMS int64) []byte {
	if c.form == formSocket || c.form == formList {
		return nil
	}
	var b []byte
	if c.packed {
		b = blocks.AppendHeader(b)
	}
	return c.chunk(append(b, c.squeeze(wire.AppendRetry(nil, retryMS))...))
}

// Pack turns what was appended into what is written, which must then be.
func (c *Codec) Pack(b []byte) []byte {
	if c.form == formSocket || c.form == formList {
		return b
	}
	return c.chunk(c.squeeze(b))
}

// Farewell returns the last words, ready to be written: tidings.bye and what ends
// the stream in its form.
func (c *Codec) Farewell(bye wire.Bye) []byte {
	b := c.AppendControl(nil, event.Cursor{}, wire.TypeBye, bye.WithRetry())
	if c.form == formSocket {
		return websocket.AppendClose(b, bye.Close, bye.Code)
	}
	b = c.squeeze(b)
	if c.packed {
		b = c.sum.AppendTrailer(b)
	}
	b = c.chunk(b)
	if c.form == formChunked {
		b = append(b, blocks.LastChunk...)
	}
	return b
}

// squeeze compresses a piece of a gzip stream.
func (c *Codec) squeeze(b []byte) []byte {
	if !c.packed || len(b) == 0 {
		return b
	}
	k := blocks.New(b)
	c.sum.Add(k)
	return k.Bytes
}

// chunk frames a piece of a chunked body.
func (c *Codec) chunk(b []byte) []byte {
	if c.form != formChunked {
		return b
	}
	chunk, _ := blocks.Chunk(b)
	return chunk
}
