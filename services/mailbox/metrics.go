package mailbox

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Values of the label "result".
const (
	outcomeAccepted = "accepted"
	outcomeRefused  = "refused"
	outcomeDropped  = "dropped"
	outcomeLost     = "lost"
)

// outcomes lists them.
func outcomes() []string {
	return []string{outcomeAccepted, outcomeRefused, outcomeDropped, outcomeLost}
}

// metrics are the service's counters.
type metrics struct {
	mails       *prometheus.CounterVec // by result
	faults      *prometheus.CounterVec // by stage
	evicted     prometheus.Counter
	unpublished prometheus.Counter

	box    *box
	counts [4]atomic.Uint64 // of outcomes, to be read
}

// figures are what a mailbox tells the mesh about itself: mails since its start, and
// those that are kept.
type figures struct {
	Accepted uint64 `json:"accepted"`
	Refused  uint64 `json:"refused"`
	Dropped  uint64 `json:"dropped"`
	Lost     uint64 `json:"lost"`
	Kept     int    `json:"kept"`
	Bytes    int64  `json:"bytes"`
	// UptimeS is in seconds.
	UptimeS int64 `json:"uptime_s"`
}

// newMetrics makes the counters and registers them, if reg is not nil. All series exist
// from the start, so that a rate sees the first failure.
func newMetrics(reg prometheus.Registerer, b *box, g *gate) (*metrics, error) {
	m := &metrics{
		box: b,
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mailbox_mails_total",
			Help: "Deliveries to the development mailbox, by what became of them.",
		}, []string{"result"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mailbox_faults_total",
			Help: "Failures on purpose, by stage.",
		}, []string{"stage"}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_mailbox_evicted_total",
			Help: "Mails that made room for newer ones.",
		}),
		unpublished: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_mailbox_unpublished_total",
			Help: "Mails that were kept but of which no event tells.",
		}),
	}
	for _, result := range outcomes() {
		m.mails.WithLabelValues(result)
	}
	for _, stage := range []string{StageConnect, StageMail, StageRcpt, StageData, StageAfterData} {
		m.faults.WithLabelValues(stage)
	}
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	for _, c := range []prometheus.Collector{
		m.mails, m.faults, m.evicted, m.unpublished,
		gauge("tidings_mailbox_kept", "Mails and failed attempts that are kept.", func() float64 { n, _ := b.size(); return float64(n) }),
		gauge("tidings_mailbox_kept_bytes", "Bytes that these take.", func() float64 { _, n := b.size(); return float64(n) }),
		gauge("tidings_mailbox_connections", "Open SMTP connections.", func() float64 { return float64(g.count()) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("prometheus.Register: %w", err)
		}
	}
	return m, nil
}

// count counts an attempt, and the mails that made room for it.
func (m *metrics) count(outcome string, evicted int) {
	m.mails.WithLabelValues(outcome).Inc()
	m.counts[slices.Index(outcomes(), outcome)].Add(1)
	m.evicted.Add(float64(evicted))
}

// strike counts a failure, if it was on purpose.
func (m *metrics) strike(v *verdict) {
	if v.onPurpose {
		m.faults.WithLabelValues(v.stage).Inc()
	}
}

// figures takes them now.
func (m *metrics) figures(started time.Time) figures {
	f := figures{
		Accepted: m.counts[0].Load(), Refused: m.counts[1].Load(), Dropped: m.counts[2].Load(), Lost: m.counts[3].Load(),
		UptimeS: int64(time.Since(started).Seconds()),
	}
	f.Kept, f.Bytes = m.box.size()
	return f
}
