package planner

import "github.com/prometheus/client_golang/prometheus"

// metrics are what an operator watches of a planner.
type metrics struct {
	pending, failing                  prometheus.Gauge
	fired, failed, doubled, malformed prometheus.Counter
	late                              prometheus.Histogram
}

// newMetrics returns metrics that are registered with reg.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_planner_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_planner_" + name, Help: help})
	}
	m := &metrics{
		pending:   gauge("pending", "Entries that wait for their time; some of them may have been canceled or replaced."),
		failing:   gauge("failing", "Entries that are due, could not be fired, and wait for another try."),
		fired:     counter("fired_total", "Entries that were fired."),
		failed:    counter("failed_total", "Tries to fire an entry that failed."),
		doubled:   counter("doubled_total", "Entries that were fired here, and somewhere else or canceled in the same moment."),
		malformed: counter("malformed_total", "Entries that could not be read and were dropped."),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_planner_late_seconds", Help: "Time from an entry's due time to its having been fired.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 12),
		}),
	}
	reg.MustRegister(m.pending, m.failing, m.fired, m.failed, m.doubled, m.malformed, m.late)
	return m
}
