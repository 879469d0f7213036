package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/natsx"
	"tidings/shared/worker/backoff"
)

const (
	// MaxConcurrency is the most jobs that one worker has in hand: beyond it another
	// process helps more.
	MaxConcurrency = 128
	// maxRetrying is how many jobs of a channel may wait for their next attempt or be in
	// hand. More of them hold new ones back: by then something is wrong with the
	// channel, and NATS keeps these in memory.
	maxRetrying = 100_000
	// pullWait is how long one request for jobs waits: an idle worker sends one in that
	// time. nats.go has the server tell of itself meanwhile, so a request that was
	// forgotten is found. While jobs come it is busyWait, too short for that, since nats.go
	// holds on to each request that has it for ten seconds after its end.
	pullWait, busyWait = 30 * time.Second, 5 * time.Second
	// firstRetry and lastRetry bound the pauses after NATS failed.
	firstRetry, lastRetry = 50 * time.Millisecond, 2 * time.Second
	// settleWait is how long a worker that stops tries to store what its last attempts
	// came to.
	settleWait = 5 * time.Second
)

var (
	// errStarting is the health of a worker that has not reached its queue yet.
	errStarting = errors.New("the worker has not reached its queue yet")
	// errDrained ends the attempts that outlast the drain.
	errDrained = errors.New("the worker is stopping")
)

// Config says what a worker does. Defaults fills in what is zero.
type Config struct {
	// Channel is whose jobs it takes, Sender what sends them.
	Channel string
	Sender  Sender
	// Concurrency is how many jobs it has in hand at the same time, at most
	// MaxConcurrency; 8 by default.
	Concurrency int
	// MaxAttempts is after how many attempts a job is given up; 8 by default.
	MaxAttempts int
	// Backoff is the pauses between them; backoff.Default by default.
	Backoff backoff.Bounds
	// SendTimeout bounds one attempt; a minute by default.
	SendTimeout time.Duration
	// AckWait is after how long of silence another worker may take a job over; 30 s by
	// default. A worker speaks up three times in it. All workers of a channel should have
	// the same.
	AckWait time.Duration
	// Grace is how long attempts under way may take to end when the worker is told to
	// stop; 20 s by default.
	Grace time.Duration
	// Metrics counts; nil means that nobody looks.
	Metrics *Metrics
}

// Defaults returns the configuration with what is zero filled in.
func (c Config) Defaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 8
	}
	if c.Backoff == (backoff.Bounds{}) {
		c.Backoff = backoff.Default()
	}
	set(&c.SendTimeout, time.Minute)
	set(&c.AckWait, 30*time.Second)
	set(&c.Grace, 20*time.Second)
	if c.Metrics == nil {
		c.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	return c
}

// check returns what is wrong with the configuration.
func (c Config) check() error {
	switch {
	case !isToken(c.Channel):
		return fmt.Errorf("channel %q: use 1 to %d letters, digits, '-' and '_'", cut(c.Channel), MaxToken)
	case c.Sender == nil:
		return fmt.Errorf("channel %s: no sender", c.Channel)
	case c.Concurrency < 1 || c.Concurrency > MaxConcurrency:
		return fmt.Errorf("channel %s: concurrency %d: use 1 to %d", c.Channel, c.Concurrency, MaxConcurrency)
	case c.MaxAttempts < 1:
		return fmt.Errorf("channel %s: %d attempts: use at least 1", c.Channel, c.MaxAttempts)
	case c.Backoff.Base <= 0 || c.Backoff.Factor < 1 || c.Backoff.Max < c.Backoff.Base:
		return fmt.Errorf("channel %s: back-off %v: it must begin above 0 and not shrink", c.Channel, c.Backoff)
	case c.SendTimeout <= 0 || c.AckWait <= 0 || c.Grace < 0:
		return fmt.Errorf("channel %s: timeouts must be above 0", c.Channel)
	}
	return nil
}

// Worker does the jobs of one channel. Make one with New.
type Worker struct {
	q   *Queue
	cfg Config
	log *slog.Logger

	mu       sync.Mutex
	consumer jetstream.Consumer  // nil until made, and when it is to be made again
	err      error               // why no jobs come, nil while they would
	since    time.Time           // when the connection last came up
	inHand   map[string]struct{} // keys
}

// New returns a worker that does nothing before Run.
func New(q *Queue, cfg Config, log *slog.Logger) (*Worker, error) {
	cfg = cfg.Defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Worker{
		q: q, cfg: cfg, log: log.With("channel", cfg.Channel),
		err: errStarting, inHand: map[string]struct{}{},
	}, nil
}

// Run does jobs until ctx ends, and returns nil after those in hand have ended. Attempts
// under way have Config.Grace to end by themselves; the contexts of those that don't are
// ended then, and their jobs are given to other workers. Run waits for NATS for as long
// as it takes and returns no other error. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	l := newLife(ctx, w.cfg.Grace)
	defer l.end()
	up := w.q.conn.NC.StatusChanged(nats.CONNECTED)
	defer w.q.conn.NC.RemoveStatusListener(up)
	w.connected()
	pulls := newPulls()
	defer pulls.end()
	var watch, slots sync.WaitGroup
	done := make(chan struct{})
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-up:
				// The server may have forgotten the requests that wait.
				w.connected()
				pulls.again()
			}
		}
	})
	idle, jobs := make(chan struct{}, w.cfg.Concurrency), make(chan jetstream.Msg)
	for range w.cfg.Concurrency {
		slots.Go(func() { w.slot(l, idle, jobs) })
	}
	w.handOut(l, pulls, idle, jobs)
	slots.Wait()
	close(done)
	watch.Wait()
	return nil
}

// Check returns why no jobs would come now, or nil. It is meant for telemetry.Health.
func (w *Worker) Check(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// connected notes that the connection came up, and that everything may be new.
func (w *Worker) connected() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.consumer = time.Now(), nil
}

// slot does one job after the other. It says so when it has none.
func (w *Worker) slot(l *life, idle chan<- struct{}, jobs <-chan jetstream.Msg) {
	for {
		idle <- struct{}{} // never full
		m, more := <-jobs
		if !more {
			return
		}
		w.deliver(l, m)
	}
}

// handOut gives jobs to the slots until none are to be taken any more. It asks for as
// many at once as there are idle slots: when there is much to do, each request brings
// some, and a job never waits here for others to be done.
func (w *Worker) handOut(l *life, p *pulls, idle <-chan struct{}, jobs chan<- jetstream.Msg) {
	defer close(jobs)
	for n, got, pause := 0, 0, firstRetry; ; {
		if n == 0 {
			select {
			case <-idle:
				n++
			case <-l.taking.Done():
			}
		}
		for ; len(idle) > 0; n++ {
			<-idle // nobody else takes of it
		}
		if l.taking.Err() != nil {
			return
		}
		var err error
		got, err = w.pull(l.taking, p, n, got > 0, jobs)
		n -= got
		if err != nil {
			sleep(l.taking, pause/2+rand.N(pause/2))
			pause = min(2*pause, lastRetry)
			continue
		}
		pause = firstRetry
	}
}

// pull waits for up to n jobs, hands them out as they come, and returns how many did.
// busy says that some have just come.
func (w *Worker) pull(ctx context.Context, p *pulls, n int, busy bool, jobs chan<- jetstream.Msg) (got int, err error) {
	c, err := w.ensure(ctx)
	if err != nil {
		w.tell(ctx, err)
		return 0, err
	}
	wait := pullWait
	if busy {
		wait = busyWait
	}
	ctx, cancel := p.context(ctx, wait)
	defer cancel()
	batch, err := c.Fetch(n, jetstream.FetchContext(ctx))
	if err == nil {
		for m := range batch.Messages() {
			jobs <- m
			got++
		}
		err = batch.Error()
	}
	switch {
	case err == nil:
		w.tell(ctx, nil)
		return got, nil
	case ctx.Err() != nil, errors.Is(err, nats.ErrTimeout):
		return got, nil
	}
	w.mu.Lock()
	if w.consumer == c {
		w.consumer = nil
	}
	w.mu.Unlock()
	err = fmt.Errorf("wait for jobs: %w", natsx.Classify(err))
	w.tell(ctx, err)
	return got, err
}

// ensure returns the channel's consumer and makes it, and the streams, if needed.
func (w *Worker) ensure(ctx context.Context) (jetstream.Consumer, error) {
	w.mu.Lock()
	c := w.consumer
	w.mu.Unlock()
	if c != nil {
		return c, nil
	}
	name := "worker-" + w.cfg.Channel
	err := w.q.call(ctx, "consumer "+name, func(ctx context.Context) (err error) {
		c, err = w.q.conn.JS.CreateOrUpdateConsumer(ctx, w.q.jobs, jetstream.ConsumerConfig{
			Durable: name, Description: "Tidings: jobs of a channel", FilterSubject: w.q.space.Job(w.cfg.Channel, "*"),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: w.cfg.AckWait, MaxDeliver: -1, MaxAckPending: maxRetrying,
		})
		return err
	}, "$JS.API.CONSUMER.CREATE."+w.q.jobs+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, errors.Join(err, w.q.ensure(ctx)) // the next try finds it
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.consumer = c
	w.mu.Unlock()
	w.tell(ctx, nil)
	return c, nil
}

// tell notes the worker's health, and logs where it changes.
func (w *Worker) tell(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // it is stopping, which says nothing
	}
	w.mu.Lock()
	before := w.err
	w.err = err
	w.mu.Unlock()
	switch {
	case err != nil && (before == nil || errors.Is(before, errStarting)):
		w.log.Warn("no jobs come; trying on", "err", err)
	case err == nil && before != nil:
		w.log.Info("waiting for jobs")
	}
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
