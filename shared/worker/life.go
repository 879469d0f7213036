package worker

import (
	"context"
	"sync"
	"time"
)

// life is the three times of a worker's run. Each ends after the one before.
type life struct {
	taking  context.Context //nolint:containedctx // three ends of one run, made in one place
	sending context.Context //nolint:containedctx // ends when the grace is over
	storing context.Context //nolint:containedctx // ends when there is no use in trying on

	stop    context.CancelFunc
	waiting sync.WaitGroup
}

// newLife begins a run that takes jobs until ctx ends. It must be ended.
func newLife(ctx context.Context, grace time.Duration) *life {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	sending, stopSending := context.WithCancelCause(base)
	storing, stopStoring := context.WithCancel(base)
	l := &life{taking: ctx, sending: sending, storing: storing, stop: stop}
	l.waiting.Go(func() {
		defer stopStoring()
		defer stopSending(errDrained)
		select {
		case <-ctx.Done():
		case <-base.Done():
			return
		}
		sleep(base, grace)
		stopSending(errDrained)
		sleep(base, settleWait)
	})
	return l
}

// end ends it all and waits for the time-keeper.
func (l *life) end() {
	l.stop()
	l.waiting.Wait()
}

// pulls are the requests for jobs that wait, which can be told to ask again.
type pulls struct {
	mu    sync.Mutex
	all   context.Context //nolint:containedctx // ended and made anew by again
	renew context.CancelFunc
}

func newPulls() *pulls {
	p := &pulls{}
	p.all, p.renew = context.WithCancel(context.Background())
	return p
}

// again ends the requests that wait.
func (p *pulls) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renew()
	p.all, p.renew = context.WithCancel(context.Background())
}

// end ends them for good.
func (p *pulls) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renew()
}

// context returns the context of one request that waits for so long.
func (p *pulls) context(parent context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	all := p.all
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(parent, wait)
	stop := context.AfterFunc(all, cancel)
	return ctx, func() { stop(); cancel() }
}
