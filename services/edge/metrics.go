package edge

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/telemetry"
)

// metrics are what an operator watches of an edge.
type metrics struct {
	followed                                  telemetry.Tally
	holes, notEvents, ephemeral, canaryFailed prometheus.Counter
	lag                                       prometheus.Gauge
	canarySeconds                             prometheus.Histogram
	commands                                  *prometheus.CounterVec
}

func newMetrics(e *Edge, reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_edge_" + name, Help: help})
	}
	gauge := func(name, help string, fn func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidings_edge_" + name, Help: help}, fn)
	}
	m := &metrics{
		holes:        counter("holes_total", "Places where the log had dropped something before this edge saw it."),
		notEvents:    counter("not_events_total", "Messages on event subjects whose topic is malformed; they are skipped."),
		ephemeral:    counter("ephemeral_events_total", "Ephemeral events taken from NATS."),
		canaryFailed: counter("canary_failed_total", "Canaries the log did not take."),
		lag:          prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_edge_follow_lag_events", Help: "Entries of the log this edge has not seen yet."}),
		canarySeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_edge_canary_seconds", Help: "Time from publishing a canary to seeing it in the log.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_edge_commands_total", Help: "Commands of WebSockets, by name and result: ok, or the code of the problem.",
		}, []string{"do", "result"}),
	}
	reg.MustRegister(
		m.followed.Collector("tidings_edge_followed_events_total", "Events taken from the log.", nil),
		m.holes, m.notEvents, m.ephemeral, m.canaryFailed, m.lag, m.canarySeconds, m.commands,
		gauge("connections", "Live connections.", func() float64 { return float64(e.host.Count()) }),
		gauge("tail_bytes", "Bytes of the memory tail.", func() float64 { return float64(e.tail.Extent().Bytes) }),
		gauge("tail_events", "Events in the memory tail.", func() float64 { return float64(e.tail.Extent().Frames) }),
		gauge("tail_topics", "Topics and patterns in the tail's index.", func() float64 { return float64(e.tail.Extent().Topics) }),
		gauge("log_available", "1 while the log is followed, 0 while it is away.", func() float64 {
			if e.away() != nil {
				return 0
			}
			return 1
		}),
	)
	return m
}
