// Package load is the bench's crowd: a Fleet of subscribers, each with a connection
// of its own to a Tidings server, and a Publisher that sends them events. It counts
// exactly. Every event carries a Stamp, every subscriber keeps one bit for each
// event, and so an event that is lost, doubled, out of order or somebody else's is
// known to have been so. Nothing is sampled.
//
// How bytes become messages is for package protocol. What a message means for the
// books is in subscriber.go and the same for all transports.
//
// # Concurrency
//
// The methods of a Fleet are called by one goroutine, the scenario's. Each open
// connection has one goroutine that reads it and owns the subscriber's books; Close
// and Drop wait for it, and between a Drop and the next Open the books rest. What
// readers share, the Tally of the round, is made of atomic counters. A Publisher
// belongs to one goroutine.
package load
