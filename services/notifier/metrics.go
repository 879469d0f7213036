package notifier

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/telemetry"
)

// metrics are what an operator watches of the intake. The jobs have their own.
type metrics struct {
	accepted, duplicate, refused, recipients telemetry.Tally
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{}
	for result, t := range map[string]*telemetry.Tally{"accepted": &m.accepted, "duplicate": &m.duplicate, "refused": &m.refused} {
		reg.MustRegister(t.Collector("tidings_notifier_notifications_total", "Notifications taken in, by result.", prometheus.Labels{"result": result}))
	}
	reg.MustRegister(m.recipients.Collector("tidings_notifier_recipients_total", "People that accepted notifications go to.", nil))
	return m
}

// accept counts what was accepted.
func (m *metrics) accept(list []Accepted) {
	for _, a := range list {
		if !a.fresh {
			m.duplicate.Add(1)
			continue
		}
		m.accepted.Add(1)
		m.recipients.Add(a.Recipients)
	}
}

// refuse counts a request that was refused and returns its error.
func (m *metrics) refuse(err error) error {
	m.refused.Add(1)
	return err
}

// figures are the service's figures in the mesh.
type figures struct {
	UptimeSeconds int64  `json:"uptime_s"`
	Accepted      uint64 `json:"accepted"`
	Duplicate     uint64 `json:"duplicate"`
	Refused       uint64 `json:"refused"`
	Recipients    uint64 `json:"recipients"`
}

func (m *metrics) figures(started time.Time) figures {
	return figures{
		UptimeSeconds: int64(time.Since(started).Seconds()), Accepted: m.accepted.Value(), Duplicate: m.duplicate.Value(),
		Refused: m.refused.Value(), Recipients: m.recipients.Value(),
	}
}
