// Package envelope turns what senders send into checked events.
//
// Parse reads the bodies of POST /v1/events: Tidings' own JSON, alone, in arrays or
// line by line, and CloudEvents 1.0 structured, batched or in HTTP headers. Its
// neighbours read what GitHub, Alertmanager and generic webhooks send. All are pure
// functions of bytes, headers and a time, so they are tested and fuzzed without a
// server.
//
// Nothing passes that could hurt a reader later: every event has a canonical topic,
// passed event.Check, and its JSON is valid and UTF-8 (a browser closes a WebSocket
// on text that is not). Data stays as its sender wrote it, byte for byte.
//
// A sender learns everything that is wrong at once. Faults lists each fault with
// the event's index and the field, under a code that programs can rely on.
//
// Every event with an id gets a key that makes storing it idempotent; key.go says
// how the keys of different senders are kept apart.
package envelope
