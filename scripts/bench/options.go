package bench

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"tidings/scripts/bench/load"
	"tidings/shared/telemetry"
)

// The scenarios.
const (
	Idle    = "idle"
	Fanout  = "fanout"
	Rooms   = "rooms"
	Storm   = "storm"
	Topics  = "topics"
	Slow    = "slow"
	Latency = "latency"
)

// How events are published.
const (
	publishNATS = "nats"
	publishHTTP = "http"
)

// Bounds of the options.
const (
	// maxConns is what a process with the usual limit of 20,000 open files can hold,
	// with some left for everything else.
	maxConns = 19_800
	// maxScenarioRooms and maxScenarioTopics are what stamps and request heads hold.
	maxScenarioRooms  = 10_000
	maxScenarioTopics = 500
	// maxSize is the largest data of an event.
	maxSize = 512 << 10
	// maxFor bounds a round, and with it the books of the subscribers.
	maxFor = 10 * time.Minute
	// maxRate is far beyond what one publisher can do.
	maxRate = 100_000
)

// Scenarios returns the names of all scenarios in the order in which they run.
func Scenarios() []string { return []string{Idle, Fanout, Rooms, Storm, Topics, Slow, Latency} }

// Options says what to measure and where. Numbers left zero take their defaults.
type Options struct {
	// Program is the command line that starts this program; the bench appends "up …" to
	// start a server, and "bench drain …" for the floor.
	Program []string
	// Scenarios are the names of those to run; empty means all.
	Scenarios []string
	// Out gets the report, Progress what is going on meanwhile.
	Out, Progress io.Writer

	// URL is the base URL of a running server; empty starts one. The next ones say how
	// to reach its other sides. NATS, if set without URL, is what the started server
	// uses in place of an embedded one.
	URL, Admin, NATS, Prefix string
	// Secret signs the subscribers' tokens, with Audience and Issuer if not empty.
	Secret           telemetry.Secret
	Audience, Issuer string
	// ServerPID is the process to measure, NATSPID that of an external NATS server,
	// which is measured apart.
	ServerPID, NATSPID int

	// Conns is the number of connections, Crowd that of the scenarios about many.
	Conns, Crowd int
	// Rooms and Topics are the larger numbers of the scenarios of these names.
	Rooms, Topics int
	// Deliveries is how many a second the rates are chosen for.
	Deliveries float64
	// Size is the data of an event in bytes.
	Size int
	// For is the length of one round.
	For time.Duration
	// Missed is how many events everybody missed in a storm, Stalled how many readers
	// stall in slow.
	Missed, Stalled int
	// Transport and Publish are ways in and out.
	Transport load.Transport
	Publish   string
	// Quick takes smaller defaults; JSON reports for machines.
	Quick, JSON bool
}

// Flags adds the options that are not settings of Tidings to a flag set.
func (o *Options) Flags(fs *flag.FlagSet) {
	fs.StringVar(&o.URL, "url", "", "base `URL` of a running server, such as http://127.0.0.1:8080; empty starts one for the measurement. With it belong admin, nats, jwt-secret and server-pid")
	fs.IntVar(&o.ServerPID, "server-pid", 0, "process of the running server, to measure its CPU and memory")
	fs.IntVar(&o.NATSPID, "nats-pid", 0, "process of an external NATS server, to measure its CPU apart")
	fs.IntVar(&o.Conns, "conns", 0, "connections (default 1000, quick 300)")
	fs.IntVar(&o.Crowd, "crowd", 0, "connections of idle, storm, rooms and the second fanout (default 9900, quick 1000)")
	fs.IntVar(&o.Rooms, "rooms", 0, "rooms of the rooms scenario (default 1000, quick 100)")
	fs.IntVar(&o.Topics, "topics", 0, "topics of each connection in the topics scenario (default 50)")
	fs.Float64Var(&o.Deliveries, "deliveries", 0, "deliveries a second for which rates are chosen (default 50000, quick 30000)")
	fs.IntVar(&o.Size, "size", 0, "bytes of an event's data (default 200)")
	fs.DurationVar(&o.For, "for", 0, "length of one round (default 2s, quick 500ms)")
	fs.IntVar(&o.Missed, "missed", 0, "events that everybody missed in a storm (default 100)")
	fs.IntVar(&o.Stalled, "stalled", 0, "readers that stall in slow (default a tenth of conns)")
	fs.StringVar((*string)(&o.Transport), "transport", string(load.SSE), "how events are read: sse or ws")
	fs.StringVar(&o.Publish, "publish", publishNATS, "how events are published: nats or http")
	fs.BoolVar(&o.Quick, "quick", false, "smaller populations and shorter rounds: below 15 s, and below most goals' conditions")
	fs.BoolVar(&o.JSON, "json", false, "report in JSON")
}

// Check fills in what was left out and refuses what cannot be done. The errors are
// for the person at the command line.
func (o *Options) Check() error {
	o.fill()
	var errs []error
	between := func(name string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("--%s must be from %d to %d, not %d", name, least, most, n))
		}
	}
	between("conns", o.Conns, 1, maxConns)
	between("crowd", o.Crowd, 1, maxConns)
	between("rooms", o.Rooms, 1, maxScenarioRooms)
	between("topics", o.Topics, fewTopics, maxScenarioTopics)
	between("size", o.Size, load.MinSize, maxSize)
	between("missed", o.Missed, 1, maxMissed)
	between("stalled", o.Stalled, 1, o.Conns)
	if o.For < 100*time.Millisecond || o.For > maxFor {
		errs = append(errs, fmt.Errorf("--for must be from 100ms to %v, not %v", maxFor, o.For))
	}
	if !(o.Deliveries >= 1 && o.Deliveries <= 100*maxRate) { // also catches NaN
		errs = append(errs, errors.New("--deliveries must be at least 1"))
	}
	_, err := load.ParseTransport(string(o.Transport))
	errs = append(errs, err)
	if o.Publish != publishNATS && o.Publish != publishHTTP {
		errs = append(errs, fmt.Errorf("--publish must be %s or %s, not %q", publishNATS, publishHTTP, o.Publish))
	}
	for _, s := range o.Scenarios {
		if !slices.Contains(Scenarios(), s) {
			errs = append(errs, fmt.Errorf("there is no scenario %q; there are %s", s, strings.Join(Scenarios(), ", ")))
		}
	}
	return errors.Join(append(errs, o.checkTarget())...)
}

// checkTarget checks where to measure.
func (o *Options) checkTarget() error {
	if o.URL == "" {
		if o.ServerPID != 0 {
			return errors.New("--server-pid belongs to a running server: give its --url too")
		}
		return nil
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return errors.New("--url must be http://host:port, without a path: the bench reads plain HTTP/1.1")
	}
	if u.Port() == "" {
		u.Host += ":80"
	}
	o.URL = "http://" + u.Host
	if o.Secret == "" {
		return errors.New("a running server needs the secret that its tokens are signed with: set TIDINGS_JWT_SECRET or --jwt-secret")
	}
	return nil
}

// fill sets the defaults.
func (o *Options) fill() {
	quick := 0
	if o.Quick {
		quick = 1
	}
	pick(&o.Conns, [2]int{1000, 300}[quick])
	pick(&o.Crowd, [2]int{9900, 1000}[quick])
	pick(&o.Rooms, [2]int{1000, 100}[quick])
	pick(&o.Topics, 50)
	pick(&o.Deliveries, [2]float64{50_000, 30_000}[quick])
	pick(&o.Size, 200)
	pick(&o.For, [2]time.Duration{2 * time.Second, 500 * time.Millisecond}[quick])
	pick(&o.Missed, 100)
	pick(&o.Stalled, max(o.Conns/10, 1))
	pick(&o.Transport, load.SSE)
	pick(&o.Publish, publishNATS)
	if len(o.Scenarios) == 0 {
		o.Scenarios = Scenarios()
	}
}

// pick sets what is zero.
func pick[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// wants says whether one of the scenarios is to run.
func (o *Options) wants(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(o.Scenarios, n) })
}
