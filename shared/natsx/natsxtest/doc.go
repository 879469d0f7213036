// Package natsxtest runs NATS servers for tests that need more than the embedded
// one of testkit: users with permissions, accounts with limits, a cluster. A
// server is described in NATS's own configuration language, so that a test says
// what an operator would write. Only tests import it.
//
// # Concurrency
//
// Servers run in goroutines of their own, which are waited for when the test
// ends. A Server and a Cluster are for one goroutine at a time.
package natsxtest
