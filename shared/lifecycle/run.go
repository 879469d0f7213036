package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// Task is something that runs for as long as the process does.
type Task struct {
	// Name says who failed.
	Name string
	// Run works until ctx ends and then returns. Returning ctx's error, or nil, is
	// the normal end. Returning nil earlier means that the work is done; the other
	// tasks go on.
	Run func(ctx context.Context) error
}

// Run runs all tasks at once. The first error, or the end of ctx, ends the
// context of the others; Run waits for all of them. It returns the first error
// that is more than an echo of that end, with the name of its task, and nil when
// everything ended because it was told to.
//
// A panic in a task ends the others like an error and then continues in the
// goroutine that called Run, so that a bug stays loud but streams were closed.
func Run(ctx context.Context, tasks ...Task) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &runner{cancel: cancel}
	var wg sync.WaitGroup
	for _, t := range tasks {
		wg.Go(func() { r.one(ctx, t) })
	}
	wg.Wait()
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.err
}

// runner collects the outcome of the tasks.
type runner struct {
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	err      error // the first real error
	panicked error // the first panic, with its stack
}

// one runs a single task to its end.
func (r *runner) one(ctx context.Context, t Task) {
	defer func() {
		if v := recover(); v != nil {
			r.panic(fmt.Errorf("%s: panic: %v\n%s", t.Name, v, debug.Stack()))
		}
	}()
	err := t.Run(ctx)
	if err == nil || ctx.Err() != nil && echoes(ctx, err) {
		return
	}
	r.fail(fmt.Errorf("%s: %w", t.Name, err))
}

// fail records the first error and ends the other tasks.
func (r *runner) fail(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

// panic records the first panic and ends the other tasks.
func (r *runner) panic(err error) {
	r.mu.Lock()
	if r.panicked == nil {
		r.panicked = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

// echoes reports whether err says nothing but that ctx has ended. A joined error
// echoes only if all its parts do: errors.Is would let one cancelled call hide a
// real failure that was joined to it.
func echoes(ctx context.Context, err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !echoes(ctx, part) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil && any(inner) != any(context.Cause(ctx)) {
			return echoes(ctx, inner)
		}
	}
	return errors.Is(err, ctx.Err()) || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))
}
