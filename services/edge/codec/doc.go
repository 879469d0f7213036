// Package codec turns what a stream says into the bytes that its transport wants.
//
// A stream says events, control events and heartbeats, and there are three forms of
// saying them: blocks of Server-Sent Events, messages of a WebSocket, and the items
// of a long-poll's answer. The first comes with or without HTTP's chunks, and the
// first two compressed or not. A Codec is which of these a connection has, and what
// little state that takes: the checksum of a gzip stream. Those who decide what a
// connection gets never know.
//
// The bytes of an event are made once and shared; only control events, and events
// that were read from the stream for one connection, are encoded for it alone.
//
// A Codec belongs to one goroutine.
package codec
