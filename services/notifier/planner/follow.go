package planner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// reloadEvery is how often the schedule is read anew. It forgets what was replaced
	// or canceled, and finds what a bad moment made it miss; 100,000 entries take about
	// a second.
	reloadEvery = 15 * time.Minute
	// maxStale is how many entries more than twice what was there when it was read are
	// remembered before it is read anew: those are debounced ones, mostly.
	maxStale = 100_000
	// loadQuiet ends the reading if nothing comes: the last ones were removed meanwhile.
	loadQuiet = time.Second
	// pullBatch is how many messages are asked for at a time, of some 300 bytes each.
	pullBatch = 2000
	// pullWait is how long one question waits; the server speaks up every pullHeartbeat
	// meanwhile, so that a consumer that was lost is noticed.
	pullWait, pullHeartbeat = 30 * time.Second, 2 * time.Second
	// idleWait is how long the server keeps a consumer that nobody reads from.
	idleWait = 30 * time.Second
	// firstRetry and lastRetry bound the pauses after NATS failed.
	firstRetry, lastRetry = 50 * time.Millisecond, 2 * time.Second
	// createWait bounds the making of a consumer: a question that was lost with a
	// connection gets no answer, and asking again is what heals.
	createWait = time.Second
	// forgetWait bounds the removal of a consumer, which the server does itself later.
	forgetWait = 500 * time.Millisecond
)

var (
	// errReload says that the schedule is to be read anew at once.
	errReload = errors.New("the schedule is to be read anew")
	// errBroken says that messages are missing.
	errBroken = fmt.Errorf("%w: the consumer's numbering broke", natsx.ErrAway)
)

// arrival is an entry that was planned, or why no more come.
type arrival struct {
	item
	number, pending uint64 // the consumer's
	err             error
}

// session reads the whole schedule, follows it, and fires what is due meanwhile, until
// the consumer is lost or it is time to read it anew. Reading it anew is how everything
// heals: there is no state that could be wrong for long.
func (r *run) session(ctx context.Context) (loaded bool, err error) {
	up := r.p.conn.NC.StatusChanged(nats.CONNECTED) // before the consumer is made
	defer r.p.conn.NC.RemoveStatusListener(up)
	c, err := r.p.consume(ctx)
	if err != nil {
		return false, err
	}
	info := c.CachedInfo()
	defer r.p.forget(info.Name)
	messages, err := c.Messages(jetstream.PullMaxMessages(pullBatch), jetstream.PullExpiry(pullWait), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return false, fmt.Errorf("read the schedule: %w", natsx.Classify(err))
	}
	arrivals, quit := make(chan arrival, pullBatch/4), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { forward(messages, arrivals, quit) })
	defer reader.Wait()
	defer messages.Stop()
	defer close(quit)
	f := &follow{r: r, arrivals: arrivals, fresh: make([]item, 0, info.NumPending)}
	if info.NumPending == 0 {
		f.finish()
	}
	err = f.loop(ctx, up)
	return f.loaded, err
}

// consume makes a consumer of all that is planned, without bodies.
func (p *Planner) consume(ctx context.Context) (c jetstream.Consumer, err error) {
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	err = p.call(ctx, "consumer of "+p.config.Name, func(ctx context.Context) (err error) {
		c, err = p.conn.JS.CreateConsumer(ctx, p.config.Name, jetstream.ConsumerConfig{
			FilterSubject: p.space.Plan("*", "*", "*"), HeadersOnly: true,
			DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy,
			InactiveThreshold: idleWait, MemoryStorage: true, Replicas: 1,
		})
		return err
	}, "$JS.API.CONSUMER.CREATE."+p.config.Name+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, errors.Join(err, p.ensure(ctx)) // the next try finds it
	}
	return c, err
}

// forget removes a consumer.
func (p *Planner) forget(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), forgetWait)
	defer cancel()
	if p.conn.Connected() {
		_ = p.conn.JS.DeleteConsumer(ctx, p.config.Name, name)
	}
}

// forward reads messages until they end or quit is closed.
func forward(messages jetstream.MessagesContext, to chan<- arrival, quit <-chan struct{}) {
	for {
		var a arrival
		m, err := messages.Next()
		if err == nil {
			var meta *jetstream.MsgMetadata
			if meta, err = m.Metadata(); err == nil {
				a = arrival{
					item:   item{due: due(m.Headers()), seq: meta.Sequence.Stream},
					number: meta.Sequence.Consumer, pending: meta.NumPending,
				}
			}
		}
		if err != nil {
			a.err = fmt.Errorf("read the schedule: %w", natsx.Classify(err))
		}
		select {
		case to <- a:
		case <-quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// follow is one reading of the schedule.
type follow struct {
	r        *run
	arrivals <-chan arrival
	number   uint64 // of the last arrival
	fresh    []item // what was read, until it is loaded
	loaded   bool
	most     int // how many may be remembered
}

// loop takes arrivals and fires until something ends it.
func (f *follow) loop(ctx context.Context, up <-chan nats.Status) error {
	r := f.r
	reload := time.NewTimer(reloadEvery)
	defer reload.Stop()
	quiet := time.NewTimer(loadQuiet)
	defer quiet.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(r.advance(ctx))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-up:
			return errReload
		case <-reload.C:
			return errReload
		case a := <-f.arrivals:
			if err := f.take(a); err != nil {
				return err
			}
			if f.loaded && len(r.later.list) > f.most {
				return errReload
			}
			quiet.Reset(loadQuiet)
		case o := <-r.outcomes:
			r.ended(ctx, o)
		case <-r.p.cfg.Wake:
		case <-timer.C:
		case <-quiet.C:
			if !f.loaded {
				f.finish()
			}
		}
	}
}

// take notes an arrival and some of those that wait behind it.
func (f *follow) take(a arrival) error {
	for n := 1; ; n++ {
		if a.err != nil {
			return a.err
		}
		if f.number++; a.number != f.number {
			return errBroken
		}
		if f.loaded {
			f.r.later.push(a.item)
		} else if f.fresh = append(f.fresh, a.item); a.pending == 0 {
			f.finish()
		}
		if n == pullBatch {
			return nil // what is due should not wait for all
		}
		select {
		case a = <-f.arrivals:
		default:
			return nil
		}
	}
}

// finish puts what was read in place of what was remembered.
func (f *follow) finish() {
	f.r.later.list, f.fresh = f.fresh, nil
	f.r.later.order()
	f.loaded, f.most = true, 2*len(f.r.later.list)+maxStale
	if before := f.r.p.tell(nil); before != nil {
		f.r.p.cfg.Log.Info("following the schedule", "entries", len(f.r.later.list))
	}
}
