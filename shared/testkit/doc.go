// Package testkit holds what tests of several packages need: a real NATS server
// in the test's own process and a way to wait for a condition. Only tests import it.
//
// # Concurrency
//
// Everything takes the test that uses it and is undone by that test's cleanup.
package testkit
