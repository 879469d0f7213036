package load

import (
	"context"
	"fmt"
	"time"
)

// Pace is what is published and how fast.
type Pace struct {
	// Events is how many, Rate how many a second.
	Events int
	Rate   float64
	// Burst is how many go out together, to one room. The next burst goes to the next
	// of Rooms.
	Burst int
	Rooms []int
	// Size is the length of an event's data in bytes, at least MinSize.
	Size int
}

// Sent is what was published.
type Sent struct {
	// Events is how many, Rooms how many by room.
	Events int
	Rooms  map[int]int
	// Failed are those of which the log is not known to have them. They are expected
	// at the subscribers all the same. FailedBy is why the first failed.
	Failed   int
	FailedBy error
	// Late is how far behind the schedule the bursts began. That time is not in any
	// latency; if it is long, the machine could not keep the pace.
	Late *Histogram
}

// Publish publishes at the given pace and returns when everything is stored. It
// fails when something could not be sent at all.
func (f *Fleet) Publish(ctx context.Context, to Publisher, p Pace) (Sent, error) {
	sent := Sent{Rooms: map[int]int{}, Late: &Histogram{}}
	if int(f.published)+p.Events > f.cfg.Capacity {
		return sent, fmt.Errorf("%d events are more than the fleet's books hold", p.Events)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	data := make([][]byte, 0, p.Burst)
	for burst := 0; sent.Events < p.Events; burst++ {
		due := start.Add(time.Duration(float64(sent.Events) / p.Rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return sent, ctx.Err()
		}
		sent.Late.Add(time.Since(due))
		room := p.Rooms[burst%len(p.Rooms)]
		n := min(p.Burst, p.Events-sent.Events)
		data = data[:0]
		for range n {
			data = append(data, f.coder.Data(Stamp{Room: uint16(room), Seq: f.published, Sent: f.Now()}, p.Size)) // New bounds the rooms.
			f.published++
		}
		if err := to.Publish(ctx, f.Topic(room), data); err != nil {
			return sent, err
		}
		sent.Events += n
		sent.Rooms[room] += n
	}
	acks := to.Settle(ctx)
	sent.Failed, sent.FailedBy = acks.Failed, acks.FailedBy
	return sent, nil
}
