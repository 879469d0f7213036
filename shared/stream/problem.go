package stream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tidings/shared/httpx"
)

// retryAfter is when to try again after the log was away; an election of a new
// leader takes about five seconds.
const retryAfter = 5 * time.Second

// Problem turns an error of a Log into the answer of an HTTP API. A request that
// ran out of time is like a log that did not answer in time. What it does not
// know is "internal".
func Problem(err error) *httpx.Problem {
	switch {
	case errors.Is(err, ErrFull):
		return httpx.NewProblem(http.StatusInsufficientStorage, "log_full", "The event log is full; nothing was stored.").WithCause(err)
	case errors.Is(err, ErrTooLarge):
		return httpx.NewProblem(http.StatusRequestEntityTooLarge, "too_large", "The event is larger than the event log takes.").
			WithParam("data").WithCause(err)
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return httpx.NewProblem(http.StatusServiceUnavailable, "log_unavailable", "The event log did not answer; nothing is promised about this request.").
			WithHint("Send it again with the same id or Idempotency-Key: if it was stored after all, it is not stored twice.").
			WithRetryAfter(retryAfter).WithCause(err)
	}
	return httpx.NewProblem(http.StatusInternalServerError, httpx.CodeInternal, "The event log failed.").WithCause(err)
}
