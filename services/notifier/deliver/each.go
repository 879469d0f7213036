package deliver

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// each calls do for the numbers below n, some at a time, and returns the first error
// after all have returned: one person's trouble does not keep the others waiting.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var g errgroup.Group
	g.SetLimit(peopleAtOnce)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
