package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// lateGrace bounds a step that is registered after Stop has finished: nobody
// waits with a deadline of theirs then, and the process is about to exit.
const lateGrace = 5 * time.Second

// Stack is what has to be undone, in order. The zero Stack is ready to use.
type Stack struct {
	// Log is told each step (debug) and each step that failed (warn). Stop returns
	// the failures too, but at the end of a process that is often too late to be
	// seen, so this package logs them and callers need not. May be nil. Set it
	// before the first call.
	Log *slog.Logger

	mu      sync.Mutex
	steps   []step
	stopped chan struct{} // nil until Stop begins; closed when it is done
	done    bool          // the steps have all been taken; later ones run at once
	err     error         // what Stop returns; set before stopped is closed
}

// step is one named thing to undo.
type step struct {
	name string
	fn   func(context.Context) error
}

// OnStop registers how to undo what was just done. While Stop is running the
// step joins it; after Stop has finished it is run at once and its error is only
// logged, so that a start that lost the race against a stop leaks nothing.
func (s *Stack) OnStop(name string, fn func(context.Context) error) {
	s.mu.Lock()
	if !s.done {
		s.steps = append(s.steps, step{name, fn})
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lateGrace)
	defer cancel()
	// The failure has been logged by undo and there is no caller to return it to.
	_ = s.undo(ctx, step{name, fn})
}

// Stop undoes the steps, last first, each once. A step that fails or panics does
// not keep the others from running, nor does the end of ctx: steps that see an
// ended context are expected to let go at once. The errors are joined, each with
// its step's name. A second Stop waits for the first and returns the same; if
// its own ctx ends before, it returns that error.
func (s *Stack) Stop(ctx context.Context) error {
	s.mu.Lock()
	if s.stopped != nil {
		s.mu.Unlock()
		select {
		case <-s.stopped:
			return s.err
		case <-ctx.Done():
			return fmt.Errorf("wait for stop: %w", ctx.Err())
		}
	}
	s.stopped = make(chan struct{})
	s.mu.Unlock()

	var errs []error
	for {
		p, ok := s.pop()
		if !ok {
			break
		}
		errs = append(errs, s.undo(ctx, p))
	}
	s.err = errors.Join(errs...)
	close(s.stopped)
	return s.err
}

// pop takes the last step, or marks the stack as done when there is none.
func (s *Stack) pop() (step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.steps) - 1
	if n < 0 {
		s.done = true
		return step{}, false
	}
	p := s.steps[n]
	s.steps = s.steps[:n]
	return p, true
}

// undo runs one step and tells the log about it.
func (s *Stack) undo(ctx context.Context, p step) (err error) {
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("stop %s: panic: %v\n%s", p.name, v, debug.Stack())
		}
		switch {
		case s.Log == nil:
		case err != nil:
			s.Log.WarnContext(ctx, "a stop step failed", "step", p.name, "took", time.Since(start), "err", err)
		default:
			s.Log.DebugContext(ctx, "stopped", "step", p.name, "took", time.Since(start))
		}
	}()
	if err := p.fn(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return nil
}
