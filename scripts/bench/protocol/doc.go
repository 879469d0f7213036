// Package protocol is the client's side of Tidings' streams, for the bench: it asks
// for a stream and cuts the bytes that come, in pieces of any size, into messages
// with the cursor each moves the client to. The transports differ in nothing else.
//
// It is no browser's parser. It takes what Tidings documents and treats everything
// else as a fault of the server, because a fault that a lenient reader passes over
// is one that a bench should have found.
package protocol
