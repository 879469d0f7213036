package floor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"tidings/scripts/bench/wire"
)

// Drain connects conns times to addr and throws away what comes until the other
// side closes. It is what the child process of a Floor does.
func Drain(ctx context.Context, addr string, conns int) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	pump := wire.NewPump()
	for i := range conns {
		c, err := wire.Dialer{}.Dial(ctx, addr)
		if err != nil {
			return fmt.Errorf("drain %d of %d: %w", i+1, conns, err)
		}
		wg.Go(func() {
			err := pump.Run(c, func([]byte) error { return nil })
			_ = c.Close() // nothing is lost with it
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = fmt.Errorf("drain: %w", err)
			}
		})
	}
	wg.Wait()
	return first
}
