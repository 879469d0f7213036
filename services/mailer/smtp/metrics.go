package smtp

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// metrics are what an operator watches of the providers.
type metrics struct {
	answers   *prometheus.CounterVec
	limited   *prometheus.CounterVec
	failovers prometheus.Counter
	seconds   *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mail_answers_total",
			Help: "Mails offered, by provider and what came of it: sent, deferred, refused, unsure, fault (the provider's) or slowed.",
		}, []string{"provider", "outcome"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mail_limited_total",
			Help: "Mails held back by a limit, by whose: provider, domain or recipient.",
		}, []string{"by"}),
		failovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_mail_failovers_total", Help: "Mails offered to another provider after one did not take them.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_mail_provider_seconds", Help: "Time a provider took for one mail, connecting included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 10),
		}, []string{"provider"}),
	}
}

// register registers the metrics, and gauges that look at the relays when asked.
func (m *metrics) register(reg prometheus.Registerer, s *Relays) {
	reg.MustRegister(m.answers, m.limited, m.failovers, m.seconds)
	for _, r := range s.relays {
		gauge := func(name, help string, labels prometheus.Labels, f func() float64) {
			labels["provider"] = r.p.Name
			reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, f))
		}
		connections := func(state string, pick func(busy, free int) int) {
			gauge("tidings_mail_connections", "Connections to a provider, in use or free.", prometheus.Labels{"state": state},
				func() float64 { return float64(pick(r.pool.counts())) })
		}
		connections("busy", func(busy, _ int) int { return busy })
		connections("free", func(_, free int) int { return free })
		gauge("tidings_mail_breaker_open", "Whether a provider is not asked because it failed: 0 no, 0.5 it is tried out, 1 yes.",
			prometheus.Labels{}, func() float64 {
				return map[gobreaker.State]float64{gobreaker.StateHalfOpen: 0.5, gobreaker.StateOpen: 1}[r.breaker.State()]
			})
	}
}

// answered counts what came of a mail at a provider.
func (m *metrics) answered(provider string, v verdict, e *Error, took time.Duration) {
	outcome := string(v.result)
	switch {
	case e == nil:
	case v.slow:
		outcome = "slowed"
	case v.fault && v.result != Unsure:
		outcome = "fault"
	}
	m.answers.WithLabelValues(provider, outcome).Inc()
	m.seconds.WithLabelValues(provider).Observe(took.Seconds())
}
