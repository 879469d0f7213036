package floor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"tidings/scripts/bench/floor"
)

// childWord makes the test binary the draining child.
const childWord = "drain"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == childWord {
		conns, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = floor.Drain(context.Background(), os.Args[2], conns)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func open(t *testing.T, conns int) *floor.Floor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := floor.Open(t.Context(), []string{self, childWord}, conns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	f := open(t, 8)
	const rounds = 4000 // worth some ticks, in which the kernel counts the time
	for _, batch := range []int{1, 8} {
		cost, err := f.Measure(t.Context(), floor.Work{Frame: 300, Batch: batch, Every: time.Microsecond, Rounds: rounds})
		if err != nil {
			t.Fatal(err)
		}
		if want := 8 * rounds * batch; cost.Frames != want || cost.CPU <= 0 {
			t.Errorf("batch %d: %+v, want %d frames and some time", batch, cost, want)
		}
	}
}

func TestMeasureEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := open(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Measure(ctx, floor.Work{Frame: 1, Batch: 1, Rounds: 1 << 30}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOpenWithoutProgram(t *testing.T) {
	t.Parallel()
	if _, err := floor.Open(t.Context(), []string{t.TempDir() + "/nothing"}, 1); err == nil {
		t.Error("a program that is not there drains")
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	sum := floor.Cost{Frames: 100, CPU: time.Millisecond}.Add(floor.Cost{Frames: 300, CPU: 3 * time.Millisecond})
	if sum.PerFrame() != 10*time.Microsecond {
		t.Errorf("per frame: %v", sum.PerFrame())
	}
	if (floor.Cost{}).PerFrame() != 0 {
		t.Error("nothing costs something")
	}
}
