package bench

import (
	"context"
	"fmt"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/report"
)

// The goals for a crowd, and the conditions under which they hold.
const (
	goalConns      = 9000
	goalSize       = 200
	goalIdleBytes  = 2 << 10
	goalIdlePlain  = 30 << 10 // through net/http, which has a goroutine and buffers for each
	goalConnectCPU = 300      // µs
	goalSingle     = 1.25     // times the floor
	goalBurst      = 1.5
	goalRooms      = 1.2
	// goalReads is how many subscribers there must be for each read of the log.
	goalReads = 1000
)

const (
	// quietTopics are the topics that everybody has besides the rooms: the user's own
	// and, in a crowd, a room of a few.
	quietTopics = 2
	// maxMissed bounds the events of a storm.
	maxMissed = 10_000
	// stormRate is how fast missed events are published; nobody listens.
	stormRate = 5000
	// acquaintances is how many connect before the first measurement.
	acquaintances = 50
	// calm is how long connections are idle before their memory is read: a server is
	// given the time to return what connecting took.
	calm = 5 * time.Second
	// gone bounds the wait for the server to notice that everybody left.
	gone = 30 * time.Second
)

// crowd is the large population: everybody in one common room, in one of many small
// rooms, and in their own.
func (b *bench) crowd(ctx context.Context) error {
	o := b.o
	if !o.wants(Idle, Fanout, Rooms, Storm) {
		return nil
	}
	var base floors
	var err error
	if o.wants(Fanout) {
		if base, err = b.floors(ctx, o.Crowd); err != nil {
			return err
		}
	}
	single, eight := b.pace(o.Crowd, 1), b.pace(o.Crowd, 8)
	small := b.smallRooms()
	cfg := load.Config{
		Conns: o.Crowd, Rooms: 1 + 2*o.Rooms, Quiet: []string{"user"},
		RoomsOf:  func(i int) []int { return []int{0, 1 + i%o.Rooms} },
		Capacity: 2*capacity(single) + capacity(eight) + 2*capacity(small) + o.Missed,
	}
	f, err := b.idle(ctx, cfg)
	if err != nil {
		return err
	}
	defer f.Close()
	var rounds []outcome
	if o.wants(Fanout) {
		if rounds, err = b.fanoutRounds(ctx, f, single, eight); err != nil {
			return err
		}
	}
	if o.wants(Rooms) {
		if err := b.rooms(ctx, f, single, small); err != nil {
			return err
		}
	}
	if o.wants(Storm) {
		if err := b.storm(ctx, f); err != nil {
			return err
		}
	}
	f.Close()
	if !o.wants(Fanout) {
		return nil
	}
	again, err := b.floors(ctx, o.Crowd)
	if err != nil {
		return err
	}
	b.fanoutSections(f, o.Crowd, rounds, base.add(again))
	return nil
}

// acquaint lets a few connect and leave. What a process takes for its first connection,
// such as the pages of its program that it had no need of before, is not what one costs.
func (b *bench) acquaint(ctx context.Context, cfg load.Config) error {
	cfg.Conns = min(cfg.Conns, acquaintances)
	f, err := b.fleet(ctx, cfg)
	if err != nil {
		return err
	}
	f.Close()
	return b.awaitGone(ctx)
}

// idle connects the crowd and measures what that costs.
func (b *bench) idle(ctx context.Context, cfg load.Config) (*load.Fleet, error) {
	if !b.o.wants(Idle) {
		return b.fleet(ctx, cfg)
	}
	if err := b.acquaint(ctx, cfg); err != nil {
		return nil, err
	}
	before, live, err := b.memory(ctx)
	if err != nil {
		return nil, err
	}
	f, err := b.fleet(ctx, cfg)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*load.Fleet, error) { f.Close(); return nil, err }
	if err := pause(ctx, calm); err != nil {
		return fail(err)
	}
	after, err := b.usage()
	if err != nil {
		return fail(err)
	}
	_, liveAfter, err := b.memory(ctx)
	if err != nil {
		return fail(err)
	}
	most := float64(goalIdleBytes)
	if !b.raw() {
		most = goalIdlePlain
	}
	each := func(a, b float64) float64 { return (a - b) / float64(cfg.Conns) }
	s := report.Section{
		Scenario: Idle, Title: fmt.Sprintf("%d connections with a token and 3 topics each", cfg.Conns),
		Figures: []report.Figure{
			report.Figure{Key: "rss_per_conn_bytes", Label: "resident memory each", Value: each(float64(after.server.RSS), float64(before.server.RSS)), Unit: report.Bytes}.
				Within(most, cfg.Conns >= goalConns),
			{Key: "live_per_conn_bytes", Label: "of it in use: heap and stacks", Value: each(liveAfter.bytes, live.bytes), Unit: report.Bytes},
			{Key: "goroutines_per_conn", Label: "goroutines each", Value: each(liveAfter.goroutines, live.goroutines)},
			report.Figure{Key: "cpu_us_per_connect", Label: "CPU per connect", Value: each(micros(after.server.CPU), micros(before.server.CPU)), Unit: report.Microseconds}.
				Within(goalConnectCPU, b.raw()),
			{Key: "connect_p50_ms", Label: "connect p50", Value: millis(f.Connect.Quantile(0.5)), Unit: report.Milliseconds},
			{Key: "connect_p99_ms", Label: "connect p99", Value: millis(f.Connect.Quantile(0.99)), Unit: report.Milliseconds},
		},
	}
	b.add(s)
	return f, nil
}

// living is the memory a server uses, which is less than what it holds.
type living struct{ bytes, goroutines float64 }

// memory measures the server after it collected its garbage.
func (b *bench) memory(ctx context.Context) (usage, living, error) {
	var l living
	if err := b.target.admin.Collect(ctx); err != nil {
		return usage{}, l, err
	}
	m, err := b.target.admin.Metrics(ctx)
	if err != nil {
		return usage{}, l, err
	}
	for name, into := range map[string]*float64{metricHeap: &l.bytes, metricStacks: &l.bytes, metricGoroutines: &l.goroutines} {
		v, err := m.Value(name)
		if err != nil {
			return usage{}, l, err
		}
		*into += v
	}
	u, err := b.usage()
	return u, l, err
}

// smallRooms is a round with as many deliveries as one in the common room, spread
// over all small rooms.
func (b *bench) smallRooms() load.Pace {
	p := b.pace(b.o.Crowd, 1)
	p.Rooms = sequence(1, b.o.Rooms)
	factor := min(b.o.Crowd, b.o.Rooms) // one event becomes so many times fewer deliveries
	p.Events, p.Rate = p.Events*factor, min(p.Rate*float64(factor), maxRate)
	return p
}

// sequence is n numbers from first on.
func sequence(first, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = first + i
	}
	return list
}

// rooms compares one room with many at equal deliveries. Many small rooms need many
// more events, and each has its price in NATS and in the log's follower before the
// first delivery. A round of the same events to which nobody listens tells it.
func (b *bench) rooms(ctx context.Context, f *load.Fleet, one, many load.Pace) error {
	b.say("one room against %d", b.o.Rooms)
	unheard := many
	unheard.Rooms = sequence(1+b.o.Rooms, b.o.Rooms)
	var rounds [3]outcome
	for i, p := range []load.Pace{one, many, unheard} {
		var err error
		if rounds[i], err = b.steady(ctx, f, p); err != nil {
			return err
		}
	}
	perEvent := ratio(micros(rounds[2].cpu()), float64(rounds[2].sent.Events))
	net := func(o outcome) float64 {
		return ratio(micros(o.cpu())-perEvent*float64(o.sent.Events), float64(o.counts.Delivered))
	}
	a, z := rounds[0], rounds[1]
	s := report.Section{
		Scenario: Rooms, Counts: &z.counts, Note: z.note(f),
		Title: fmt.Sprintf("%d connections, 1 room against %d: %.0f against %.0f events/s", b.o.Crowd, b.o.Rooms, a.pace.Rate, z.pace.Rate),
		Figures: append([]report.Figure{
			{Key: "cpu_us_per_event_unheard", Label: "CPU of an event nobody hears", Value: perEvent, Unit: report.Microseconds},
			{Key: "cpu_us_per_delivery_one", Label: "CPU per delivery beyond that, 1 room", Value: net(a), Unit: report.Microseconds},
			{Key: "cpu_us_per_delivery_many", Label: fmt.Sprintf("CPU per delivery beyond that, %d rooms", b.o.Rooms), Value: net(z), Unit: report.Microseconds},
			report.Figure{Key: "ratio", Label: "ratio", Value: ratio(net(z), net(a)), Unit: report.Times}.
				Within(goalRooms, b.raw() && b.o.Crowd >= goalConns && b.o.Rooms == 1000 && a.kept() && z.kept()),
			{Key: "ratio_gross", Label: "ratio with the events' own cost", Value: ratio(z.perDelivery(), a.perDelivery()), Unit: report.Times},
		}, z.figures()...),
	}
	b.add(s)
	return nil
}

// storm drops everybody, publishes, and lets everybody come back at once.
func (b *bench) storm(ctx context.Context, f *load.Fleet) error {
	b.say("dropping everybody")
	f.Drop()
	if err := b.awaitGone(ctx); err != nil {
		return err
	}
	t := f.Begin(b.o.Missed)
	sent, err := f.Publish(ctx, b.target.publish, load.Pace{Events: b.o.Missed, Rate: stormRate, Burst: 1, Rooms: []int{0}, Size: b.o.Size})
	if err != nil {
		return err
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	before, readsBefore, err := b.reads(ctx)
	if err != nil {
		return err
	}
	began := f.Now()
	if err := f.Open(ctx); err != nil {
		return err
	}
	if err := f.Await(ctx, t, f.Expected(sent), patience); err != nil {
		return err
	}
	after, readsAfter, err := b.reads(ctx)
	if err != nil {
		return err
	}
	counts := t.Counts(f.Expected(sent))
	cpu := after.server.CPU - before.server.CPU
	b.add(report.Section{
		Scenario: Storm, Title: fmt.Sprintf("%d clients dropped at once, %d events missed each", b.o.Crowd, b.o.Missed), Counts: &counts, Note: troubles(sent, f),
		Figures: []report.Figure{
			report.Figure{Key: "incomplete", Label: "clients not complete", Value: float64(b.o.Crowd - t.Complete())}.Within(0, true),
			{Key: "seconds", Label: "until the last was complete", Value: secs(t.Last() - began), Unit: report.Seconds},
			{Key: "complete_p50_ms", Label: "from dialing to complete p50", Value: millis(t.Completion.Quantile(0.5)), Unit: report.Milliseconds},
			{Key: "complete_p99_ms", Label: "from dialing to complete p99", Value: millis(t.Completion.Quantile(0.99)), Unit: report.Milliseconds},
			{Key: "cpu_s", Label: "CPU", Value: secs(cpu), Unit: report.Seconds},
			{Key: "cpu_us_per_client", Label: "CPU per client", Value: ratio(micros(cpu), float64(b.o.Crowd)), Unit: report.Microseconds},
			report.Figure{Key: "nats_reads", Label: "reads of the log", Value: readsAfter - readsBefore}.
				Within(float64(b.o.Crowd/goalReads), b.o.Crowd >= goalConns),
		},
	})
	return nil
}

// reads is the usage and how often the log was read so far.
func (b *bench) reads(ctx context.Context) (usage, float64, error) {
	m, err := b.target.admin.Metrics(ctx)
	if err != nil {
		return usage{}, 0, err
	}
	n, err := m.Value(metricReads)
	if err != nil {
		return usage{}, 0, err
	}
	u, err := b.usage()
	return u, n, err
}

// awaitGone waits until the server has noticed that everybody left, so that burying
// the old connections is not counted as receiving the new ones.
func (b *bench) awaitGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, gone)
	defer cancel()
	for {
		m, err := b.target.admin.Metrics(ctx)
		if err != nil {
			return err
		}
		n, err := m.Value(metricConnections)
		if err != nil || n == 0 {
			return err
		}
		if err := pause(ctx, settle/10); err != nil {
			return fmt.Errorf("wait for %.0f connections to end: %w", n, err)
		}
	}
}
