package producer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

const (
	// MaxBody bounds a body of /v1/events in bytes. It holds five events of the
	// largest size, or 1,000 of 4 KiB. The server's own limit must not be lower.
	MaxBody = 4 << 20
	// MaxHookBody bounds a body of /v1/hooks in bytes. It is smaller because
	// strangers may send it: a hook's sender is known only after the body is read.
	MaxHookBody = 1 << 20
	// placeTime is how long a request waits for a place before it is told to come
	// back: long enough to ride out a burst, short enough to keep the queue short.
	placeTime = time.Second
	// retryAfter is when a client refused for a passing reason should come back: a
	// log that lost its leader has a new one by then.
	retryAfter = 2 * time.Second
)

// gate bounds how many requests are held in memory at once. Every place is one
// body of the largest size.
type gate chan struct{}

// enter takes a place and returns how to give it back. It fails when none gets
// free in time.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g }
	select {
	case g <- struct{}{}:
		return leave, nil
	default:
	}
	timer := time.NewTimer(placeTime)
	defer timer.Stop()
	select {
	case g <- struct{}{}:
		return leave, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, httpx.NewProblem(http.StatusServiceUnavailable, "overloaded", "Too many requests are being stored at once.").
		WithHint("Nothing was stored. Send events in batches, or come back a little later.").WithRetryAfter(retryAfter)
}

// readBody reads a request's body of at most limit bytes. How long that may take
// is httpx's matter.
func readBody(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, httpx.NewProblem(http.StatusUnsupportedMediaType, "unsupported_encoding",
			"Bodies are read without Content-Encoding only.")
	}
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, r.Body, limit))
	if err != nil {
		return nil, bodyProblem(err)
	}
	return body, nil
}

// bodyProblem explains why a body could not be read.
func bodyProblem(err error) error {
	if p, ok := errors.AsType[*httpx.Problem](err); ok {
		return p
	}
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(over.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return httpx.NewProblem(http.StatusRequestTimeout, httpx.CodeBodyTimeout, "The body did not arrive in time.").WithCause(err)
	}
	return httpx.NewProblem(http.StatusBadRequest, httpx.CodeBodyUnreadable, "The body broke off.").WithCause(err)
}

// bodyTooLarge is the answer to a body over limit bytes.
func bodyTooLarge(limit int64) *httpx.Problem {
	return httpx.NewProblem(http.StatusRequestEntityTooLarge, httpx.CodeBodyTooLarge,
		"The body is over "+strconv.FormatInt(limit, 10)+" bytes.").WithHint("Nothing was stored. Send less at once.")
}
