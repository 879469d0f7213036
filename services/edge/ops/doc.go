// Package ops answers what operators ask an edge: which connections there are, which
// topics, and that some of the former end. It is asked over the mesh by the console,
// and by the control subject on which revocations come.
//
// Nothing here is counted or kept for operators alone: connections are shown by their
// owners when somebody asks, a thousand at a time, so that deliveries go on in between,
// and topics by the tail. An answer is a page of bounded size.
//
// All of it is safe for concurrent use and starts no goroutine.
package ops
