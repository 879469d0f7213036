package connection

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/telemetry"
)

// Metrics are what an operator watches of the connections.
type Metrics struct {
	// Delivered counts events.
	Delivered telemetry.Tally
	// Bytes counts what was written in all, EphemeralDropped the ephemeral events that
	// a busy connection did not get.
	Bytes, EphemeralDropped prometheus.Counter
	// Ends counts streams by the cause of their end.
	Ends *prometheus.CounterVec

	gaps, rangeReads prometheus.Counter
	connects         *prometheus.CounterVec
}

// NewMetrics makes and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_edge_" + name, Help: help})
	}
	m := &Metrics{
		EphemeralDropped: counter("ephemeral_dropped_total", "Ephemeral events a busy connection did not get."),
		Bytes:            counter("delivered_bytes_total", "Bytes written to connections, control events included, as sent."),
		gaps:             counter("gaps_total", "tidings.gap events sent: history that was gone."),
		rangeReads:       counter("range_reads_total", "Reads of the stream for connections behind the tail."),
		connects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_edge_connects_total", Help: "Streams begun, by how: fresh, resumed, or refused with the code of its bye.",
		}, []string{"result"}),
		Ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_edge_ends_total", Help: "Streams ended, by cause: gone, stalled, silent, broken, failed, answered (a poll), or the code of the bye.",
		}, []string{"cause"}),
	}
	reg.MustRegister(m.Delivered.Collector("tidings_edge_delivered_events_total", "Events written to connections.", nil),
		m.EphemeralDropped, m.Bytes, m.gaps, m.rangeReads, m.connects, m.Ends)
	return m
}
