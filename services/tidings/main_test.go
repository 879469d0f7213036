package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
)

// built are the programs that the tests run, made once by TestMain.
var built struct {
	tidings string // with the race detector if the tests have it
	plain   string // never with it: for figures
	nats    string // the NATS server of the module in go.mod
}

// TestMain builds the programs. The NATS server is the module's own main package,
// so that an external server is a real separate process of the version we are
// built against, and Go alone is needed.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tidings-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// raced reports whether this test was built with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// build makes the programs in dir, at the same time.
func build(dir string) error {
	built.plain = filepath.Join(dir, "tidings")
	built.tidings = built.plain
	built.nats = filepath.Join(dir, "nats-server")
	jobs := [][]string{
		{"build", "-o", built.plain, "."},
		{"build", "-o", built.nats, "github.com/nats-io/nats-server/v2"},
	}
	if raced() {
		built.tidings = filepath.Join(dir, "tidings-race")
		jobs = append(jobs, []string{"build", "-race", "-o", built.tidings, "."})
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, args := range jobs {
		wg.Go(func() {
			if out, err := exec.CommandContext(context.Background(), "go", args...).CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("go %v: %w\n%s", args, err, bytes.TrimSpace(out))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
