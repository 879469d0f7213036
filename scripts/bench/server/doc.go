// Package server is the bench's hand on a Tidings server: it starts one in a process
// of its own and stops it, and a NATS server likewise, and it reads the admin listener of
// any.
//
// # Concurrency
//
// A Server and a NATS have one goroutine each, which waits for the process and ends with it; Stop
// waits for both. An Admin may be used by any number of goroutines.
package server
