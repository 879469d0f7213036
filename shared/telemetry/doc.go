// Package telemetry is what a process says about itself: its log, its health,
// and what it must never say.
//
// NewLogger makes the one slog.Logger that main injects into everything else.
// Secret is a string that hides itself from logs, fmt and JSON, so that a
// forgotten field in a struct cannot leak a key. Health collects named checks
// and answers the two questions of a load balancer: alive, and ready? Tally is a
// counter for Prometheus and for whoever else asks.
//
// # Concurrency
//
// Everything here is safe for concurrent use. Health runs the checks of one
// Check at the same time, each in a goroutine of its own that ends with its
// check or, when the check honours its context, after CheckTimeout. A check that
// is still running is joined and never started twice, so a stuck dependency
// costs one goroutine for each check, however often the probe comes back.
package telemetry
