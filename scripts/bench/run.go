package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings/scripts/bench/floor"
	"tidings/scripts/bench/load"
	"tidings/scripts/bench/proc"
	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/report"
	"tidings/shared/event"
)

var (
	// ErrInexact says that events were lost, doubled or out of order.
	ErrInexact = errors.New("not every event was delivered exactly once, in order")
	// ErrBroken says that a goal was missed that every machine can reach.
	ErrBroken = errors.New("a goal was missed that does not depend on the machine")
)

const (
	// settle is the pause between connecting and measuring: the server ends its
	// handshakes and tells newcomers that they are live.
	settle = 500 * time.Millisecond
	// patience is how long nothing may come before what is missing counts as lost.
	patience = 10 * time.Second
	// joined is how many times more events than were published together may come with
	// one read. If more do, the machine could not keep the pace and the server joined
	// what had piled up, which is cheaper and not what was to be measured.
	joined = 1.2
	// attempts is how often a round that was too fast is done again at half the pace.
	attempts = 3
	// drainWord is the argument with which this program is the child of a floor.
	drainWord = "drain"
)

// bench is one run.
type bench struct {
	o      *Options
	table  proc.Table
	report *report.Report

	// Of the present pass.
	transports []protocol.Transport
	frame      int // bytes of an event on the wire
	target     *target
}

// Run measures and writes the report. It returns ErrInexact when a delivery went
// wrong and ErrBroken when a soak's bounds were, which are failures of the server;
// another goal that was missed is none of the run's.
func Run(ctx context.Context, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	o.Progress = &lines{w: o.Progress}
	b := &bench{o: &o, table: proc.New(nil)}
	if _, err := b.table.Usage(os.Getpid()); err != nil {
		return fmt.Errorf("the bench reads /proc, which only Linux has: %w", err)
	}
	b.report = &report.Report{
		Machine: b.table.Machine(), Transport: o.Transport, Publish: o.Publish, Sink: o.Sink, Size: o.Size, Sections: []report.Section{},
	}
	began := time.Now()
	for _, transports := range o.passes() {
		if err := b.pass(ctx, transports); err != nil {
			return err
		}
	}
	b.report.Took = secs(time.Since(began))
	write := b.report.WriteText
	if o.JSON {
		write = b.report.WriteJSON
	}
	if err := write(o.Out); err != nil {
		return err
	}
	switch {
	case !b.report.Exact():
		return ErrInexact
	case b.report.Broken():
		return ErrBroken
	}
	return nil
}

// pass measures one server over some transports.
func (b *bench) pass(ctx context.Context, transports []protocol.Transport) error {
	if !b.o.notify() { // of which nothing is a frame
		b.transports, b.frame = transports, frameBytes(transports[0], b.o.Size)
	}
	for _, t := range b.transports {
		b.report.Frames = append(b.report.Frames, frameBytes(t, b.o.Size))
	}
	b.say("starting")
	t, err := openTarget(ctx, b.o)
	if err != nil {
		return err
	}
	b.target = t
	return errors.Join(b.stages(ctx), t.close())
}

// stages runs the populations one after the other, the largest first: memory is
// measured on a server that has done nothing yet.
func (b *bench) stages(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{b.crowd, b.room, b.topics, b.slow, b.latency, b.soak, b.notify} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.o.Progress, "bench: "+format+"\n", args...)
}

// lines lets the bench and its server write to one place.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// add files a section.
func (b *bench) add(s report.Section) {
	s.Transports = b.transports
	b.report.Sections = append(b.report.Sections, s)
}

// raw says whether the goals of the raw sink are to be judged.
func (b *bench) raw() bool { return b.o.Sink == sinkRaw }

// usage is what the processes have used so far.
type usage struct{ server, nats, self proc.Usage }

// usage reads the processes. Without a server's process its figures are 0.
func (b *bench) usage() (usage, error) {
	var u usage
	for pid, into := range map[int]*proc.Usage{b.target.pid: &u.server, b.target.natsPID: &u.nats, os.Getpid(): &u.self} {
		if pid == 0 {
			continue
		}
		var err error
		if *into, err = b.table.Usage(pid); err != nil {
			return u, err
		}
	}
	return u, nil
}

// fleet makes subscribers of the target and connects them.
func (b *bench) fleet(ctx context.Context, cfg load.Config) (*load.Fleet, error) {
	b.target.run++ // every fleet has topics of its own
	cfg.Addr, cfg.Transport, cfg.Run, cfg.Token = b.target.addr, b.transports[0], b.target.run, b.target.token
	f, err := load.New(cfg)
	if err != nil {
		return nil, err
	}
	b.say("connecting %d", cfg.Conns)
	if err := f.Open(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return f, pause(ctx, settle)
}

// outcome is one round.
type outcome struct {
	pace   load.Pace
	sent   load.Sent
	tally  *load.Tally
	counts load.Counts
	before usage
	after  usage
}

// steady is round at a pace that the machine can keep: the given one, or half of it.
func (b *bench) steady(ctx context.Context, f *load.Fleet, p load.Pace) (outcome, error) {
	for attempt := 1; ; attempt++ {
		o, err := b.round(ctx, f, p)
		if err != nil || o.kept() || attempt == attempts {
			return o, err
		}
		b.say("%.0f events/s are too many now: trying half of them", p.Rate)
		p.Rate, p.Events = p.Rate/2, max(p.Events/2/p.Burst, 1)*p.Burst
	}
}

// capacity is what steady may publish.
func capacity(p load.Pace) int { return attempts * p.Events }

// kept says whether events came as they were published, and not joined.
func (o outcome) kept() bool { return o.tally.PerRead() <= joined*float64(o.pace.Burst) }

// round publishes at a pace and waits for the last delivery.
func (b *bench) round(ctx context.Context, f *load.Fleet, p load.Pace) (outcome, error) {
	o := outcome{pace: p}
	var err error
	if o.before, err = b.usage(); err != nil {
		return o, err
	}
	o.tally = f.Begin(p.Events)
	if o.sent, err = f.Publish(ctx, b.target.publish, p); err != nil {
		return o, err
	}
	if err = f.Await(ctx, o.tally, f.Expected(o.sent), patience); err != nil {
		return o, err
	}
	if o.after, err = b.usage(); err != nil {
		return o, err
	}
	o.counts = o.tally.Counts(f.Expected(o.sent))
	return o, nil
}

// cpu is the server's CPU time during the round.
func (o outcome) cpu() time.Duration { return o.after.server.CPU - o.before.server.CPU }

// perDelivery is the server's CPU time for one delivery in microseconds.
func (o outcome) perDelivery() float64 { return ratio(micros(o.cpu()), float64(o.counts.Delivered)) }

// figures are those that every round has.
func (o outcome) figures() []report.Figure {
	n := float64(o.counts.Delivered)
	list := []report.Figure{
		{Key: "latency_p50_ms", Label: "latency p50", Value: millis(o.tally.Latency.Quantile(0.5)), Unit: report.Milliseconds},
		{Key: "latency_p99_ms", Label: "latency p99", Value: millis(o.tally.Latency.Quantile(0.99)), Unit: report.Milliseconds},
		{Key: "late_p99_ms", Label: "behind schedule p99", Value: millis(o.sent.Late.Quantile(0.99)), Unit: report.Milliseconds},
		{Key: "events_per_read", Label: "events with one read", Value: o.tally.PerRead()},
		{Key: "client_cpu_us_per_delivery", Label: "the bench's own CPU", Value: ratio(micros(o.after.self.CPU-o.before.self.CPU), n), Unit: report.Microseconds},
	}
	if o.after.nats.CPU > 0 {
		list = append(list, report.Figure{Key: "nats_cpu_us_per_delivery", Label: "NATS's CPU, apart", Value: ratio(micros(o.after.nats.CPU-o.before.nats.CPU), n), Unit: report.Microseconds})
	}
	return list
}

// note says what else there is to know of a round.
func (o outcome) note(f *load.Fleet) string {
	if o.kept() {
		return troubles(o.sent, f)
	}
	return strings.TrimSpace("The machine was too busy for this pace: events came joined, which is cheaper, so no goal applies. " + troubles(o.sent, f))
}

// troubles tells what explains counts that are not exact.
func troubles(sent load.Sent, f *load.Fleet) string {
	var why []string
	if sent.Failed > 0 {
		why = append(why, fmt.Sprintf("%d events were not acknowledged: %v.", sent.Failed, sent.FailedBy))
	}
	if err := f.CutBy(); err != nil {
		why = append(why, fmt.Sprintf("The first connection was cut: %v.", err))
	}
	return strings.Join(why, " ")
}

// floors measures write(2) for single frames and for eight together, at the pace of
// the rounds that are compared with it.
func (b *bench) floors(ctx context.Context, conns int) (floors, error) {
	b.say("measuring write(2) on %d sockets", conns)
	var sum floors
	f, err := floor.Open(ctx, append(slices.Clip(b.o.Program), "bench", drainWord), conns)
	if err != nil {
		return sum, err
	}
	for i, burst := range bursts() {
		p := b.pace(conns, burst)
		cost, err := f.Measure(ctx, floor.Work{
			Frame: b.frame, Batch: burst, Every: time.Duration(float64(burst) / p.Rate * float64(time.Second)), Rounds: max(p.Events/burst/2, 1),
		})
		if err != nil {
			return sum, errors.Join(err, f.Close())
		}
		sum[i] = cost
	}
	return sum, f.Close()
}

// floors are the costs for each of bursts.
type floors [2]floor.Cost

// add is the sum of two measurements.
func (f floors) add(o floors) floors { return floors{f[0].Add(o[0]), f[1].Add(o[1])} }

// bursts are how many events are published together: one, and enough to see what
// writing them together saves.
func bursts() [2]int { return [2]int{1, 8} }

// pace is a round in which each of conns subscribers gets every event. Events that
// come in bursts cost less, so there are more of them: a round's CPU time should be
// well above the 10 ms in which it is counted.
func (b *bench) pace(conns, burst int) load.Pace {
	rate := b.o.Deliveries / float64(conns)
	if burst > 1 {
		rate *= 4
	}
	rate = min(rate, maxRate)
	events := max(int(rate*b.o.For.Seconds()), 1)
	return load.Pace{Events: (events + burst - 1) / burst * burst, Rate: rate, Burst: burst, Rooms: []int{0}, Size: b.o.Size}
}

// frameBytes is the length of an event on the wire.
func frameBytes(t protocol.Transport, size int) int {
	e := event.Event{
		Topic: load.Topic(1<<28, 0), Type: event.DefaultType, Time: time.Now(),
		Data: load.NewCoder(0).Data(load.Stamp{}, size),
	}
	at := event.Cursor{Epoch: "0123456789AB", Seq: 1000}
	if t == protocol.SSE {
		return len(e.AppendSSE(nil, at))
	}
	n := len(e.AppendJSONCursor(nil, at))
	if n < 126 {
		return n + 2
	}
	return n + 4
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drain is the child process of a floor: it connects to the address, as often as the
// second argument says, and reads until the end. It fails on anything else than two
// arguments of that form.
func Drain(ctx context.Context, args []string) error {
	var conns int
	if len(args) != 2 {
		return errors.New("drain takes an address and a number")
	}
	if _, err := fmt.Sscan(args[1], &conns); err != nil || conns < 1 || conns > maxConns {
		return fmt.Errorf("drain %q: not a number of connections", args[1])
	}
	return floor.Drain(ctx, args[0], conns)
}

// micros, millis and secs are durations in a figure's unit.
func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
func secs(d time.Duration) float64   { return d.Seconds() }

// ratio divides, 0 by nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
