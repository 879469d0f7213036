package testkit

import (
	"testing"
	"time"
)

// Patience is how long Eventually waits. It is long because a loaded machine is
// slow, and costs nothing when the condition comes true.
const Patience = 30 * time.Second

// Eventually waits until ok returns true and fails the test if it does not
// within Patience. what completes the sentence "timed out waiting for …".
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("timed out waiting for %s", what)
		case <-tick.C:
		}
	}
}
