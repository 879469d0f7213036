package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

const (
	// startTime bounds the start of a server, stopTime its stop; after that it is killed.
	startTime = 30 * time.Second
	stopTime  = 15 * time.Second
	// askEvery is how often a starting server is asked whether it is ready.
	askEvery = 20 * time.Millisecond
)

// child is a process that serves, with a directory that goes with it.
type child struct {
	cmd    *exec.Cmd
	dir    string
	exited chan struct{}
	err    error // of the process; read it after exited
}

// start starts the program. The directory is removed when it cannot, and by Stop.
func start(ctx context.Context, program, args, env []string, dir string, progress io.Writer) (*child, error) {
	c := &child{dir: dir, exited: make(chan struct{})}
	// Not killed with ctx: Stop lets it end in its own way.
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), program[0], append(slices.Clip(program[1:]), args...)...)
	c.cmd.Env = append(environment(os.Environ()), env...)
	c.cmd.Stdout, c.cmd.Stderr = io.Discard, progress
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a server: %w", err), os.RemoveAll(dir))
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// wait waits until the server is ready, ends or takes too long.
func (c *child) wait(ctx context.Context, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if ready(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.exited:
			return fmt.Errorf("the server ended before it was ready: %w", c.err)
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w", ctx.Err())
		}
	}
}

// PID is the server's process.
func (c *child) PID() int { return c.cmd.Process.Pid }

// Stop ends the server, by force if it does not listen, and removes its directory.
func (c *child) Stop() error {
	var errs []error
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		errs = append(errs, c.cmd.Process.Kill()) // a system without signals
	}
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		errs = append(errs, fmt.Errorf("the server did not stop within %v and was killed", stopTime), c.cmd.Process.Kill())
		<-c.exited
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
