// Package tail is an edge's memory of the log's recent past: the frames of the
// last few minutes, encoded once, shared by everyone, and indexed by topic.
//
// A connection is a cursor over it. A View reads, from any position that is still
// held, the frames of the connection's topics in stream order; nothing is copied
// or queued for a reader, so a slow one costs nothing. What is older than the
// tail must be read from the stream.
//
// The index has one Interest for every topic with frames or readers and for every
// wildcard pattern with readers. An event costs one lookup of its topic; the
// patterns that select the topic hang off it, found once when the topic appeared.
//
// # Concurrency
//
// One goroutine, the follower of the log, calls Reset, Append and Skip. Offer may
// be called from any, and hands over one frame after the other. Views may be used
// from any goroutine, each from one at a time. Frames are immutable. A
// reader that joins first and reads then cannot miss an event: Append makes the
// frame readable before it wakes anyone.
package tail
