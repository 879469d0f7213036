package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errStarting is the state before the log was reached for the first time.
var errStarting = errors.New("the log has not been reached yet")

// canary remembers the last one that came through.
type canary struct {
	once sync.Once
	name string // of this process's canaries: a restarted node must not believe its predecessor's

	mu   sync.Mutex
	last time.Time
	took time.Duration // of the last one, from publishing to seeing it
}

// id returns the name this process signs its canaries with.
func (c *canary) id() string {
	c.once.Do(func() { c.name = rand.Text() })
	return c.name
}

// probe publishes canaries until ctx ends.
func (e *Edge) probe(ctx context.Context) {
	tick := time.NewTicker(canaryEvery)
	defer tick.Stop()
	for {
		payload := e.canary.id() + " " + strconv.FormatInt(time.Now().UnixNano(), 10)
		if _, err := e.cfg.Log.Canary(ctx, e.cfg.Node, []byte(payload)); err != nil && ctx.Err() == nil {
			e.metrics.canaryFailed.Inc()
			e.log.Debug("a canary was not stored", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// seen books a canary that came through the log, if it is ours.
func (c *canary) seen(payload []byte, m *metrics) {
	name, sent, _ := strings.Cut(string(payload), " ")
	ns, err := strconv.ParseInt(sent, 10, 64)
	if name != c.id() || err != nil {
		return
	}
	now := time.Now()
	took := now.Sub(time.Unix(0, ns))
	m.canarySeconds.Observe(took.Seconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.took = now, took
}

// Ready reports why the edge should get no new connections, or nil. It proves
// the real path: a canary stored in the log came back to this edge lately.
func (e *Edge) Ready(context.Context) error {
	if e.host.Draining() {
		return errors.New("draining")
	}
	if err := e.unable(); err != nil {
		return err
	}
	e.canary.mu.Lock()
	last := e.canary.last
	e.canary.mu.Unlock()
	if last.IsZero() {
		return errStarting
	}
	if age := time.Since(last); age > canaryLate {
		return fmt.Errorf("the last canary came back %v ago", age.Round(time.Second))
	}
	return nil
}
