// Package stream is the log: the one ordered, durable sequence of events that
// everything in Tidings is a view of.
//
// It has four verbs. Append stores an event and returns when the store has it.
// Follow hands over every entry from a position on. Range reads a bounded page
// of one topic or pattern. Epoch says which incarnation of the log this is and
// what it holds. There are two homes behind one conformance suite
// (stream/streamtest): NATS for real and Memory for tests that need no server.
//
// # Order and gaps
//
// Follow delivers entries in stream order, each exactly once, contiguous in the
// consumer's own numbering: what Follow skips was deleted by the store's limits.
// Sequence numbers therefore have legal holes. A position is only meaningful
// within an epoch; when the log is recreated, or its last sequence runs
// backwards, Follow reports the new epoch before any entry of it.
//
// # Feeds
//
// What is stored in the streams of people's inboxes (Feeds) comes into the log by itself,
// as events of each person's topic, some tenths of a millisecond later. NATS does that,
// in the order of each feed, and goes on where it was after a restart. A new log gets all
// that its feeds hold.
//
// # Concurrency
//
// A Log is safe for concurrent use. Follow calls its Handler from one goroutine,
// never concurrently with itself, and returns after the last call has ended.
package stream
