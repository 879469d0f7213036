package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// MaxDeliveries is how often a request is handed over before it is given up.
	MaxDeliveries = 10
	// takeAtOnce is how many requests of one Requests are in hand at the same time.
	takeAtOnce = 8
	// takeWait bounds one call, so that a request that hangs does not hang for ever.
	takeWait = 30 * time.Second
	// handWait is after how long of silence a request is handed to somebody else: one
	// that was on its way when a connection was lost, mostly. Who has one in hand speaks
	// up every handBeat.
	handWait, handBeat = 10 * time.Second, 3 * time.Second
	// maxHeld is how many requests may be in hand or wait for another try. More of them
	// hold new ones back: by then something is wrong with all.
	maxHeld = 10_000
	// firstAgain and lastAgain bound the jittered pauses between the tries of a request:
	// ten of them take some minutes.
	firstAgain, lastAgain = time.Second, time.Minute
	// pullWait is how long one question for a request waits; the server speaks up every
	// pullHeartbeat meanwhile, so that a question it has forgotten is noticed.
	pullWait, pullHeartbeat = 30 * time.Second, 5 * time.Second
	// heardAfter is how long a question must have waited to count as heard: that nobody is
	// there to hear it is said at once.
	heardAfter = 500 * time.Millisecond
	// createWait bounds the making of the consumer: a question that was lost with a
	// connection gets no answer, and asking again is what heals.
	createWait = time.Second
	// firstRetry and lastRetry bound the pauses after NATS failed.
	firstRetry, lastRetry = 50 * time.Millisecond, 2 * time.Second
)

// Take handles one plain publish: seq is its sequence in the stream, which names it for
// ever; header and body are as they were sent, by anybody who may publish there.
type Take func(ctx context.Context, seq uint64, header map[string][]string, body []byte) error

// Lost is told of a request that is given up, and of the last error of its Take.
type Lost func(ctx context.Context, seq uint64, header map[string][]string, body []byte, last error) error

// Requests hands plain publishes of notifications to take, some at a time, until ctx
// ends, and returns nil then. Callers that name the same durable share them. It waits for
// NATS for as long as it takes; Check tells why none come.
//
// A request for which take returns nil is done. For one that fails, or panics, take is
// called again after a growing pause, some minutes long in all. After MaxDeliveries it is
// handed to lost, later again if that fails too, and is done. Errors that say that NATS is away
// or full do not count as the last one. A take that was not finished is repeated, so it
// must be idempotent.
func (l *Ledger) Requests(ctx context.Context, durable string, take Take, lost Lost) error {
	r := &reader{l: l, durable: durable, take: take, lost: lost}
	r.renew()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stop()
	}()
	defer l.tell(nil)
	up := l.conn.NC.StatusChanged(nats.CONNECTED)
	defer l.conn.NC.RemoveStatusListener(up)
	var watch, slots sync.WaitGroup
	done := make(chan struct{})
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-up:
				r.renew() // the server may have forgotten everything
			}
		}
	})
	for range takeAtOnce {
		slots.Go(func() { r.slot(ctx) })
	}
	slots.Wait()
	close(done)
	watch.Wait()
	return nil
}

// Check returns why Requests gets none, or nil. It is meant for telemetry.Health.
func (l *Ledger) Check(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *Ledger) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// reader is one call of Requests.
type reader struct {
	l       *Ledger
	durable string
	take    Take
	lost    Lost

	making   sync.Mutex // held while the consumer is made; before mu
	mu       sync.Mutex
	consumer jetstream.Consumer // nil until made, and when it is to be made again
	asking   context.Context    //nolint:containedctx // ended and made anew by renew
	stop     context.CancelFunc // ends asking
}

// renew ends the questions that wait and has the consumer made again.
func (r *reader) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop != nil {
		r.stop()
	}
	r.consumer = nil
	r.asking, r.stop = context.WithCancel(context.Background())
}

// slot handles one request after the other.
func (r *reader) slot(ctx context.Context) {
	for pause := firstRetry; ctx.Err() == nil; {
		m, err := r.next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				r.l.tell(err)
			}
			sleep(ctx, pause/2+rand.N(pause/2))
			pause = min(2*pause, lastRetry)
			continue
		}
		pause = firstRetry
		r.l.tell(nil)
		if m != nil {
			r.handle(ctx, m)
		}
	}
}

// next waits for a request; nil means that none came.
func (r *reader) next(ctx context.Context) (jetstream.Msg, error) {
	c, asking, err := r.ensure(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pullWait)
	defer cancel()
	defer context.AfterFunc(asking, cancel)()
	defer time.AfterFunc(heardAfter, func() {
		if r.l.conn.Connected() {
			r.l.tell(nil) // the answer may take long: it is a request
		}
	}).Stop()
	m, err := c.Next(jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(pullHeartbeat))
	switch {
	case m != nil:
		return m, nil
	case ctx.Err() != nil, errors.Is(err, nats.ErrTimeout):
		return nil, nil
	}
	r.mu.Lock()
	if r.consumer == c {
		r.consumer = nil
	}
	r.mu.Unlock()
	return nil, fmt.Errorf("wait for a request: %w", natsx.Classify(err))
}

// ensure returns the consumer, and makes it, and the stream, if needed. One slot makes it
// for all: another one that updates it meanwhile has the server deny that it is there.
func (r *reader) ensure(ctx context.Context) (jetstream.Consumer, context.Context, error) {
	r.making.Lock()
	defer r.making.Unlock()
	r.mu.Lock()
	c, asking := r.consumer, r.asking
	r.mu.Unlock()
	if c != nil {
		return c, asking, nil
	}
	l := r.l
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	err := l.call(ctx, "consumer "+r.durable, func(ctx context.Context) (err error) {
		c, err = l.conn.JS.CreateOrUpdateConsumer(ctx, l.config.Name, jetstream.ConsumerConfig{
			Durable: r.durable, Description: "Tidings: plain publishes of notifications", FilterSubject: l.space.Notify(),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: handWait, MaxDeliver: -1, MaxAckPending: maxHeld,
		})
		return err
	}, "$JS.API.CONSUMER.CREATE."+l.config.Name+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil, errors.Join(err, l.ensure(ctx)) // the next try finds it
	}
	if err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	r.consumer = c
	r.mu.Unlock()
	return c, asking, nil
}

// handle has one request taken and tells NATS what became of it. What it cannot tell
// because NATS is away comes again by itself.
func (r *reader) handle(ctx context.Context, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		return // it is none of the consumer's
	}
	seq := meta.Sequence.Stream
	defer beat(m)()
	err = guarded(ctx, func(ctx context.Context) error { return r.take(ctx, seq, m.Headers(), m.Data()) })
	lost := false
	away := errors.Is(err, natsx.ErrAway) || errors.Is(err, natsx.ErrFull)
	if err != nil && ctx.Err() == nil && !away && meta.NumDelivered >= MaxDeliveries {
		last := err
		err = guarded(ctx, func(ctx context.Context) error { return r.lost(ctx, seq, m.Headers(), m.Data(), last) })
		lost = err == nil
	}
	switch {
	case lost:
		_ = m.TermWithReason("it failed too often")
	case err == nil:
		_ = m.Ack()
	case ctx.Err() != nil:
		_ = m.Nak() // we are stopping; somebody else may have it at once
	default:
		_ = m.NakWithDelay(r.l.again(meta.NumDelivered))
	}
}

// again returns the pause after so many deliveries.
func again(deliveries uint64) time.Duration {
	d := lastAgain
	if n := max(deliveries, 1); n < 8 {
		d = min(d, firstAgain<<(n-1))
	}
	return d/2 + rand.N(d/2)
}

// beat tells NATS that a request is in hand, until it is stopped.
func beat(m jetstream.Msg) (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(handBeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = m.InProgress()
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// guarded calls do within takeWait and makes an error of a panic: one bad request must
// not end the process, again and again.
func guarded(ctx context.Context, do func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, takeWait)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do(ctx)
}
