package edge

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/edge/tail"
	"tidings/shared/event"
)

// subscribeEphemeral delivers ephemeral events: core NATS only, never stored, no
// id, dropped first under load.
func (e *Edge) subscribeEphemeral(nc *nats.Conn) (*nats.Subscription, error) {
	sub, err := nc.Subscribe(e.cfg.Space.Ephemeral(">"), func(m *nats.Msg) {
		topic, ok := e.cfg.Space.EphemeralTopic(m.Subject)
		if !ok {
			e.metrics.notEvents.Inc()
			return
		}
		e.metrics.ephemeral.Inc()
		e.tail.Offer(tail.Encode(event.FromMessage(topic, m.Header, m.Data, time.Now()), event.Cursor{}))
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to ephemeral events: %w", err)
	}
	return sub, nil
}
