package producer

import (
	"context"
	"net/http"
	"time"

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
