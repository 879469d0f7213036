package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"tidings/shared/event"
	"tidings/shared/subject"
)

const (
	// feedEvery is how often the feed publishes: what a watching person still sees
	// as live, and little enough to run always.
	feedEvery = time.Second
	// feedTime bounds one round of one source, reading and storing. It ends before
	// the next begins, so that a slow log or source costs rounds and queues nothing.
	feedTime = 900 * time.Millisecond
	// feedSource is the source attribute of the feed's events.
	feedSource = "tidings/producer"
)

// Sources of the feed, as the metric's label names them.
const (
	sourceHost = "host"
	sourceNATS = "nats"
)

// feed is one source of live figures and where they go. Its fields are owned by
// the goroutine that runs it.
type feed struct {
	name  string
	topic subject.Topic
	kind  string // the event's type
	// read takes the figures now. It returns nil data without an error when there
	// is nothing to publish yet.
	read func(ctx context.Context, now time.Time) (data any, err error)

	down bool // the last round failed: tells once, not each second
}

// runFeeds runs all feeds until ctx ends and waits for them. Each has its own
// goroutine, so that one that hangs does not stop the others.
func (p *Producer) runFeeds(ctx context.Context) {
	var wg sync.WaitGroup
	for _, f := range p.feeds() {
		wg.Go(func() { p.runFeed(ctx, f) })
	}
	wg.Wait()
}

// feeds returns the sources that are configured.
func (p *Producer) feeds() []*feed {
	host := &hostFeed{name: p.config.Host}
	list := []*feed{{name: sourceHost, topic: hostTopic(p.config.Host), kind: "host.metrics", read: host.read}}
	if p.config.Stats != nil {
		server := &natsFeed{stats: p.config.Stats}
		list = append(list, &feed{name: sourceNATS, topic: natsTopic, kind: "nats.metrics", read: server.read})
	}
	return list
}

// runFeed publishes one source every second until ctx ends. The first reading is
// only what the first rates are counted from.
func (p *Producer) runFeed(ctx context.Context, f *feed) {
	ticker := time.NewTicker(feedEvery)
	defer ticker.Stop()
	p.round(ctx, f, false)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.round(ctx, f, true)
		}
	}
}

// round reads a source once and, if publish, stores what it read. What can't be
// stored is dropped: the next second's figures are the ones of interest then.
func (p *Producer) round(ctx context.Context, f *feed, publish bool) {
	ctx, cancel := context.WithTimeout(ctx, feedTime)
	defer cancel()
	now := time.Now()
	data, err := f.read(ctx, now)
	if err != nil {
		p.feedFailed(ctx, f, resultFailed, fmt.Errorf("read: %w", err))
		return
	}
	if !publish {
		return
	}
	body, err := json.Marshal(data)
	if err != nil {
		p.feedFailed(ctx, f, resultFailed, fmt.Errorf("json.Marshal: %w", err))
		return
	}
	ev := event.Event{Topic: f.topic, Type: f.kind, Source: feedSource, Time: now.UTC(), Data: body}
	if err := ev.Check(); err != nil {
		p.feedFailed(ctx, f, resultFailed, err)
		return
	}
	if _, err := p.log.Append(ctx, ev, ""); err != nil {
		p.feedFailed(ctx, f, resultSkipped, fmt.Errorf("log.Append: %w", err))
		return
	}
	p.metrics.feed.WithLabelValues(f.name, resultStored).Inc()
	if f.down {
		f.down = false
		p.logger.InfoContext(ctx, "the metrics feed works again", "source", f.name)
	}
}

// feedFailed counts a round that published nothing and tells when it is the first
// of a row.
func (p *Producer) feedFailed(ctx context.Context, f *feed, result string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) { // the service is stopping
		return
	}
	p.metrics.feed.WithLabelValues(f.name, result).Inc()
	if !f.down {
		f.down = true
		p.logger.WarnContext(ctx, "the metrics feed publishes nothing", "source", f.name, "err", err)
	}
}

// rate returns how fast a counter grew per second, nil if that is not known. A
// counter that ran backwards was reset: nothing is known of the time in between,
// and the figure is 0 rather than a negative one.
func rate(before, after uint64, elapsed time.Duration) *float64 {
	if elapsed <= 0 {
		return nil
	}
	perSecond := 0.0
	if after > before {
		perSecond = legible(float64(after-before) / elapsed.Seconds())
	}
	return &perSecond
}

// legible rounds to two decimals: the rest of what a division leaves is noise that
// people would have to read.
func legible(x float64) float64 { return math.Round(x*100) / 100 }
