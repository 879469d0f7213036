// Package floor measures what the kernel alone charges for delivering bytes: one
// write(2) of one frame to one loopback socket, in a loop with nothing around it. No
// server that writes to sockets can be cheaper, so the bench states the cost of a
// delivery as a multiple of it. The multiple means something on any machine, while
// microseconds mean something on one.
//
// The sockets are drained by a child process in the way the bench's own subscribers
// read, so that waking the reader costs the writer the same in both cases. Only the
// writing thread's time counts.
//
// # Concurrency
//
// A Floor belongs to one goroutine. Drain reads each of its sockets in a goroutine
// and returns when all have ended.
package floor
