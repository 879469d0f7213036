// Package line is a client's connection to a Tidings server: opened with a request
// for a stream, read until it ends, cut or left in good manners, and stalled in
// between if that is wanted. What the messages mean is its owner's business.
//
// # Concurrency
//
// Each Line has one goroutine, which reads the connection and calls the owner. Close
// and Leave wait for it, so what the owner keeps needs no lock as long as it is
// looked at before Open and after one of them. Stall, Release, Close and Leave belong
// to one goroutine, that which opened the line.
package line
