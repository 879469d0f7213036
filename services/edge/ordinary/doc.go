// Package ordinary is the sink that works on every transport net/http serves: TLS,
// HTTP/2, other systems than Linux. A goroutine for each stream waits, reads the tail
// and writes. It also serves the answers that end: long-polls and refusals.
//
// Over HTTP/1.1 the connection is taken over, TLS and all, which WebSockets need and
// which saves half of the memory; a second goroutine reads what the client says, or
// notices that it left. Over HTTP/2 the handler's goroutine stays.
//
// # Concurrency
//
// A stream belongs to one goroutine; others wake it, offer it ephemeral events, hand it
// changes and its end through channels, and look at it under its lock. The reader of a WebSocket runs its commands one
// after the other and ends before its stream's goroutine does. What the sink knows of
// all streams is guarded by its lock. Sink.Run waits for the connections that were
// taken over.
package ordinary
