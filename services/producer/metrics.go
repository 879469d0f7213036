package producer

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/producer/envelope"
	"tidings/shared/httpx"
	"tidings/shared/stream"
)

// Values of the label "result".
const (
	resultStored    = "stored"
	resultDuplicate = "duplicate"
	resultRefused   = "refused"
	resultFailed    = "failed"
	resultSkipped   = "skipped"
)

// metrics are the service's counters.
type metrics struct {
	events *prometheus.CounterVec // by result; see count
	bytes  prometheus.Counter
	feed   *prometheus.CounterVec // by source and result

	counts [4]atomic.Uint64 // the same as events, to be read; see countOf
}

// figures are what a producer tells the mesh about itself: events since its start.
type figures struct {
	Stored     uint64 `json:"stored"`
	Duplicates uint64 `json:"duplicates"`
	Refused    uint64 `json:"refused"`
	Failed     uint64 `json:"failed"`
	// UptimeS is in seconds.
	UptimeS int64 `json:"uptime_s"`
}

// figures takes them now.
func (m *metrics) figures(started time.Time) figures {
	return figures{
		Stored: m.countOf(resultStored).Load(), Duplicates: m.countOf(resultDuplicate).Load(),
		Refused: m.countOf(resultRefused).Load(), Failed: m.countOf(resultFailed).Load(),
		UptimeS: int64(time.Since(started).Seconds()),
	}
}

// countOf returns the count of a result.
func (m *metrics) countOf(result string) *atomic.Uint64 {
	return &m.counts[slices.Index([]string{resultStored, resultDuplicate, resultRefused, resultFailed}, result)]
}

// count counts n events by what became of them.
func (m *metrics) count(result string, n int) {
	m.events.WithLabelValues(result).Add(float64(n))
	m.countOf(result).Add(uint64(n))
}

// newMetrics makes the counters and registers them. All series exist from the
// start, so that a rate sees the first failure.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_producer_events_total",
			Help: "Events received over HTTP, by what became of them.",
		}, []string{"result"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_producer_bytes_total",
			Help: "Bytes of data of the events received over HTTP and stored.",
		}),
		feed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_producer_feed_total",
			Help: "Events of the metrics feed, by source and what became of them.",
		}, []string{"source", "result"}),
	}
	for _, result := range []string{resultStored, resultDuplicate, resultRefused, resultFailed} {
		m.events.WithLabelValues(result)
	}
	for _, source := range []string{sourceHost, sourceNATS} {
		for _, result := range []string{resultStored, resultFailed, resultSkipped} {
			m.feed.WithLabelValues(source, result)
		}
	}
	for _, c := range []prometheus.Collector{m.events, m.bytes, m.feed} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("prometheus.Register: %w", err)
		}
	}
	return m, nil
}

// stored counts one event that the log acknowledged.
func (m *metrics) stored(ack stream.Ack, size int) {
	if ack.Duplicate {
		m.count(resultDuplicate, 1)
		return
	}
	m.count(resultStored, 1)
	m.bytes.Add(float64(size))
}

// refuse counts the events of a refused request, as far as their number is known,
// and returns the reason. A refusal for want of a place is our failure.
func (m *metrics) refuse(err error) error {
	n, result := 1, resultRefused
	if faults, ok := errors.AsType[*envelope.Faults](err); ok {
		n = faults.Events
	} else if p, ok := errors.AsType[*httpx.Problem](err); ok && p.Status >= 500 {
		result = resultFailed
	}
	m.count(result, n)
	return err
}
