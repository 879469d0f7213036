package mailer

import (
	"fmt"
	"time"

	"tidings/shared/mesh"
	"tidings/shared/telemetry"
)

// ends count attempts by how they ended, for the mesh.
type ends struct{ sent, failed telemetry.Tally }

// figures are the service's figures in the mesh.
type figures struct {
	UptimeSeconds int64  `json:"uptime_s"`
	Sent          uint64 `json:"sent"`
	Failed        uint64 `json:"failed"`
}

// join makes the mailer a member of the mesh, if there is one.
func (m *Mailer) join() (leave func(), err error) {
	if m.cfg.Mesh == nil {
		return func() {}, nil
	}
	started := time.Now()
	member, err := m.cfg.Mesh.Join(mesh.Service{
		Name: "mailer", Node: m.cfg.Node, Version: m.cfg.Version, Description: "sends mail",
		Figures: func() any {
			return figures{int64(time.Since(started).Seconds()), m.ends.sent.Value(), m.ends.failed.Value()}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("mailer: %w", err)
	}
	return func() {
		if err := member.Leave(); err != nil {
			m.log.Warn("the mesh could not be left in order", "err", err)
		}
	}, nil
}
