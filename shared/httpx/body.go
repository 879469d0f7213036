package httpx

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// bodyTime is how long a body may take to arrive, counted from the request's head.
// It is 35 KB/s for the largest body; slower senders hold connections that others
// need.
const bodyTime = 30 * time.Second

const (
	// HeaderIdempotencyKey makes a request repeatable.
	HeaderIdempotencyKey = "Idempotency-Key"
	// maxIdempotencyKey bounds the header's value in bytes; a UUID has 36.
	maxIdempotencyKey = 200
)

// ReadBody reads a request's body of at most limit bytes. How long that may take is
// bounded for every request. Errors are *Problem.
func ReadBody(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, NewProblem(http.StatusUnsupportedMediaType, "unsupported_encoding", "Bodies are read without Content-Encoding only.")
	}
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	data, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, r.Body, limit))
	if err != nil {
		return nil, readProblem(err)
	}
	return data, nil
}

// IdempotencyKey reads the header of that name, "" when it is not given. The error is a
// *Problem.
func IdempotencyKey(header http.Header) (string, error) {
	values := header.Values(HeaderIdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", Bad(HeaderIdempotencyKey, "bad_idempotency_key", "The header is given twice.")
	}
	v := values[0]
	if v == "" || len(v) > maxIdempotencyKey || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", Bad(HeaderIdempotencyKey, "bad_idempotency_key",
			"The header must hold 1 to "+strconv.Itoa(maxIdempotencyKey)+" printable ASCII characters.")
	}
	return v, nil
}

// limitBody bounds a request's body in size and in time, counted from now. A declared
// length over the limit is refused at once; a chunked body when it gets there. The
// deadline also bounds net/http, which reads what the handler left before the next
// request.
func limitBody(c echo.Context, limit int64, within time.Duration) error {
	r := c.Request()
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	// The writer is net/http's own, which MaxBytesReader tells to close the
	// connection instead of reading on.
	w := c.Response().Writer
	control := http.NewResponseController(w)
	// A writer without deadlines, as in tests, has no slow senders either.
	_ = control.SetReadDeadline(time.Now().Add(within))
	if r.ContentLength > limit {
		if r.ProtoMajor < 2 {
			// Without this the answer would wait for the body it refuses. HTTP/2 ends the
			// one request by itself, and would take this as a goodbye to all of them.
			c.Response().Header().Set(echo.HeaderConnection, "close")
		}
		return bodyTooLarge(limit)
	}
	r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, limit), control: control}
	return nil
}

// body is a body with a deadline. It is used by the handler's goroutine alone.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// The deadline must go, or it would end the request while the handler works.
		// After any other error it stays, so that the server does not wait for the
		// rest of the body either.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
