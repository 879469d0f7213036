package smtp

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

const (
	// probePause is how long others wait while one mail tries out a provider that was away.
	probePause = time.Second
)

// errCanceled tells the breaker nothing: it was us who ended the attempt.
var errCanceled = errors.New("canceled")

// relay is one provider with what is known about it.
type relay struct {
	p       Provider
	pool    *pool
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	limiter *rate.Limiter
	cfg     Config
	m       *metrics
	log     *slog.Logger

	opened  atomic.Int64 // when the breaker last opened, in Unix nanoseconds
	settled atomic.Bool  // the last fault opens it at once

	mu    sync.Mutex
	until time.Time     // it is left alone until then
	pause time.Duration // how long the last time; doubles until a mail gets through
}

func newRelay(p Provider, cfg Config, m *metrics, log *slog.Logger) *relay {
	r := &relay{p: p, pool: newPool(p, cfg), cfg: cfg, m: m, log: log.With("provider", p.Name), limiter: rate.NewLimiter(rate.Inf, 1)}
	if p.Rate > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(p.Rate), 1) // evenly: providers count by the second
	}
	r.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: p.Name, MaxRequests: 1, Timeout: cfg.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return r.settled.Load() || c.ConsecutiveFailures >= cfg.Failures
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errCanceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				r.opened.Store(time.Now().UnixNano())
			}
			r.log.Warn("the state of a mail provider changed", "from", from.String(), "to", to.String())
		},
	})
	return r
}

// away returns for how long the provider is not to be asked, 0 if it may be.
func (r *relay) away() time.Duration {
	r.mu.Lock()
	wait := time.Until(r.until)
	r.mu.Unlock()
	if wait <= 0 && r.breaker.State() == gobreaker.StateOpen {
		wait = max(time.Until(time.Unix(0, r.opened.Load()).Add(r.cfg.OpenFor)), time.Millisecond)
	}
	return max(wait, 0)
}

// admit waits for the provider's turn. If it would take a mail then, done must be called
// with what came of it; if not, wait says when to ask again.
func (r *relay) admit(ctx context.Context) (done func(error), wait time.Duration) {
	if wait = r.away(); wait > 0 {
		return nil, wait
	}
	_, wait, ok := reserve(r.limiter, r.cfg.Patience)
	if !ok {
		r.m.limited.WithLabelValues("provider").Inc()
		return nil, wait
	}
	if !sleep(ctx, wait) {
		return nil, forever
	}
	if wait = r.away(); wait > 0 { // by now
		return nil, wait
	}
	done, err := r.breaker.Allow()
	if err != nil {
		return nil, probePause
	}
	return done, 0
}

// slow leaves the provider alone, for longer each time in a row.
func (r *relay) slow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Until(r.until) > 0 {
		return // others were told the same at the same time
	}
	r.pause = min(max(2*r.pause, r.cfg.SlowFirst), r.cfg.SlowMost)
	r.until = time.Now().Add(r.pause)
	r.log.Warn("a mail provider asks to send more slowly", "pause", r.pause)
}

// well notes that the provider took a mail.
func (r *relay) well() {
	r.settled.Store(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pause = 0
}

// send tries one mail, and tells the breaker by done.
func (r *relay) send(ctx context.Context, m Mail, done func(error)) (answer string, v verdict, e *Error) {
	began := time.Now()
	answer, v, e = r.try(ctx, m)
	switch {
	case e == nil:
		r.well()
		done(nil)
	case v.result != Unsure && ctx.Err() != nil, errors.Is(ctx.Err(), context.Canceled):
		v.fault, v.slow = false, false // it was us
		done(errCanceled)
	case v.fault:
		r.settled.Store(v.settled)
		done(e)
	default:
		done(nil)
	}
	if v.slow {
		r.slow()
	}
	r.m.answered(r.p.Name, v, e, time.Since(began))
	return answer, v, e
}

// try sends over a connection that is kept, and once more over a new one if that turns
// out to have been closed by the server: nothing was said about the mail then.
func (r *relay) try(ctx context.Context, m Mail) (answer string, v verdict, e *Error) {
	for fresh := false; ; fresh = true {
		n, used, e := r.pool.take(ctx, fresh)
		if e != nil {
			return "", e.verdict(), e
		}
		answer, e = n.transact(ctx, m)
		if e == nil {
			r.pool.put(n)
			return answer, verdict{result: Sent}, nil
		}
		v := e.verdict()
		if v.broken || e.Stage != End && !n.reset() {
			r.pool.drop(n)
		} else {
			r.pool.put(n)
		}
		gone := e.Stage == From && (e.Code == 0 || e.Code == 421)
		if !used || !gone || ctx.Err() != nil {
			return "", v, e
		}
	}
}
