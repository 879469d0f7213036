package edge

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/edge/tail"
	"tidings/shared/auth"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// Defaults of the bounds in Config, and bounds that need no knob.
const (
	// DefaultHeartbeat is often enough for the proxies that cut a silent response
	// after 30 s, and for a browser's watchdog.
	DefaultHeartbeat = 15 * time.Second
	// DefaultStall is how long one write may make no progress. The client can resume.
	DefaultStall = 60 * time.Second
	// DefaultDrain is over how long connections leave a node that shuts down.
	DefaultDrain = 10 * time.Second
	// DefaultConnections is about what the usual 20,000 open files allow.
	DefaultConnections = 20000
	// DefaultPerUser allows for many tabs and devices, and stops a runaway script.
	DefaultPerUser = 100
	// DefaultTopics is the most topics of one connection: each costs an index entry.
	DefaultTopics = 100
	// maxRewind is the most events per topic on a first visit.
	maxRewind = stream.MaxPage
	// maxOrders is how many orders of other edges are carried out at once; each takes a
	// few microseconds unless its connection is busy.
	maxOrders = 256
	// changeTime bounds the change of a live connection, wherever it is.
	changeTime = 5 * time.Second
	// canaryEvery is how often the edge proves that the log reaches it.
	canaryEvery = 2 * time.Second
	// canaryLate is when a missing canary makes the edge unready: five missed ones.
	canaryLate = 5 * canaryEvery
	// awayAfter is how long the log may be away before connections are told; a
	// leader change is over by then.
	awayAfter = 3 * time.Second
)

// Log is what the edge needs of the event log: to follow and read it, and to
// store canaries.
type Log interface {
	stream.Log
	stream.Prober
}

// Config is everything an edge needs. The bounds left zero take their defaults.
type Config struct {
	// Node names this edge in tidings.hello, canaries and metrics.
	Node string
	// Version is that of the build, for the mesh; it may be empty.
	Version string
	// Space names subjects.
	Space subject.Space
	// Log is the event log.
	Log Log
	// NATS carries ephemeral events, one-time tickets, what operators ask and what they
	// revoke. nil switches all of it off.
	NATS *natsx.Conn
	// Auth decides who may connect.
	Auth *auth.Authenticator
	// Heartbeat, Stall and Drain are durations; see their defaults.
	Heartbeat, Stall, Drain time.Duration
	// TailBytes is the size of the memory tail.
	TailBytes int64
	// Connections, PerUser and PerIP bound live connections; PerIP 0 is no bound,
	// since everyone behind one proxy or office shares an address.
	Connections, PerUser, PerIP int
	// Topics bounds the topics of one connection.
	Topics int
	// Ordinary switches the raw sink off: every stream keeps its handler's goroutine.
	Ordinary bool
}

// withDefaults fills in what is zero and checks the rest.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Heartbeat, DefaultHeartbeat)
	setDefault(&c.Stall, DefaultStall)
	setDefault(&c.Drain, DefaultDrain)
	setDefault(&c.TailBytes, tail.DefaultBytes)
	setDefault(&c.Connections, DefaultConnections)
	setDefault(&c.PerUser, DefaultPerUser)
	setDefault(&c.Topics, DefaultTopics)
	var errs []error
	if c.Node == "" {
		errs = append(errs, errors.New("node: must be set"))
	}
	if c.Log == nil || c.Auth == nil {
		errs = append(errs, errors.New("log and auth: must be set"))
	}
	for name, n := range map[string]int64{
		"heartbeat": int64(c.Heartbeat), "stall": int64(c.Stall), "drain": int64(c.Drain), "tail bytes": c.TailBytes,
		"connections": int64(c.Connections), "connections per user": int64(c.PerUser), "topics": int64(c.Topics), "connections per IP": int64(c.PerIP) + 1,
	} {
		if n <= 0 {
			errs = append(errs, fmt.Errorf("%s: must be positive", name))
		}
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// core returns the core connection, or nil without NATS.
func (c Config) core() *nats.Conn {
	if c.NATS == nil {
		return nil
	}
	return c.NATS.NC
}
