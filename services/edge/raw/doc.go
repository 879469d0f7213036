// Package raw is the sink that takes plain HTTP/1.1 sockets over, on Linux.
//
// After the handler has run all middleware, the socket is put out of the runtime's
// poller and given to a shard: one of a few goroutines that write without blocking,
// and read what the clients of WebSockets say. A connection costs its record and no
// goroutine, no timer and no queue. One epoll set tells when a socket can take more,
// has something to say, or is gone.
//
// A shard is in each topic once for all of its connections there (a room). What
// comes in one turn leaves in one write per connection. A connection whose socket is
// full keeps the rest of what it broke off in, and reads the tail on from its cursor
// when there is room again.
//
// # Concurrency
//
// A shard is one goroutine that owns its connections and its rooms; everyone else
// speaks to it through its inbox, in order. While a connection reads the stream, its
// connection.Conn belongs to the goroutine of that read; the commands of a WebSocket
// run one after the other, each in a goroutine of its own. Sink.Run waits for the
// shards, the poller, the reads and the commands.
//
// Look shows the connections of each shard from its goroutine, some in each turn; of
// those that read the stream it shows where they were before.
package raw
