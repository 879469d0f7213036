package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Tally is a counter that its owner can read, which Prometheus's own do not allow. The
// zero Tally counts from 0.
type Tally struct{ n atomic.Uint64 }

// Add counts n more, which is not negative.
func (t *Tally) Add(n int) { t.n.Add(uint64(n)) }

// Value returns the count.
func (t *Tally) Value() uint64 { return t.n.Load() }

// Collector returns the counter for Prometheus. Tallies of one name and help, with the
// same labels but other values of them, are one metric.
func (t *Tally) Collector(name, help string, labels prometheus.Labels) prometheus.Collector {
	opts := prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}
	return prometheus.NewCounterFunc(opts, func() float64 { return float64(t.Value()) })
}
