package bench

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"tidings/scripts/bench/churn"
	"tidings/scripts/bench/load"
	"tidings/scripts/bench/report"
	"tidings/shared/auth"
)

const (
	// goalGrowth and goalSlack bound the memory in the end by that of the beginning.
	// The tenth is what Go's runtime keeps of a heap that shrank before it gives the
	// rest back, by its own rule. The 4 MiB are the buffer of the log's last block, which
	// the embedded NATS holds for some seconds after a write: there at one look and gone
	// at the other. A log far beyond the default's has blocks of up to 8 MiB.
	goalGrowth = 1.1
	goalSlack  = 4 << 20
	// goalLooking is how many goroutines more than in the beginning are none that were left
	// behind: the page of metrics is made by some, of which one look sees more than
	// another. A leak would be one for each of those who came and went.
	goalLooking = 2
)

const (
	// soakTail is the server's memory of recent events in bytes: small, so that it is
	// full before anything is measured, and shorter than the longest absences.
	soakTail = 2 << 20
	// soakRest is how long everybody in the crowd stays as it is on average, soakAway
	// how long one may be away: long enough to need what the server's memory no longer
	// has. Who never reads stays as long, and longer than the server's patience with a
	// write that makes no progress.
	soakRest = 8 * time.Second
	soakAway = 90 * time.Second
	// leastLog is the smallest log that the server's settings allow, and leastKept the
	// least of events in it. Its bound is in bytes and not for each room: behind rooms
	// that are at a bound of their own, the server tells who hears over 32 of them of
	// gaps that may be none.
	leastLog  = 4 << 20
	leastKept = 10_000
	// leastOverhead and mostOverhead are what an event has in the log beside its data,
	// depending on the way in.
	leastOverhead = 60
	mostOverhead  = 300
	// fillRate is how fast log and memory are filled before the crowd comes.
	fillRate = 10_000
	// One in wideShare of the crowd hears all rooms, and for each deafShare of it there
	// is one more who never reads.
	wideShare = 50
	deafShare = 100
	// The crowd has come and gone once before the beginning is measured, for a
	// warmShare of the soak's time within bounds.
	warmShare = 10
	warmLeast = 5 * time.Second
	warmMost  = 30 * time.Second
	// sampleEvery is the time between two looks at the server during the soak.
	sampleEvery = time.Second
	// calmEvery is the time between two looks at it when everybody has left, calmStill
	// how many of them must see nothing shrink any more, and calmTime the bound: the
	// runtime gives memory back bit by bit, and NATS its caches after some seconds.
	calmEvery = 500 * time.Millisecond
	calmStill = 6
	calmTime  = 45 * time.Second
	// shrinks is the change that counts as shrinking.
	shrinks = 0.995
)

// soak keeps a restless crowd for minutes and compares the server's memory before
// and after.
func (b *bench) soak(ctx context.Context) error {
	o := b.o
	if !o.soak() {
		return nil
	}
	forged, err := b.forged()
	if err != nil {
		return err
	}
	cfg := churn.Config{
		Addr: b.target.addr, Transports: b.transports, Conns: o.Conns, Wide: o.soakWide(), Deaf: o.Conns/deafShare + 1,
		Rest: soakRest, Away: soakAway, Rate: o.soakRate(), Token: b.target.token, Forged: forged,
	}
	b.target.run++
	ledger := churn.NewLedger(b.target.run, o.Rooms, o.Size, b.target.publish)
	b.say("filling the log")
	if err := ledger.Fill(ctx, max(o.soakBytes(), soakTail)/(o.Size+leastOverhead), fillRate); err != nil {
		return err
	}
	b.say("a crowd comes and goes")
	warm, err := churn.Run(ctx, cfg, ledger, min(max(o.For/warmShare, warmLeast), warmMost, o.For))
	if err != nil {
		return err
	}
	begin, err := b.calm(ctx, nil)
	if err != nil {
		return err
	}
	b.say("soaking for %v", o.For)
	before, err := b.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	res, peak, err := b.watched(ctx, cfg, ledger)
	if err != nil {
		return err
	}
	after, err := b.usage()
	if err != nil {
		return err
	}
	res.Deeds.Admitted += warm.Deeds.Admitted
	took := time.Since(began)
	b.say("waiting for calm")
	end, err := b.calm(ctx, &begin)
	if err != nil {
		return err
	}
	s := b.soakSection(cfg, res, [3]memory{begin, peak, end})
	s.Figures = append(s.Figures, report.Figure{
		Key: "cpu_percent", Label: "CPU, of one core", Value: 100 * ratio(secs(after.server.CPU-before.server.CPU), secs(took)), Unit: report.Percent,
	})
	counts := sum(warm.Counts, res.Counts)
	s.Counts, s.Note = &counts, soakNote(ledger, warm, res)
	b.add(s)
	return nil
}

// forged are tokens that the server must refuse: no token at all, somebody else's
// signature, and one that has ended.
func (b *bench) forged() ([]string, error) {
	claims := auth.Claims{User: "mallory", Sub: []string{"room.bench.>"}, TTL: time.Minute, Audience: b.target.audience, Issuer: b.target.issuer}
	other, err := auth.Mint([]byte(auth.GenerateSecret()), claims, time.Now())
	if err != nil {
		return nil, err
	}
	ended, err := auth.Mint([]byte(b.target.secret.Reveal()), claims, time.Now().Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	return []string{"abc", "a.b.c", other, ended}, nil
}

// memory is what a server holds at one moment; all but the resident bytes are its
// own figures.
type memory struct{ rss, heap, goroutines, descriptors, connections float64 }

// each applies f to each pair of figures.
func (m memory) each(o memory, f func(a, b float64) float64) memory {
	return memory{
		f(m.rss, o.rss), f(m.heap, o.heap), f(m.goroutines, o.goroutines), f(m.descriptors, o.descriptors), f(m.connections, o.connections),
	}
}

// limits is the most that may be left where this was the beginning.
func (m memory) limits() memory {
	return memory{m.rss*goalGrowth + goalSlack, m.heap*goalGrowth + goalSlack, m.goroutines + goalLooking, m.descriptors, 0}
}

// within says whether nothing is more than in limits.
func (m memory) within(limits memory) bool { return m.each(limits, math.Max) == limits }

// look samples the server.
func (b *bench) look(ctx context.Context) (memory, error) {
	var m memory
	page, err := b.target.admin.Metrics(ctx)
	if err != nil {
		return m, err
	}
	for name, into := range map[string]*float64{
		metricHeapInUse: &m.heap, metricGoroutines: &m.goroutines, metricDescriptors: &m.descriptors, metricConnections: &m.connections,
	} {
		if *into, err = page.Value(name); err != nil {
			return m, err
		}
	}
	u, err := b.table.Usage(b.target.pid)
	m.rss = float64(u.RSS)
	return m, err
}

// watched runs the crowd and returns the highest of each figure meanwhile.
func (b *bench) watched(ctx context.Context, cfg churn.Config, l *churn.Ledger) (churn.Result, memory, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var peak memory
	var watch sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-over:
				return
			}
			m, err := b.look(ctx)
			if err != nil {
				cancel(err) // the server is gone, and the crowd has nobody left
				return
			}
			peak = peak.each(m, math.Max)
		}
	})
	res, err := churn.Run(ctx, cfg, l, b.o.For)
	close(over)
	watch.Wait()
	return res, peak, err
}

// calm waits until a server that everybody has left has shrunk, and returns the least
// of each figure. It waits longer where a beginning is to be reached, and it fails
// only when ctx ends or the server is gone.
func (b *bench) calm(ctx context.Context, begin *memory) (memory, error) {
	least := memory{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
	limits := memory{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), 0}
	if begin != nil {
		limits = begin.limits()
	}
	deadline := time.Now().Add(calmTime)
	for still := 0; still < calmStill || !least.within(limits); still++ {
		if err := b.target.admin.Collect(ctx); err != nil {
			return least, err
		}
		m, err := b.look(ctx)
		if err != nil {
			return least, err
		}
		if m.rss < least.rss*shrinks || m.heap < least.heap*shrinks {
			still = 0
		}
		least = least.each(m, math.Min)
		if time.Now().After(deadline) {
			break
		}
		if err := pause(ctx, calmEvery); err != nil {
			return least, err
		}
	}
	return least, nil
}

// soakSection lays out what a soak found: at the beginning, at the peak and in the end.
func (b *bench) soakSection(cfg churn.Config, r churn.Result, m [3]memory) report.Section {
	names := make([]string, len(b.transports))
	for i, t := range b.transports {
		names[i] = string(t)
	}
	s := report.Section{Scenario: Soak, Title: fmt.Sprintf(
		"%d restless clients in %d rooms over %s for %v, %.0f events/s", cfg.Conns, b.o.Rooms, strings.Join(names, " and "), b.o.For, cfg.Rate,
	)}
	limits := m[0].limits()
	for _, row := range []struct {
		key, label string
		unit       report.Unit
		of         func(memory) float64
	}{
		{"rss_bytes", "resident memory", report.Bytes, func(m memory) float64 { return m.rss }},
		{"heap_bytes", "heap in use", report.Bytes, func(m memory) float64 { return m.heap }},
		{"goroutines", "goroutines", report.Count, func(m memory) float64 { return m.goroutines }},
		{"descriptors", "descriptors", report.Count, func(m memory) float64 { return m.descriptors }},
		{"connections", "connections", report.Count, func(m memory) float64 { return m.connections }},
	} {
		s.Figures = append(
			s.Figures,
			report.Figure{Key: row.key + "_begin", Label: row.label + ", beginning", Value: row.of(m[0]), Unit: row.unit},
			report.Figure{Key: row.key + "_peak", Label: row.label + ", peak", Value: row.of(m[1]), Unit: row.unit},
			report.Figure{Key: row.key + "_end", Label: row.label + ", end", Value: row.of(m[2]), Unit: row.unit}.Bound(row.of(limits)),
		)
	}
	count := func(key, label string, n uint64) report.Figure {
		return report.Figure{Key: key, Label: label, Value: float64(n)}
	}
	d := r.Deeds
	s.Figures = append(
		s.Figures,
		count("joined", "came for the first time", d.Joined), count("left", "left for good", d.Left), count("cut", "dropped without a word", d.Cut),
		count("closed", "closed", d.Closed), count("returned", "came back with a cursor", d.Returned), count("stalled", "stalled", d.Stalled),
		count("deaf", "never read", d.Deaf), count("abandoned", "strangers who cut their request short", d.Abandoned),
		count("refused", "strangers refused", d.Refused), count("admitted", "strangers not refused", d.Admitted).Bound(0),
		report.Figure{Key: "latency_p50_ms", Label: "latency p50", Value: millis(r.Latency.Quantile(0.5)), Unit: report.Milliseconds},
		report.Figure{Key: "latency_p99_ms", Label: "latency p99", Value: millis(r.Latency.Quantile(0.99)), Unit: report.Milliseconds},
		report.Figure{Key: "late_p99_ms", Label: "behind schedule p99", Value: millis(r.Late.Quantile(0.99)), Unit: report.Milliseconds},
	)
	return s
}

// soakNote says what explains what is not as it should be.
func soakNote(l *churn.Ledger, runs ...churn.Result) string {
	var why []string
	if l.Failed > 0 {
		why = append(why, fmt.Sprintf("%d events were not acknowledged: %v.", l.Failed, l.FailedBy))
	}
	for _, r := range runs {
		if r.CutBy != nil {
			why = append(why, fmt.Sprintf("The first connection that went wrong: %v.", r.CutBy))
		}
		if r.Gap != nil {
			why = append(why, fmt.Sprintf("One of the gaps: %v.", r.Gap))
		}
		if r.Deeds.AdmittedAs != nil {
			why = append(why, fmt.Sprintf("The first stranger: %v.", r.Deeds.AdmittedAs))
		}
	}
	return strings.Join(why, " ")
}

// sum adds the counts of the warm-up and of the soak.
func sum(a, b load.Counts) load.Counts {
	return load.Counts{
		Expected: a.Expected + b.Expected, Delivered: a.Delivered + b.Delivered, Lost: a.Lost + b.Lost, Doubled: a.Doubled + b.Doubled,
		Disordered: a.Disordered + b.Disordered, Strays: a.Strays + b.Strays, Gaps: a.Gaps + b.Gaps, Cut: a.Cut + b.Cut,
	}
}
