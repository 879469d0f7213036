package load_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings/scripts/bench/load"
)

// TestQuantile compares with sorting.
func TestQuantile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) // Reproducible on purpose.
	for name, draw := range map[string]func() time.Duration{
		"small":       func() time.Duration { return time.Duration(random.IntN(100)) },
		"equal":       func() time.Duration { return time.Millisecond },
		"uniform":     func() time.Duration { return time.Duration(random.Int64N(int64(time.Second))) },
		"exponential": func() time.Duration { return time.Duration(random.ExpFloat64() * 1e6) },
		"everything":  func() time.Duration { return time.Duration(random.Int64() >> random.IntN(63)) },
	} {
		var h load.Histogram
		sample := make([]time.Duration, 5000)
		for i := range sample {
			sample[i] = draw()
			h.Add(sample[i])
		}
		slices.Sort(sample)
		if h.Count() != uint64(len(sample)) || h.Max() != sample[len(sample)-1] {
			t.Errorf("%s: %d up to %v, want %d up to %v", name, h.Count(), h.Max(), len(sample), sample[len(sample)-1])
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
			exact := sample[max(int(q*float64(len(sample))+0.5), 1)-1]
			got := h.Quantile(q)
			if got < exact || float64(got) > float64(exact)*1.04+1 {
				t.Errorf("%s: quantile %v is %v, sorting says %v", name, q, got, exact)
			}
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Error("nothing has a quantile")
	}
	h.Add(-time.Second)
	if h.Quantile(1) != 0 || h.Count() != 1 {
		t.Error("a negative duration is not none")
	}
	h.Add(math.MaxInt64)
	if h.Quantile(1) != math.MaxInt64 {
		t.Errorf("the longest duration is %v", h.Quantile(1))
	}
}

func TestHistogramConcurrent(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				h.Add(time.Duration(g*1000 + i))
			}
		})
	}
	wg.Wait()
	if h.Count() != 8000 || h.Max() != 7999 {
		t.Errorf("%d up to %v", h.Count(), h.Max())
	}
}
