package notices

import (
	"fmt"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/report"
)

// judgedFrom is for how many notifications memory is judged: with fewer, what is measured
// is how it begins.
const judgedFrom = 50_000

// Look is the memory of the services and of NATS at one moment, in bytes. Heap is in use
// after a collection; NATS's is unknown, 0, if it has no process of its own here.
type Look struct{ RSS, Heap, NATS float64 }

// CPU is what the processes used.
type CPU struct{ Services, NATS, Bench time.Duration }

// Result is what was found.
type Result struct {
	// Notifications went to so many People in a flood, and Paced a second before it.
	Notifications, People int
	Paced                 float64
	// Latency is from posting to the mail when they come one by one, Accept from posting to
	// the answer then, and Batch to the answer to a batch of the flood.
	Latency, Accept, Batch *load.Histogram
	// Accepted is the time until the last answer of the flood, Took until its last mail.
	Accepted, Took time.Duration
	// CPU is for the flood, and Stored how many messages were stored meanwhile.
	CPU    CPU
	Stored uint64
	// Looks are after 10, 50 and 100 % of it.
	Looks [3]Look
	// Floor is what it is compared with.
	Floor Floor
	// Short is how many inboxes lack something, Counts what became of the mails.
	Short  int
	Counts load.Counts
}

// Section lays out what was found, under a scenario's name. limit is the most memory that
// there may be where there was so much before.
func (r *Result) Section(scenario string, limit func(before float64) float64) report.Section {
	all := float64(r.Notifications)
	messages := ratio(float64(r.Stored), all)
	floorTook, floorCPU := r.Floor.of(messages)
	c := r.CPU
	s := report.Section{
		Scenario: scenario, Title: fmt.Sprintf("%d notifications to %d people, each to the inbox and by mail", r.Notifications, r.People),
		Counts: &r.Counts,
		Figures: []report.Figure{
			{Key: "accepted_per_s", Label: "accepted a second", Value: ratio(all, r.Accepted.Seconds())},
			{Key: "mailed_per_s", Label: "routed and mailed a second", Value: ratio(all, r.Took.Seconds())},
			{Key: "cpu_us_per_notification", Label: "CPU of the services for each", Value: ratio(micros(c.Services), all), Unit: report.Microseconds},
			{Key: "nats_cpu_us_per_notification", Label: "NATS's CPU, apart", Value: ratio(micros(c.NATS), all), Unit: report.Microseconds},
			{Key: "client_cpu_us_per_notification", Label: "the bench's own CPU, with the sink", Value: ratio(micros(c.Bench), all), Unit: report.Microseconds},
			{Key: "messages_per_notification", Label: "messages stored for each", Value: messages},
			{Key: "floor_us", Label: "floor: as many bare publishes and a bare mail", Value: floorTook, Unit: report.Microseconds},
			{Key: "floor_cpu_us", Label: "CPU of that, of all processes", Value: floorCPU, Unit: report.Microseconds},
			{Key: "ratio", Label: "time for each, by the floor", Value: ratio(ratio(micros(r.Took), all), floorTook), Unit: report.Times},
			{Key: "cpu_ratio", Label: "CPU for each, by the floor's", Value: ratio(ratio(micros(c.Services+c.NATS+c.Bench), all), floorCPU), Unit: report.Times},
		},
	}
	s.Figures = append(append(s.Figures, r.times()...), r.memory(limit)...)
	s.Figures = append(s.Figures, report.Figure{Key: "inboxes_short", Label: "inboxes that lack something", Value: float64(r.Short)}.Bound(0))
	return s
}

// times are how long things take.
func (r *Result) times() (list []report.Figure) {
	for _, h := range []struct {
		key, label string
		of         *load.Histogram
	}{
		{"mail", fmt.Sprintf("from posting to the mail, %.0f a second", r.Paced), r.Latency},
		{"accept", "from posting to the answer then", r.Accept},
		{"batch", fmt.Sprintf("to the answer to %d in the flood", Batch), r.Batch},
	} {
		for _, q := range []struct {
			key string
			at  float64
		}{{"p50", 0.5}, {"p99", 0.99}} {
			list = append(list, report.Figure{
				Key: h.key + "_" + q.key + "_ms", Label: h.label + ", " + q.key, Value: micros(h.of.Quantile(q.at)) / 1e3, Unit: report.Milliseconds,
			})
		}
	}
	return list
}

// memory is what the processes held, which in the end must be within the limit of what
// they held half-way.
func (r *Result) memory(limit func(float64) float64) (list []report.Figure) {
	half := r.Looks[1]
	for i, at := range []string{"10", "50", "100"} {
		look := r.Looks[i]
		rss := report.Figure{Key: "rss_bytes_" + at, Label: "the services' memory after " + at + " %", Value: look.RSS, Unit: report.Bytes}
		heap := report.Figure{Key: "heap_bytes_" + at, Label: "their heap in use then", Value: look.Heap, Unit: report.Bytes}
		if at == "100" && r.Notifications >= judgedFrom {
			rss, heap = rss.Bound(limit(half.RSS)), heap.Bound(limit(half.Heap))
		}
		list = append(list, rss, heap)
		if look.NATS > 0 {
			list = append(list, report.Figure{Key: "nats_rss_bytes_" + at, Label: "NATS's memory then", Value: look.NATS, Unit: report.Bytes})
		}
	}
	return list
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// ratio divides, 0 by nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
