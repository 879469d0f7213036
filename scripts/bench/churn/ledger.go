package churn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidings/scripts/bench/load"
)

// settleEvery is how many events are published between two waits for all of their
// acknowledgements. Each takes some hundred bytes until then.
const settleEvery = 1000

// Ledger publishes events, to all rooms in turn, and knows where in the log each of
// them is. Make one with NewLedger; it serves one run after the other.
type Ledger struct {
	run         uint32
	rooms, size int
	to          load.Publisher
	coder       load.Coder
	base        time.Time

	published uint32
	seqs      []uint64 // of the events by their numbers

	// Failed is how many events are not known to be in the log, FailedBy why the first
	// is not. They are expected at the visitors all the same.
	Failed   int
	FailedBy error
}

// NewLedger returns a ledger of events of size bytes in so many rooms of a run.
func NewLedger(run uint32, rooms, size int, to load.Publisher) *Ledger {
	return &Ledger{run: run, rooms: rooms, size: size, to: to, coder: load.NewCoder(run), base: time.Now()}
}

// now is the time since the ledger's beginning, by the clock of the stamps.
func (l *Ledger) now() time.Duration { return time.Since(l.base) }

// Fill publishes a number of events as fast as rate allows, in events a second.
func (l *Ledger) Fill(ctx context.Context, events int, rate float64) error {
	left := events
	return l.publish(ctx, rate, &load.Histogram{}, func() bool { left--; return left >= 0 })
}

// publish publishes at a rate while more says so. late gets how far behind the
// schedule each event was.
func (l *Ledger) publish(ctx context.Context, rate float64, late *load.Histogram, more func() bool) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	for i := 0; ; i++ {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !more() {
			break
		}
		late.Add(time.Since(due))
		room := int(l.published) % l.rooms
		data := l.coder.Data(load.Stamp{Room: uint16(room), Seq: l.published, Sent: l.now()}, l.size) // The options bound the rooms.
		if err := l.to.Publish(ctx, load.Topic(l.run, room), [][]byte{data}); err != nil {
			return err
		}
		l.published++
		if (i+1)%settleEvery == 0 {
			l.settle(ctx)
		}
	}
	l.settle(ctx)
	if len(l.seqs) != int(l.published) {
		return fmt.Errorf("%d acknowledgements of %d events", len(l.seqs), l.published)
	}
	return nil
}

// settle enters the sequences of what was published. An event that is not known to
// be in the log is taken to be where the one before it is, so that they ascend.
func (l *Ledger) settle(ctx context.Context) {
	acks := l.to.Settle(ctx)
	for _, seq := range acks.Seqs {
		if seq == 0 && len(l.seqs) > 0 {
			seq = l.seqs[len(l.seqs)-1]
		}
		l.seqs = append(l.seqs, seq)
	}
	if l.Failed += acks.Failed; l.FailedBy == nil {
		l.FailedBy = acks.FailedBy
	}
}

// behind is the number of the first event behind a sequence of the log.
func (l *Ledger) behind(seq uint64) uint32 {
	i, _ := slices.BinarySearch(l.seqs, seq+1)
	return uint32(i) // The ledger counts in these.
}

// lane is the part of the events that a visitor hears: those of one room, or all.
type lane struct {
	offset, stride uint32
	query          string
}

// room is the lane of one room.
func (l *Ledger) room(i int) lane {
	return lane{offset: uint32(i), stride: uint32(l.rooms), query: "topics=user," + string(load.Topic(l.run, i))} // The options bound the rooms.
}

// all is the lane of everything, by a pattern.
func (l *Ledger) all() lane {
	prefix, _ := strings.CutSuffix(string(load.Topic(l.run, 0)), "0")
	return lane{stride: 1, query: "topics=user," + prefix + "*"}
}

// holds says whether an event is of the lane.
func (n lane) holds(event uint32) bool { return event%n.stride == n.offset }

// count is how many events of the lane there are from one number to before another.
func (n lane) count(from, to uint32) uint64 {
	upTo := func(end uint32) uint64 { // before end
		return (uint64(end) + uint64(n.stride) - uint64(n.offset) - 1) / uint64(n.stride)
	}
	if to <= from {
		return 0
	}
	return upTo(to) - upTo(from)
}

// last is the number of the lane's last event of so many; false if there is none.
func (n lane) last(published uint32) (uint32, bool) {
	if published <= n.offset {
		return 0, false
	}
	return (published-1-n.offset)/n.stride*n.stride + n.offset, true
}
