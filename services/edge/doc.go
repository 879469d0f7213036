// Package edge streams the log to browsers.
//
// An edge follows the log once, keeps its recent past in memory (package tail)
// and lets every connection read it from the connection's own cursor. A
// connection is a small record — topics, cursor, socket — and never a queue: when
// its socket is full it simply falls behind, reads on from the tail when there is
// room again, and from the stream when the tail has moved on. Only what the
// stream itself has dropped is lost, and then the client is told with a
// tidings.gap.
//
// # What a client sees
//
//	tidings.hello  at once, before any event: who and where it is
//	events         in stream order, each with its cursor as id
//	tidings.live   the replay is over
//	tidings.gap    history that was asked for does not exist any more
//	tidings.away   the log cannot be reached; events will come late, not never
//	tidings.expiring, tidings.bye   the end, announced
//
// Every end has a code from one table (bye.go). A refusal that will pass answers
// 200 with retry and tidings.bye, because a native EventSource gives up for ever
// on any other status.
//
// # Concurrency
//
// Run owns the follower goroutine (the only writer of the tail), the canary and
// the ephemeral subscription. Each connection is owned by its handler's
// goroutine; others reach it through three channels that never block the sender:
// wake (there is something to read), ephemeral (dropped when full) and the
// request to end. Events leave a connection in stream order; control events are
// ordered with them. Between connections nothing is ordered.
package edge
