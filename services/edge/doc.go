// Package edge streams the log to browsers.
//
// An edge follows the log once, keeps its recent past in memory (package tail)
// and lets every connection read it from the connection's own cursor (package
// connection). A connection is a small record — topics, cursor, socket — and never
// a queue: when its socket is full it simply falls behind, reads on from the tail
// when there is room again, and from the stream when the tail has moved on. Only
// what the stream itself has dropped is lost, and then the client is told with a
// tidings.gap.
//
// This package follows, drains and proves its readiness; it reads requests, carries
// out the commands of WebSockets, and passes changes of connections on to the edge
// that has them. It is a member of the mesh, where package ops answers what operators
// ask. What an edge says is package wire, how it is written package codec,
// and to what packages raw and ordinary. A refusal that will pass answers 200 with
// retry and tidings.bye, because a native EventSource gives up for ever on any other
// status.
//
// # Concurrency
//
// Run owns the follower's goroutine, the only one that writes to the tail, those of
// the canary, of the watch over the log's health, of the connections' host and of the
// sinks, the subscriptions to ephemeral events and to other edges' orders, a goroutine
// for each order, the membership of the mesh and the listener to revocations. It waits for all of them. Events leave a
// connection in stream order; between connections nothing is ordered.
package edge
