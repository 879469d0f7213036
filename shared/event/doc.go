// Package event is what Tidings delivers: the event, its position in the log and
// its encodings.
//
// An event is a NATS message. The payload is the body; attributes travel as
// headers in the CloudEvents NATS binding (ce-type, ce-id, ce-source, ce-time,
// Content-Type). None is required: a bare payload is an event of type "message".
// Towards browsers the same event is one JSON object,
//
//	{"topic":"room.ops","type":"cpu","id":"…","source":"…","time":"…","data":{…}}
//
// and, over Server-Sent Events, one block of three lines around it.
//
// An Event is immutable once made: its Data and its encoded forms are shared by
// every subscriber and must never be written to. All functions are pure and safe
// for concurrent use.
package event
