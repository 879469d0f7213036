package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tidings/shared/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errDisk = errors.New("disk on fire")
	errNet  = errors.New("net is down")
)

// journal records what happened, in order.
type journal struct {
	mu   sync.Mutex
	done []string
}

func (j *journal) step(name string, err error) func(context.Context) error {
	return func(context.Context) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.done = append(j.done, name)
		return err
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.done, " ")
}

func TestStackOrderAndErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var j journal
	s := lifecycle.Stack{Log: slog.New(slog.NewTextHandler(&out, nil))}
	s.OnStop("a", j.step("a", nil))
	s.OnStop("b", j.step("b", errDisk))
	s.OnStop("c", func(context.Context) error { panic("boom") })
	s.OnStop("d", j.step("d", errNet))
	err := s.Stop(t.Context())
	if got := j.String(); got != "d b a" {
		t.Errorf("steps ran as %q", got)
	}
	if !errors.Is(err, errDisk) || !errors.Is(err, errNet) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"stop b: disk on fire", "stop c: panic: boom", "stop d: net is down"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q misses %q", err, want)
		}
	}
	if strings.Contains(out.String(), "step=a") || strings.Count(out.String(), "a stop step failed") != 3 {
		t.Errorf("the log must tell the failures and, at info, nothing else:\n%s", out.String())
	}
	if again := s.Stop(t.Context()); again != err {
		t.Errorf("the second Stop returned %v", again)
	}
	if got := j.String(); got != "d b a" {
		t.Errorf("a step ran twice: %q", got)
	}
}

// TestStackHalfBuilt is how a constructor uses a Stack: the third step fails, so
// the first two are undone and nothing else.
func TestStackHalfBuilt(t *testing.T) {
	t.Parallel()
	var j journal
	build := func() (err error) {
		var s lifecycle.Stack
		defer func() {
			if err != nil {
				err = errors.Join(err, s.Stop(t.Context()))
			}
		}()
		s.OnStop("log", j.step("log", nil))
		s.OnStop("store", j.step("store", nil))
		return errNet
	}
	if err := build(); !errors.Is(err, errNet) || j.String() != "store log" {
		t.Errorf("got %v, %q", err, j.String())
	}
}

func TestStackZeroAndLate(t *testing.T) {
	t.Parallel()
	var s lifecycle.Stack
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var j journal
	s.OnStop("late", j.step("late", errDisk))
	if j.String() != "late" {
		t.Error("a step registered after Stop must run at once")
	}
}

func TestStackConcurrentStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s lifecycle.Stack
		var j journal
		release := make(chan struct{})
		s.OnStop("first", j.step("first", errDisk))
		s.OnStop("slow", func(context.Context) error {
			// A step that appears during Stop belongs to it.
			s.OnStop("joined", j.step("joined", nil))
			<-release
			return nil
		})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := s.Stop(t.Context()); !errors.Is(err, errDisk) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a Stop that ran out of time returned %v", err)
		}
		close(release)
		wg.Wait()
		if j.String() != "joined first" {
			t.Errorf("steps ran as %q", j.String())
		}
	})
}

// TestStackEndedContext: the steps still run, to let go hard.
func TestStackEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var s lifecycle.Stack
	ran := false
	s.OnStop("hard", func(ctx context.Context) error { ran = true; return ctx.Err() })
	if err := s.Stop(ctx); !ran || !errors.Is(err, context.Canceled) {
		t.Errorf("ran %v, %v", ran, err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	until := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	wrapped := func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("read: %w", ctx.Err()) }
	cause := func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("told: %w", context.Cause(ctx)) }
	quiet := func(ctx context.Context) error { <-ctx.Done(); return nil }
	fails := func(err error) func(context.Context) error {
		return func(context.Context) error { return err }
	}
	failsAtEnd := func(ctx context.Context) error { <-ctx.Done(); return errors.Join(ctx.Err(), errNet) }

	tests := []struct {
		name  string
		end   bool // ctx ends as soon as every task waits
		tasks []func(context.Context) error
		want  string // "" for nil
	}{
		{name: "none"},
		{name: "told to end", end: true, tasks: []func(context.Context) error{until, wrapped, quiet, cause}},
		{name: "one fails", tasks: []func(context.Context) error{until, wrapped, fails(errDisk), cause}, want: "task2: disk on fire"},
		{name: "done early", end: true, tasks: []func(context.Context) error{fails(nil), until}},
		{name: "all done", tasks: []func(context.Context) error{fails(nil), fails(nil)}},
		{name: "fails at the end", end: true, tasks: []func(context.Context) error{until, failsAtEnd}, want: "task1: context canceled\nnet is down"},
		{name: "a cancelled call of its own", tasks: []func(context.Context) error{fails(context.Canceled), quiet}, want: "task0: context canceled"},
		{name: "EOF", tasks: []func(context.Context) error{fails(io.EOF), until}, want: "task0: EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var tasks []lifecycle.Task
				for i, f := range tt.tasks {
					tasks = append(tasks, lifecycle.Task{Name: fmt.Sprint("task", i), Run: f})
				}
				if tt.end {
					time.AfterFunc(time.Second, cancel)
				}
				err := lifecycle.Run(ctx, tasks...)
				if got := text(err); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRunWaits: Run returns after the slowest task, also when another failed.
func TestRunWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := lifecycle.Run(
			t.Context(),
			lifecycle.Task{Name: "bad", Run: func(context.Context) error { return errDisk }},
			lifecycle.Task{Name: "slow", Run: func(ctx context.Context) error {
				<-ctx.Done()
				<-time.After(time.Minute)
				return errNet
			}},
		)
		if !errors.Is(err, errDisk) || errors.Is(err, errNet) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// TestRunDeadline: a context that timed out is an end like any other.
func TestRunDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := lifecycle.Run(ctx, lifecycle.Task{Name: "a", Run: func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("read: %w", ctx.Err())
		}})
		if err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// TestRunPanic: the others end in order, then the panic goes on.
func TestRunPanic(t *testing.T) {
	t.Parallel()
	ended := false
	defer func() {
		v := recover()
		if err, ok := v.(error); !ok || !strings.Contains(err.Error(), "bad: panic: boom") || !ended {
			t.Errorf("got %v, ended %v", v, ended)
		}
	}()
	_ = lifecycle.Run(
		t.Context(),
		lifecycle.Task{Name: "good", Run: func(ctx context.Context) error { <-ctx.Done(); ended = true; return nil }},
		lifecycle.Task{Name: "bad", Run: func(context.Context) error { panic("boom") }},
	)
	t.Error("Run must not return")
}
