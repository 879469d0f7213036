// Package streamtest is the conformance suite of stream.Log: every home of the
// log must pass it. A home brings a fresh log and the means to trouble it.
//
// # Concurrency
//
// The suite follows each log from goroutines of its own and waits for them before
// a test ends.
package streamtest
