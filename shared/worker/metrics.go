package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what an operator watches of the workers of a process, by channel. Make
// one with NewMetrics.
type Metrics struct {
	attempts, jobs, unsure, overlaps *prometheus.CounterVec
	inFlight, waiting                *prometheus.GaugeVec
	age, seconds                     *prometheus.HistogramVec
}

// NewMetrics returns metrics that are registered with reg, which panics if they were.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidings_worker_" + name, Help: help}, append([]string{"channel"}, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidings_worker_" + name, Help: help}, []string{"channel"})
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_worker_" + name, Help: help, Buckets: buckets,
		}, []string{"channel"})
	}
	m := &Metrics{
		attempts: counter("attempts_total", "Attempts to send a job, by outcome: sent, again, held, never, unsure or drained.", "outcome"),
		jobs:     counter("jobs_total", "Jobs that came to an end, by state: sent, dead or expired.", "state"),
		unsure:   counter("unsure_total", "Attempts of which it is not known whether they got through; a second one may be a duplicate."),
		overlaps: counter("overlaps_total", "Attempts that ended after another worker had taken the job over."),
		inFlight: gauge("in_flight", "Jobs in hand."),
		waiting:  gauge("waiting_jobs", "Jobs that no worker was given yet, as of the last one given."),
		age: histogram("age_seconds", "Time from queueing a job to its end.",
			prometheus.ExponentialBuckets(0.01, 4, 12)),
		seconds: histogram("send_seconds", "Time of one attempt.", prometheus.ExponentialBuckets(0.005, 3, 10)),
	}
	reg.MustRegister(m.attempts, m.jobs, m.unsure, m.overlaps, m.inFlight, m.waiting, m.age, m.seconds)
	return m
}

// ended counts a job that came to its end.
func (m *Metrics) ended(j Job, s State) {
	m.jobs.WithLabelValues(j.Channel, string(s)).Inc()
	m.age.WithLabelValues(j.Channel).Observe(time.Since(j.Queued).Seconds())
}

// attempted counts an attempt.
func (m *Metrics) attempted(channel, outcome string, took time.Duration) {
	m.attempts.WithLabelValues(channel, outcome).Inc()
	m.seconds.WithLabelValues(channel).Observe(took.Seconds())
}
