package edge

import (
	"context"
	"time"

	"tidings/shared/mesh"
	"tidings/shared/revoke"
)

// meshName is what an edge is in the mesh.
const meshName = "edge"

// figures are what an edge tells the mesh about itself.
type figures struct {
	Connections int `json:"connections"`
	// Delivered counts the events written to connections since the start, Followed
	// those that came from the log.
	Delivered uint64 `json:"delivered"`
	Followed  uint64 `json:"followed"`
	// Lag is how many entries of the log this edge has not seen, Head the last it has.
	Lag  uint64 `json:"lag"`
	Head uint64 `json:"head"`
	// Ready says that it should get connections, and Reason why not.
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
	// Away says that the log cannot be followed.
	Away     bool `json:"away"`
	Draining bool `json:"draining"`
	// CanaryMS is how long the last canary took through the log, -1 before the first.
	CanaryMS float64 `json:"canary_ms"`
	// The memory tail.
	TailEvents int   `json:"tail_events"`
	TailBytes  int64 `json:"tail_bytes"`
	TailTopics int   `json:"tail_topics"`
	// UptimeS is in seconds.
	UptimeS int64 `json:"uptime_s"`
}

// figures takes them now. It only looks.
func (e *Edge) figures(started time.Time) figures {
	x := e.tail.Extent()
	f := figures{
		Connections: e.host.Count(), Delivered: e.host.Metrics.Delivered.Value(), Followed: e.metrics.followed.Value(),
		Head: x.Head, Away: e.away() != nil, Draining: e.host.Draining(),
		TailEvents: x.Frames, TailBytes: x.Bytes, TailTopics: x.Topics,
		CanaryMS: -1, UptimeS: int64(time.Since(started).Seconds()),
	}
	if err := e.Ready(context.Background()); err != nil {
		f.Reason = err.Error()
	}
	f.Ready = f.Reason == ""
	e.health.mu.Lock()
	f.Lag = e.health.lag
	e.health.mu.Unlock()
	e.canary.mu.Lock()
	defer e.canary.mu.Unlock()
	if !e.canary.last.IsZero() {
		f.CanaryMS = float64(e.canary.took.Microseconds()) / 1e3
	}
	return f
}

// join makes the edge a member of the mesh, so that operators find it and can ask it,
// and lets it take revocations. What it returns undoes that.
func (e *Edge) join(ctx context.Context) (leave func(), err error) {
	started := time.Now()
	m := mesh.New(e.cfg.NATS, e.cfg.Space, e.log)
	member, err := m.Join(mesh.Service{
		Name: meshName, Node: e.cfg.Node, Tag: e.host.Tag(), Version: e.cfg.Version,
		Description: "streams events to browsers",
		Figures:     func() any { return e.figures(started) },
		Questions:   e.desk.Questions(),
	})
	if err != nil {
		return nil, err
	}
	wait, err := revoke.Listen(ctx, e.cfg.NATS, e.cfg.Space, e.revoke)
	if err != nil {
		_ = member.Leave() // the first error says more
		return nil, err
	}
	return func() {
		if err := member.Leave(); err != nil {
			e.log.Warn("the mesh could not be left in order", "err", err)
		}
		wait()
	}, nil
}

// revoke carries a revocation out here.
func (e *Edge) revoke(ctx context.Context, o revoke.Order) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	n, err := e.desk.Revoke(ctx, o.User, o.Token)
	if err != nil {
		e.log.Error("a revocation was not carried out on all connections", "user", o.User, "err", err)
		return
	}
	if n > 0 {
		e.log.Info("revoked", "user", o.User, "token", o.Token, "connections", n)
	}
}
