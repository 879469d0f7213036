// Package connection is the life of a stream at an edge: where it begins in the
// log, what it sends next, and how that reaches the socket.
//
// A conn is a record — topics, cursor, checksum — that knows what comes next and
// not how it is written. It reads frames from the tail, or, when its cursor is
// older than the tail, pages of the stream, a few connections at a time. Two sinks
// write what it chooses:
//
//   - The raw sink takes plain HTTP/1.1 sockets over on Linux. A few shards write to
//     them without blocking; a connection costs its record and no goroutine.
//   - The ordinary sink keeps the handler's goroutine and works on every transport
//     net/http serves.
//
// Host is what the connections of one edge share, and the only way in.
//
// # Concurrency
//
// A conn belongs to one goroutine at a time: its handler's, then its shard's, and,
// while it reads the stream, that of the read. A shard is one goroutine that owns
// its connections and its rooms; everyone else speaks to it through its inbox, in
// order. Events leave a connection in stream order. Between connections nothing is
// ordered. Host.Run waits for the shards, the poller and the reads.
package connection
