package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram's buckets: each power of two of nanoseconds is cut into steps of
// 1/32, so that a quantile is at most 3 % too high. 1,920 buckets reach the end of
// time.Duration.
const (
	stepBits = 5
	steps    = 1 << stepBits
	buckets  = (64 - stepBits + 1) * steps
)

// Histogram counts durations. Any number of goroutines may add at once; reading is
// for when they rest. The zero Histogram is empty.
type Histogram struct {
	counts [buckets]atomic.Uint64
	max    atomic.Int64
}

// Add counts one duration; a negative one counts as none.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(d)].Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Count returns how many there are.
func (h *Histogram) Count() uint64 {
	var n uint64
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Max returns the longest, 0 if there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Quantile returns the least duration that a share q, from 0 to 1, does not exceed;
// 0 if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	rank := uint64(q*float64(total) + 0.5)
	rank = min(max(rank, 1), total)
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank {
			return min(upper(i), h.Max())
		}
	}
	return h.Max()
}

// bucket is the index of a duration's bucket. Below one step the buckets are single
// nanoseconds, which continues the pattern of those above without a seam.
func bucket(d time.Duration) int {
	n := uint64(d) // Add made it positive.
	shift := max(bits.Len64(n)-stepBits-1, 0)
	return shift*steps + int(n>>shift) // Below 2*steps by the choice of shift.
}

// upper is the longest duration of a bucket.
func upper(i int) time.Duration {
	shift := max(i/steps-1, 0)
	return time.Duration((i-shift*steps+1)<<shift - 1)
}
