package connection

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	// settleEvery is how often Settle looks, and calm what it takes for quiet: so few
	// connections came and went since.
	settleEvery, calm = time.Second, 20
	// wave is how many connections must have come or gone for their garbage to be worth
	// a collection.
	wave = 1000
)

// Settle gives the memory back to the system that a wave of connections took, once it
// has passed, until ctx ends. What their requests and tokens leave behind is several
// times what the connections themselves keep; the runtime would hold on to it until
// so much is allocated again, which idle streams never do. Measured with "tidings
// bench idle": 1.4 KB in place of 2.9 KB for each of 9,900.
func (h *Host) Settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	last, settled := h.conns.moved(), h.conns.moved()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := h.conns.moved()
		if now-last <= calm && now-settled >= wave {
			debug.FreeOSMemory()
			settled = now
		}
		last = now
	}
}
