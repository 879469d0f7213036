package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/edge/connection"
	"tidings/services/edge/ops"
	"tidings/services/edge/ordinary"
	"tidings/services/edge/raw"
	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/stream"
)

// Edge is one node that streams the log to its connections. Make one with New.
type Edge struct {
	cfg     Config
	log     *slog.Logger
	tail    *tail.Tail
	host    *connection.Host
	metrics *metrics
	desk    *ops.Desk

	ordinary *ordinary.Sink
	sinks    []connection.Sink // in the order in which they are tried; ordinary is the last

	at event.Cursor // the last entry that came; owned by the follower's goroutine

	health health
	canary canary
}

// health is what the follower reports.
type health struct {
	mu    sync.Mutex
	err   error     // nil while following works
	since time.Time // of err
	whole bool      // the tail has been filled up to the log's end once
	lag   uint64    // entries of the log that were not seen yet
}

// New returns an edge. Nothing starts before Run.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Edge, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	e := &Edge{cfg: cfg, log: log, tail: tail.New(cfg.TailBytes)}
	e.health.err, e.health.since = errStarting, time.Now()
	e.metrics = newMetrics(e, reg)
	e.host = connection.NewHost(connection.Config{
		Node: cfg.Node, Tail: e.tail, Log: cfg.Log, Away: e.away, Command: e.command, Heartbeat: cfg.Heartbeat, Stall: cfg.Stall,
		Total: cfg.Connections, PerUser: cfg.PerUser, PerIP: cfg.PerIP, Topics: cfg.Topics, Logger: log,
	}, connection.NewMetrics(reg))
	e.ordinary = ordinary.New(e.host)
	if !cfg.Ordinary {
		e.sinks = append(e.sinks, raw.New(e.host))
	}
	e.sinks = append(e.sinks, e.ordinary)
	e.desk = ops.New(cfg.Node, e.host, e.tail, e.sinks)
	return e, nil
}

// Run follows the log and serves connections until ctx ends; then it sends the
// connections away over the drain time and returns. It returns an error only if
// it could not start.
func (e *Edge) Run(ctx context.Context) error {
	// The log is followed until the last connection has left, so that nobody misses
	// what happens while the node drains.
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	if nc := e.cfg.core(); nc != nil {
		sub, err := e.subscribeEphemeral(nc)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
		ignore, err := e.takeOrders(following, nc)
		if err != nil {
			return err
		}
		defer ignore()
	}
	for _, s := range e.sinks {
		if err := s.Open(); err != nil {
			return fmt.Errorf("edge: %w", err)
		}
	}
	for _, s := range e.sinks {
		wg.Go(func() { s.Run(following) })
	}
	wg.Go(func() { e.host.Settle(following) })
	wg.Go(func() { e.follow(following) })
	wg.Go(func() { e.probe(following) })
	wg.Go(func() { e.watchHealth(following) })
	if e.cfg.NATS != nil {
		leave, err := e.join(following)
		if err != nil {
			stop()
			return fmt.Errorf("edge: %w", err)
		}
		defer leave()
	}
	<-ctx.Done()
	e.drain()
	stop()
	return nil
}

// follow feeds the tail.
func (e *Edge) follow(ctx context.Context) {
	handler := stream.Handler{
		Epoch: func(start event.Cursor) {
			e.log.Info("following the log", "after", start.String())
			e.at = start
			e.tail.Reset(start)
		},
		Entry:  e.entry,
		Health: e.setHealth,
	}
	// Where to begin is worth a question; when the log is away Follow asks itself
	// and then begins at the first entry held.
	start, err := e.tailStart(ctx)
	if err != nil {
		e.log.Warn("the log's extent is unknown; following from its start", "err", err)
	}
	_ = e.cfg.Log.Follow(ctx, start, handler) // ends with ctx only
}

// tailStart guesses from where on the log fits the tail.
func (e *Edge) tailStart(ctx context.Context) (event.Cursor, error) {
	x, err := e.cfg.Log.Epoch(ctx)
	if err != nil {
		return event.Cursor{}, fmt.Errorf("extent: %w", err)
	}
	start := event.Cursor{Epoch: x.Epoch, Seq: x.First - 1}
	if x.Messages == 0 {
		start.Seq = x.Last
		return start, nil
	}
	fit := uint64(e.cfg.TailBytes) / max(x.Bytes/x.Messages, 1)
	if n := x.Last - start.Seq; n > fit {
		start.Seq = x.Last - fit
	}
	return start, nil
}

// entry takes one entry of the log.
func (e *Edge) entry(en stream.Entry) {
	if en.Seq > e.at.Seq+1 {
		// The log's limits dropped something before it came here, perhaps long ago and
		// perhaps while this edge was cut off. The tail cannot answer for what is before;
		// the stream can, and knows for which topics it matters.
		e.metrics.holes.Inc()
		e.tail.Reset(event.Cursor{Epoch: e.at.Epoch, Seq: en.Seq - 1})
	}
	e.at.Seq = en.Seq
	switch {
	case en.Event.Topic != "":
		e.tail.Append(tail.Encode(en.Event, e.at))
		e.metrics.followed.Add(1)
	case en.Canary != nil:
		e.tail.Skip(en.Seq)
		e.canary.seen(en.Canary, e.metrics)
	default:
		e.tail.Skip(en.Seq)
		e.metrics.notEvents.Inc()
	}
}

func (e *Edge) setHealth(lag uint64, err error) {
	e.metrics.lag.Set(float64(lag))
	h := &e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lag = lag
	h.whole = h.whole || err == nil && lag == 0
	if (err == nil) == (h.err == nil) {
		h.err = err
		return
	}
	if err != nil {
		e.log.Warn("the log cannot be followed", "err", err)
	} else if !errors.Is(h.err, errStarting) {
		e.log.Info("the log is followed again", "after", time.Since(h.since))
	}
	h.err, h.since = err, time.Now()
}

// unable returns why new connections cannot be served, or nil. Before the tail
// has reached the log's end, its head would pass old events off as new.
func (e *Edge) unable() error {
	if err := e.away(); err != nil {
		return err
	}
	e.health.mu.Lock()
	defer e.health.mu.Unlock()
	if !e.health.whole {
		return errStarting
	}
	return nil
}

// away returns why the log is away, if it has been for longer than a moment.
func (e *Edge) away() error {
	h := &e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil && time.Since(h.since) >= awayAfter {
		return h.err
	}
	return nil
}

// watchHealth wakes the connections when the log goes away or returns: they
// notice it themselves, but only when something wakes them.
func (e *Edge) watchHealth(ctx context.Context) {
	tick := time.NewTicker(awayAfter / 3)
	defer tick.Stop()
	was := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if is := e.away() != nil; is != was {
				was = is
				for _, s := range e.sinks {
					s.Poke()
				}
			}
		}
	}
}

// drain sends every connection away at a random moment of the drain time.
func (e *Edge) drain() {
	n := e.host.Count()
	left := e.host.Drain()
	for _, s := range e.sinks {
		s.LeaveWithin(e.cfg.Drain * 3 / 4)
	}
	if n == 0 {
		return
	}
	e.log.Info("draining", "connections", n, "over", e.cfg.Drain)
	deadline := time.NewTimer(e.cfg.Drain)
	defer deadline.Stop()
	select {
	case <-left:
	case <-deadline.C:
		e.log.Warn("connections were still open at the end of the drain time", "connections", e.host.Count())
	}
}
