package testkit

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests and fails if goroutines are left running afterwards. Those
// of an embedded NATS server that has been shut down and take a while to notice are
// not ours.
func Main(m *testing.M) {
	const server = "github.com/nats-io/nats-server/v2/server"
	goleak.VerifyTestMain(
		m,
		goleak.IgnoreAnyFunction(server+".(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction(server+".(*stream).trySetupSourceConsumer.func3"),
		goleak.IgnoreAnyFunction(server+"/ats.Register.func1"),
	)
}
