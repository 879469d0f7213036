// Package wire is what an edge says besides events: the control events of a stream
// and the one table of reasons for its end. Clients rely on every name in it.
//
// All functions are pure and safe for concurrent use.
package wire
