package wire

import (
	"bytes"
	"net/http"
	"time"
)

// SetHeader sets what the response of every stream of Server-Sent Events says.
func SetHeader(h http.Header, gzip bool) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	h.Add("Vary", "Accept-Encoding")
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
}

// AppendHead appends the head of a chunked HTTP/1.1 response with such a stream, after
// which the connection is closed. It is for those who took the connection over.
func AppendHead(dst []byte, h http.Header, gzip bool) []byte {
	SetHeader(h, gzip)
	h.Set("Connection", "close")
	// A body that just ends with its connection would do for browsers, but some HTTP
	// libraries wait for a full buffer unless there are chunks.
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	b := bytes.NewBuffer(append(dst, "HTTP/1.1 200 OK\r\n"...))
	_ = h.Write(b) // cannot fail: it writes to memory
	b.WriteString("\r\n")
	return b.Bytes()
}
