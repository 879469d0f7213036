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
	"tidings/scripts/bench/protocol"
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
	// Soak runs by name only, and alone: it takes minutes and a server with other bounds.
	Soak = "soak"
	// Notify runs by name only, and alone: it takes minutes and other services.
	Notify = "notify"
)

// Both runs one transport after the other; in a soak, half of the crowd has each.
const Both protocol.Transport = "both"

// How events are published.
const (
	publishNATS = "nats"
	publishHTTP = "http"
)

// How the started server writes to its streams.
const (
	sinkRaw      = "raw"
	sinkOrdinary = "ordinary"
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
	// maxSoak bounds a soak: its tokens must not end.
	maxSoak = tokenTTL / 2
	// maxLog is how large the log of a soak may be; it is filled first.
	maxLog = 512 << 20
	// maxNotifications keeps the books of a run in memory, and maxPeople the answer with
	// their inboxes in one message. shareOf is what an inbox keeps as shipped: with more for
	// each, the oldest would be gone before they are counted.
	maxNotifications = 1_000_000
	maxPeople        = 10_000
	shareOf          = 200
	// maxRate is far beyond what one publisher can do.
	maxRate = 100_000
)

// Scenarios returns the names of the scenarios that run unless others are named, in
// their order.
func Scenarios() []string { return []string{Idle, Fanout, Rooms, Storm, Topics, Slow, Latency} }

// Options says what to measure and where. Numbers left zero take their defaults.
type Options struct {
	// Program is the command line that starts this program; the bench appends "up …" to
	// start a server, and "bench drain …" for the floor.
	Program []string
	// Scenarios are the names of those to run; empty means all but the soak, or with
	// both transports those that show how they differ.
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
	// For is the length of one round, or of the soak.
	For time.Duration
	// Notifications is how many notify sends, and People to how many people.
	Notifications, People int
	// Missed is how many events everybody missed in a storm, Stalled how many readers
	// stall in slow.
	Missed, Stalled int
	// Transport, which may be Both, and Publish are ways out and in; Sink is how the
	// started server writes: raw or ordinary.
	Transport     protocol.Transport
	Publish, Sink string
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
	fs.IntVar(&o.Rooms, "rooms", 0, "rooms of the rooms scenario (default 1000, quick 100) and of the soak (default 50)")
	fs.IntVar(&o.Topics, "topics", 0, "topics of each connection in the topics scenario (default 50)")
	fs.Float64Var(&o.Deliveries, "deliveries", 0, "deliveries a second for which rates are chosen (default 50000, quick 30000; soak 5000, quick 2000)")
	fs.IntVar(&o.Size, "size", 0, "bytes of an event's data (default 200)")
	fs.DurationVar(&o.For, "for", 0, "length of one round (default 2s, quick 500ms), of the soak (default 5m, quick 20s), or of measuring how long a mail takes (default 20s, quick 3s)")
	fs.IntVar(&o.Notifications, "notifications", 0, "notifications that notify sends (default 100000, quick 5000)")
	fs.IntVar(&o.People, "people", 0, "people whom it notifies in turn (default 1000)")
	fs.IntVar(&o.Missed, "missed", 0, "events that everybody missed in a storm (default 100)")
	fs.IntVar(&o.Stalled, "stalled", 0, "readers that stall in slow (default a tenth of conns)")
	fs.StringVar((*string)(&o.Transport), "transport", "", "how events are read: sse, ws or both: one after the other, or half and half in a soak (default sse; soak both)")
	fs.StringVar(&o.Publish, "publish", publishNATS, "how events are published: nats or http")
	fs.StringVar(&o.Sink, "sink", "", "how the started server writes: raw, past net/http where it can, or ordinary, through it (default raw)")
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
	between("notifications", o.Notifications, 1, maxNotifications)
	between("people", o.People, 1, maxPeople)
	between("missed", o.Missed, 1, maxMissed)
	between("stalled", o.Stalled, 1, o.Conns)
	most := maxFor
	if o.soak() {
		most = maxSoak
	}
	if o.For < 100*time.Millisecond || o.For > most {
		errs = append(errs, fmt.Errorf("--for must be from 100ms to %v, not %v", most, o.For))
	}
	if !(o.Deliveries >= 1 && o.Deliveries <= 100*maxRate) { // also catches NaN
		errs = append(errs, errors.New("--deliveries must be at least 1"))
	}
	if _, err := protocol.ParseTransport(string(o.Transport)); err != nil && o.Transport != Both {
		errs = append(errs, fmt.Errorf("%w or %s", err, Both))
	}
	if o.Publish != publishNATS && o.Publish != publishHTTP {
		errs = append(errs, fmt.Errorf("--publish must be %s or %s, not %q", publishNATS, publishHTTP, o.Publish))
	}
	if o.Sink != sinkRaw && o.Sink != sinkOrdinary {
		errs = append(errs, fmt.Errorf("--sink must be %s or %s, not %q", sinkRaw, sinkOrdinary, o.Sink))
	}
	for _, s := range o.Scenarios {
		if all := append(Scenarios(), Soak, Notify); !slices.Contains(all, s) {
			errs = append(errs, fmt.Errorf("there is no scenario %q; there are %s", s, strings.Join(all, ", ")))
		}
	}
	return errors.Join(append(errs, o.checkAlone(), o.checkTarget())...)
}

// checkAlone checks what a scenario asks for that runs alone.
func (o *Options) checkAlone() error {
	var alone string
	switch {
	case o.soak():
		alone = Soak
	case o.notify():
		alone = Notify
	default:
		return nil
	}
	switch {
	case len(o.Scenarios) > 1:
		return errors.New(alone + " runs alone: its server is another one")
	case o.URL != "":
		return errors.New(alone + " starts a server of its own, of which it knows what is in it: leave --url out")
	case o.soak() && o.soakBytes() > maxLog:
		return fmt.Errorf("a soak's log would need over %d MiB: choose a smaller --size or fewer --deliveries", maxLog>>20)
	case o.notify() && o.Notifications+o.paced() > shareOf*o.People:
		return fmt.Errorf("an inbox keeps %d notifications: choose more --people or fewer --notifications", shareOf)
	}
	return nil
}

// checkTarget checks where to measure.
func (o *Options) checkTarget() error {
	if o.URL == "" {
		if o.ServerPID != 0 {
			return errors.New("--server-pid belongs to a running server: give its --url too")
		}
		return nil
	}
	if o.Sink != sinkRaw {
		return errors.New("--sink is for the server that the bench starts: start yours with --raw=false")
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
	if o.soak() {
		pick(&o.Rooms, 50)
		pick(&o.Deliveries, [2]float64{5000, 2000}[quick])
		pick(&o.For, [2]time.Duration{5 * time.Minute, 20 * time.Second}[quick])
		pick(&o.Transport, Both)
	}
	if o.notify() {
		pick(&o.For, [2]time.Duration{20 * time.Second, 3 * time.Second}[quick])
	}
	pick(&o.Notifications, [2]int{100_000, 5000}[quick])
	pick(&o.People, 1000)
	pick(&o.Conns, [2]int{1000, 300}[quick])
	pick(&o.Crowd, [2]int{9900, 1000}[quick])
	pick(&o.Rooms, [2]int{1000, 100}[quick])
	pick(&o.Topics, 50)
	pick(&o.Deliveries, [2]float64{50_000, 30_000}[quick])
	pick(&o.Size, 200)
	pick(&o.For, [2]time.Duration{2 * time.Second, 500 * time.Millisecond}[quick])
	pick(&o.Missed, 100)
	pick(&o.Stalled, max(o.Conns/10, 1))
	pick(&o.Transport, protocol.SSE)
	pick(&o.Publish, publishNATS)
	pick(&o.Sink, sinkRaw)
	switch {
	case len(o.Scenarios) > 0:
	case o.Transport == Both:
		o.Scenarios = []string{Idle, Fanout, Latency}
	default:
		o.Scenarios = Scenarios()
	}
}

// soak says whether it is a soak that is to run.
func (o *Options) soak() bool { return o.wants(Soak) }

// notify says whether it is notify that is to run, and paced how many notifications it
// sends one by one.
func (o *Options) notify() bool { return o.wants(Notify) }
func (o *Options) paced() int   { return int(o.For.Seconds() * noticeRate) }

// soakWide is how many of a soak's crowd hear all rooms.
func (o *Options) soakWide() int { return o.Conns / wideShare }

// soakRate is how many events a second make a soak's deliveries.
func (o *Options) soakRate() float64 {
	wide := o.soakWide()
	each := float64(o.Conns-wide)/float64(o.Rooms) + float64(wide) // deliveries of one event
	return min(o.Deliveries/each, maxRate)
}

// soakBytes is how much a soak's log keeps: what the one who is away longest misses,
// and a third more.
func (o *Options) soakBytes() int {
	events := max(int(o.soakRate()*soakAway.Seconds()*4/3), leastKept)
	return max(events*(o.Size+mostOverhead), leastLog)
}

// passes are the transports of the rounds: one after the other, or together.
func (o *Options) passes() [][]protocol.Transport {
	switch {
	case o.Transport != Both:
		return [][]protocol.Transport{{o.Transport}}
	case o.soak():
		return [][]protocol.Transport{{protocol.SSE, protocol.WebSocket}}
	}
	return [][]protocol.Transport{{protocol.SSE}, {protocol.WebSocket}}
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
