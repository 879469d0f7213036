// Package websockettest is a small WebSocket client for tests. It sends what it is
// told, right or wrong, and is strict about what it receives: a server's frame that
// breaks RFC 6455 is an error and not a message. It shares no code with the server
// side it tests.
//
// # Concurrency
//
// A Conn starts no goroutine. One goroutine may read while another one writes.
package websockettest
