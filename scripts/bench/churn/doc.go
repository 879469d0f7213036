// Package churn is the bench's restless crowd: a steady number of subscribers of whom
// somebody is always coming, going, cut off, stalled or back again, among clients
// that never read and strangers whom the server must refuse. Meanwhile events are
// published at a steady pace.
//
// The books are exact although nobody stays. The Ledger numbers the events and knows
// their sequences in the log. A visitor's first greeting says behind which sequence
// it began, its last cursor up to which one it was served, and so which events it
// had to get is known: neither more nor less, each once, in order, over all its
// connections. What it was sent after its last cursor it has not seen, and a visitor
// that stays to the end must have the last event.
//
// # Concurrency
//
// Run is called by one goroutine and starts one for each seat of the crowd, for each
// client that does not read, for the strangers and for the publisher; it ends when
// all of them have. A seat owns its visitor and, while no line is open, the visitor's
// books; while one is, its line's goroutine does. The Ledger is written by the
// publisher alone and read when it has ended. Deeds are counted with atomics, and the
// list of those who left has a lock.
package churn
