package producer

import (
	"errors"
	"fmt"

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
	events *prometheus.CounterVec // by result
	bytes  prometheus.Counter
	feed   *prometheus.CounterVec // by source and result
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
		m.events.WithLabelValues(resultDuplicate).Inc()
		return
	}
	m.events.WithLabelValues(resultStored).Inc()
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
	m.events.WithLabelValues(result).Add(float64(n))
	return err
}
