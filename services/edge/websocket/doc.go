// Package websocket is the server side of RFC 6455 as functions on bytes: it owns
// no socket and starts no goroutine. Whoever has the socket — an event loop told by
// epoll, or an ordinary goroutine — gives a Reader what it read and writes what the
// Append functions made.
//
//	shake, err := websocket.Accept(r, true)        // checks the request
//	head := shake.AppendHead(nil, w.Header())      // what to write after hijacking
//	err = reader.Feed(bytes, limits, onMessage)    // as often as bytes arrive
//	frame := websocket.AppendText(nil, event)      // the same bytes for everyone
//
// # Strictness
//
// A client that breaks the protocol is not guessed at: Feed answers a *CloseError
// with the close code that the RFC wants, and the connection is over. Text is
// checked as it arrives, so bad UTF-8 ends a message that is still incomplete.
//
// # Memory
//
// A Reader is 24 bytes while it waits. A frame that arrives whole is unmasked where
// it lies and handed on from there; only a message that arrives in pieces is
// gathered, in a buffer that comes from a pool, grows with what has arrived — never
// with what was announced — and goes back to the pool with the message's last byte.
//
// # Compression
//
// permessage-deflate (RFC 7692) is agreed without context takeover in either
// direction: no window is kept between messages, so a compressed event is the same
// bytes for every subscriber and an idle connection holds no compressor. What
// inflates beyond the limit of a message ends the connection before it is held.
//
// # Concurrency
//
// A Reader is used from one goroutine at a time. Everything else may be called from
// any.
package websocket
