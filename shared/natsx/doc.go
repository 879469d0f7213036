// Package natsx is the one door to NATS: it connects to an external server or
// cluster, or runs a server inside this process, and hands out the same Conn for
// both. It is also the only package that imports the server.
//
// The embedded server keeps its streams in a directory and talks to this process
// through memory; it listens on a port only when asked to, so that other programs
// (the nats CLI, services in other languages) can join.
//
// Errors of NATS come in many shapes; Classify folds them into the four an
// operator can act on: the server is away, too old, read-only (credentials that
// may not write), or full.
//
// # Concurrency
//
// A Conn is safe for concurrent use. nats.go owns the goroutines of a
// connection and the server those of an embedded server; Close ends both and
// waits for the server.
package natsx
