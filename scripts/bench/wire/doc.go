// Package wire holds the sockets of the bench. Thousands of them are read by one
// process that shares two cores with the server it measures, so reading must cost
// as little as it can: a connection owns no buffer, it borrows a large one only
// while it has something to read.
//
// # Concurrency
//
// A Pump serves any number of connections at once, each from a goroutine of the
// caller's. Closing the connection ends its Run.
package wire
