package bench

import (
	"context"
	"fmt"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/report"
)

// The goals for rooms of usual size.
const (
	goalRoomConns  = 1000
	goalTopics     = 1.1
	goalSlow       = 1.5
	goalLatencyP50 = 1 // ms
	goalLatencyP99 = 10
)

const (
	// fewTopics is what the topics scenario compares with.
	fewTopics = 3
	// stallBytes is what a stalled reader misses at least. The kernel swallows some
	// 150 KiB for it, and only then does the server notice anything.
	stallBytes = 512 << 10
	// latencyRate is how many events a second one subscriber gets.
	latencyRate = 1000
)

// room measures fan-out in one room of usual size.
func (b *bench) room(ctx context.Context) error {
	if !b.o.wants(Fanout) {
		return nil
	}
	base, err := b.floors(ctx, b.o.Conns)
	if err != nil {
		return err
	}
	single, eight := b.pace(b.o.Conns, 1), b.pace(b.o.Conns, 8)
	f, err := b.fleet(ctx, load.Config{
		Conns: b.o.Conns, Rooms: 1, Quiet: []string{"user", "all"}, RoomsOf: func(int) []int { return []int{0} },
		Capacity: capacity(single) + capacity(eight),
	})
	if err != nil {
		return err
	}
	defer f.Close()
	rounds, err := b.fanoutRounds(ctx, f, single, eight)
	if err != nil {
		return err
	}
	f.Close()
	again, err := b.floors(ctx, b.o.Conns)
	if err != nil {
		return err
	}
	b.fanoutSections(f, b.o.Conns, rounds, base.add(again))
	return nil
}

// fanoutRounds publishes to everybody, one by one and in bursts.
func (b *bench) fanoutRounds(ctx context.Context, f *load.Fleet, paces ...load.Pace) ([]outcome, error) {
	var list []outcome
	for _, p := range paces {
		b.say("fan-out in bursts of %d", p.Burst)
		o, err := b.steady(ctx, f, p)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// fanoutSections compares rounds with the floor.
func (b *bench) fanoutSections(f *load.Fleet, conns int, rounds []outcome, base floors) {
	goals := [2]float64{goalSingle, goalBurst}
	for i, o := range rounds {
		p := o.pace
		kind := "single events"
		if p.Burst > 1 {
			kind = fmt.Sprintf("bursts of %d", p.Burst)
		}
		least := micros(base[i].PerFrame())
		b.add(report.Section{
			Scenario: Fanout, Title: fmt.Sprintf("%d connections, one room, %s, %.0f events/s", conns, kind, p.Rate), Counts: &o.counts, Note: o.note(f),
			Figures: append([]report.Figure{
				{Key: "cpu_us_per_delivery", Label: "CPU per delivery", Value: o.perDelivery(), Unit: report.Microseconds},
				{Key: "floor_us_per_delivery", Label: "the floor: write(2)", Value: least, Unit: report.Microseconds},
				report.Figure{Key: "ratio", Label: "ratio", Value: ratio(o.perDelivery(), least), Unit: report.Times}.
					Within(goals[i], b.raw() && conns >= goalRoomConns && b.o.Size == goalSize && o.kept()),
			}, o.figures()...),
		})
	}
}

// topics compares connections with few and with many topics, all of which are heard
// by everybody and published to in turn.
func (b *bench) topics(ctx context.Context) error {
	if !b.o.wants(Topics) {
		return nil
	}
	var rounds []outcome
	var note string
	for _, n := range []int{fewTopics, b.o.Topics} {
		p := b.pace(b.o.Conns, 1)
		p.Rooms = sequence(0, n)
		f, err := b.fleet(ctx, load.Config{
			Conns: b.o.Conns, Rooms: n, RoomsOf: func(int) []int { return sequence(0, n) }, Capacity: capacity(p),
		})
		if err != nil {
			return err
		}
		b.say("%d topics each", n)
		o, err := b.steady(ctx, f, p)
		f.Close()
		if err != nil {
			return err
		}
		rounds, note = append(rounds, o), note+o.note(f)
	}
	few, many := rounds[0], rounds[1]
	b.add(report.Section{
		Scenario: Topics, Counts: &many.counts, Note: note,
		Title: fmt.Sprintf("%d connections, %d against %d topics each, %.0f events/s", b.o.Conns, fewTopics, b.o.Topics, many.pace.Rate),
		Figures: append([]report.Figure{
			{Key: "cpu_us_per_delivery_few", Label: fmt.Sprintf("CPU per delivery, %d topics", fewTopics), Value: few.perDelivery(), Unit: report.Microseconds},
			{Key: "cpu_us_per_delivery_many", Label: fmt.Sprintf("CPU per delivery, %d topics", b.o.Topics), Value: many.perDelivery(), Unit: report.Microseconds},
			report.Figure{Key: "ratio", Label: "ratio", Value: ratio(many.perDelivery(), few.perDelivery()), Unit: report.Times}.
				Within(goalTopics, b.raw() && b.o.Topics == 50 && b.o.Conns >= goalRoomConns && few.kept() && many.kept()),
		}, many.figures()...),
	})
	return nil
}

// slow measures the readers' latency without and with others that stall.
func (b *bench) slow(ctx context.Context) error {
	if !b.o.wants(Slow) {
		return nil
	}
	p := b.pace(b.o.Conns, 1)
	p.Events *= 2
	p.Size = max(p.Size, stallBytes/p.Events)
	f, err := b.fleet(ctx, load.Config{
		Conns: b.o.Conns, Rooms: 1, Quiet: []string{"user", "all"}, RoomsOf: func(int) []int { return []int{0} },
		Capacity: 2 * p.Events, Narrow: b.o.Stalled,
	})
	if err != nil {
		return err
	}
	defer f.Close()
	b.say("nobody stalls")
	calm, err := b.round(ctx, f, p)
	if err != nil {
		return err
	}
	b.say("%d stall", b.o.Stalled)
	var o outcome
	o.tally = f.Begin(p.Events)
	f.Stall()
	if o.sent, err = f.Publish(ctx, b.target.publish, p); err != nil {
		return err
	}
	if err := f.AwaitComplete(ctx, o.tally, b.o.Conns-b.o.Stalled, patience); err != nil {
		return err
	}
	behind, released := b.o.Conns-o.tally.Complete(), f.Now()
	f.Release()
	if err := f.Await(ctx, o.tally, f.Expected(o.sent), patience); err != nil {
		return err
	}
	o.counts = o.tally.Counts(f.Expected(o.sent))
	p99 := func(o outcome) float64 { return millis(o.tally.Latency.Quantile(0.99)) }
	b.add(report.Section{
		Scenario: Slow, Title: fmt.Sprintf("%d readers of which %d stall, %.0f events/s of %d B", b.o.Conns, b.o.Stalled, p.Rate, p.Size), Counts: &o.counts, Note: troubles(o.sent, f),
		Figures: []report.Figure{
			{Key: "latency_p99_ms_calm", Label: "latency p99 of the others, nobody stalls", Value: p99(calm), Unit: report.Milliseconds},
			{Key: "latency_p99_ms", Label: "latency p99 of the others", Value: p99(o), Unit: report.Milliseconds},
			report.Figure{Key: "ratio", Label: "ratio", Value: ratio(p99(o), p99(calm)), Unit: report.Times}.Within(goalSlow, b.o.Conns >= goalRoomConns),
			{Key: "behind", Label: "behind when they may read again", Value: float64(behind)},
			report.Figure{Key: "incomplete", Label: "not complete in the end", Value: float64(b.o.Conns - o.tally.Complete())}.Within(0, true),
			{Key: "catch_up_s", Label: "until all were complete", Value: secs(max(o.tally.Last()-released, 0)), Unit: report.Seconds},
		},
	})
	return nil
}

// latency measures the way from publishing to one subscriber.
func (b *bench) latency(ctx context.Context) error {
	if !b.o.wants(Latency) {
		return nil
	}
	p := load.Pace{Events: int(latencyRate * b.o.For.Seconds()), Rate: latencyRate, Burst: 1, Rooms: []int{0}, Size: b.o.Size}
	f, err := b.fleet(ctx, load.Config{
		Conns: 1, Rooms: 1, Quiet: []string{"user", "all"}, RoomsOf: func(int) []int { return []int{0} }, Capacity: p.Events,
	})
	if err != nil {
		return err
	}
	defer f.Close()
	b.say("latency")
	o, err := b.round(ctx, f, p)
	if err != nil {
		return err
	}
	l := &o.tally.Latency
	q := func(key, label string, v time.Duration) report.Figure {
		return report.Figure{Key: key, Label: label, Value: millis(v), Unit: report.Milliseconds}
	}
	b.add(report.Section{
		Scenario: Latency, Title: fmt.Sprintf("1 subscriber, %d events/s", latencyRate), Counts: &o.counts, Note: o.note(f),
		Figures: []report.Figure{
			q("latency_p50_ms", "p50", l.Quantile(0.5)).Within(goalLatencyP50, true),
			q("latency_p99_ms", "p99", l.Quantile(0.99)).Within(goalLatencyP99, true),
			q("latency_max_ms", "longest", l.Max()),
			q("late_p99_ms", "behind schedule p99", o.sent.Late.Quantile(0.99)),
			{Key: "cpu_us_per_delivery", Label: "CPU per event, publishing included", Value: o.perDelivery(), Unit: report.Microseconds},
		},
	})
	return nil
}
