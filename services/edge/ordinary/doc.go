// Package ordinary is the sink that works on every transport net/http serves: TLS,
// HTTP/2, other systems than Linux. The handler's goroutine stays, waits, reads the
// tail and writes. It also serves the answers that end: long-polls and refusals.
//
// A WebSocket is taken over from net/http too, since that is how it is spoken, but
// keeps its handler's goroutine, and gets a second one that reads.
//
// # Concurrency
//
// A stream belongs to its handler's goroutine; others wake it, offer it ephemeral
// events, and hand it changes through channels. The reader of a WebSocket runs its
// commands one after the other and ends before its handler does. What the sink knows
// of all streams is guarded by its lock.
package ordinary
