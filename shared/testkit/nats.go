package testkit

import (
	"log/slog"
	"testing"
	"time"

	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// NATS starts an embedded server on a fresh directory, listening on a free
// loopback port, and returns a connection to it.
func NATS(t testing.TB) *natsx.Conn {
	t.Helper()
	c, err := natsx.Open(t.Context(), natsx.Config{Name: "test", Dir: t.TempDir(), Listen: "127.0.0.1:0"}, Log(t))
	if err != nil {
		t.Fatalf("embedded NATS: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Connect connects to a server that runs already, as a process of its own would.
func Connect(t testing.TB, url string) *natsx.Conn {
	t.Helper()
	c, err := natsx.Open(t.Context(), natsx.Config{URL: url}, Log(t))
	if err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Space returns the default space.
func Space(t testing.TB) subject.Space {
	t.Helper()
	s, err := subject.NewSpace(subject.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Limits are ample for tests.
func Limits() stream.Limits {
	return stream.Limits{Age: 24 * time.Hour, PerTopic: 1000, Bytes: 1 << 30, Replicas: 1}
}

// EventLog returns the log in a fresh embedded server.
func EventLog(t testing.TB, limits stream.Limits) (*stream.NATS, *natsx.Conn) {
	t.Helper()
	c := NATS(t)
	l, err := stream.OpenNATS(t.Context(), c, Space(t), limits, Log(t))
	if err != nil {
		t.Fatalf("open the log: %v", err)
	}
	return l, c
}

// Log returns a logger that writes to the test's output.
func Log(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
