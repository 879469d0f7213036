package load

import (
	"sync/atomic"
	"time"
)

// Tally counts what came during a round. Readers add to it while it runs.
type Tally struct {
	first uint32 // the first sequence of the round
	each  int    // how many events complete a subscriber; 0 for no matter

	delivered, doubled, disordered, strays, gaps, cut, complete atomic.Uint64
	reads                                                       atomic.Uint64 // that brought a delivery
	last                                                        atomic.Int64  // time of the last delivery, since the run's beginning

	// Latency is from just before publishing to reading, for subscribers that never
	// stall and events sent while they were connected.
	Latency Histogram
	// Completion is from the opening of a connection to its last event of the round.
	Completion Histogram
}

// Counts are the exact results of a round.
type Counts struct {
	// Expected is what should have come: for each event, its room's subscribers.
	Expected uint64 `json:"expected"`
	// Delivered is what came for the first time; Lost is what did not.
	Delivered uint64 `json:"delivered"`
	Lost      uint64 `json:"lost"`
	// Doubled came again, Disordered came after an event that was published later.
	Doubled    uint64 `json:"doubled"`
	Disordered uint64 `json:"disordered"`
	// Strays came to a subscriber that is not in their room, or after their round.
	Strays uint64 `json:"strays"`
	// Gaps are the tidings.gap events, Cut the connections that ended unasked.
	Gaps uint64 `json:"gaps"`
	Cut  uint64 `json:"cut"`
}

// Exact says whether everything came exactly once, in order, over connections that
// held.
func (c Counts) Exact() bool {
	return c == Counts{Expected: c.Expected, Delivered: c.Expected}
}

// Counts returns the results so far, given what was expected.
func (t *Tally) Counts(expected uint64) Counts {
	c := Counts{
		Expected: expected, Delivered: t.delivered.Load(), Doubled: t.doubled.Load(), Disordered: t.disordered.Load(),
		Strays: t.strays.Load(), Gaps: t.gaps.Load(), Cut: t.cut.Load(),
	}
	c.Lost = c.Expected - min(c.Delivered, c.Expected)
	return c
}

// PerRead is how many deliveries came with one read, on average: about as many as
// the server joined in one write. 0 if there were none.
func (t *Tally) PerRead() float64 {
	if t.reads.Load() == 0 {
		return 0
	}
	return float64(t.delivered.Load()) / float64(t.reads.Load())
}

// Complete is how many subscribers have all their events of the round.
func (t *Tally) Complete() int { return int(t.complete.Load()) } // As many as subscribers.

// Last is when the last event came, since the run's beginning.
func (t *Tally) Last() time.Duration { return time.Duration(t.last.Load()) }
