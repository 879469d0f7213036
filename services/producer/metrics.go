package producer

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/producer/envelope"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/telemetry"
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
	stored, duplicates, refused, failed telemetry.Tally // events, by what became of them

	bytes prometheus.Counter
	feed  *prometheus.CounterVec // by source and result
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
		Stored: m.stored.Value(), Duplicates: m.duplicates.Value(), Refused: m.refused.Value(), Failed: m.failed.Value(),
		UptimeS: int64(time.Since(started).Seconds()),
	}
}

// newMetrics makes the counters and registers them. All series exist from the
// start, so that a rate sees the first failure.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_producer_bytes_total",
			Help: "Bytes of data of the events received over HTTP and stored.",
		}),
		feed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_producer_feed_total",
			Help: "Events of the metrics feed, by source and what became of them.",
		}, []string{"source", "result"}),
	}
	for _, source := range []string{sourceHost, sourceNATS} {
		for _, result := range []string{resultStored, resultFailed, resultSkipped} {
			m.feed.WithLabelValues(source, result)
		}
	}
	events := func(t *telemetry.Tally, result string) prometheus.Collector {
		return t.Collector("tidings_producer_events_total", "Events received over HTTP, by what became of them.",
			prometheus.Labels{"result": result})
	}
	for _, c := range []prometheus.Collector{
		events(&m.stored, resultStored), events(&m.duplicates, resultDuplicate), events(&m.refused, resultRefused),
		events(&m.failed, resultFailed), m.bytes, m.feed,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("prometheus.Register: %w", err)
		}
	}
	return m, nil
}

// acknowledged counts one event that the log took.
func (m *metrics) acknowledged(ack stream.Ack, size int) {
	if ack.Duplicate {
		m.duplicates.Add(1)
		return
	}
	m.stored.Add(1)
	m.bytes.Add(float64(size))
}

// refuse counts the events of a refused request, as far as their number is known,
// and returns the reason. A refusal for want of a place is our failure.
func (m *metrics) refuse(err error) error {
	n, tally := 1, &m.refused
	if faults, ok := errors.AsType[*envelope.Faults](err); ok {
		n = faults.Events
	} else if p, ok := errors.AsType[*httpx.Problem](err); ok && p.Status >= 500 {
		tally = &m.failed
	}
	tally.Add(n)
	return err
}
