// Package connection is the life of a stream at an edge: who is admitted, where the
// stream begins in the log, and what it sends next.
//
// A Conn is a record — topics, cursor, checksum — that knows what comes next and not
// how it is written. It reads frames from the tail, or, when its cursor is older than
// the tail, pages of the stream, a few connections at a time. A Sink owns it and
// writes what it chooses; packages raw and ordinary are the two there are. Host is
// what the connections of one edge share: bounds, names, and the way to change one
// that lives.
//
// # Concurrency
//
// A Conn belongs to one goroutine at a time: its handler's, then its sink's, and,
// while it reads the stream, that of the read. A Change is handed to whoever owns the
// connection and answered exactly once. Events leave a connection in stream order;
// between connections nothing is ordered. Host and its registry may be used from any
// goroutine; Settle is one.
package connection
