package protocol

import (
	"bytes"
	"errors"
	"fmt"
)

// Transport is how events reach a client.
type Transport string

// The transports.
const (
	SSE       Transport = "sse"
	WebSocket Transport = "ws"
)

var (
	// ErrBroken says that the server sent what its protocol does not allow.
	ErrBroken = errors.New("the server broke the protocol")
	// ErrRefused says that the server answered with something else than a stream.
	ErrRefused = errors.New("the server refused")
	// ErrClosed says that the server sent a close frame, by itself or as the answer
	// to ours.
	ErrClosed = errors.New("the server closed")
)

// ParseTransport checks the name of a transport.
func ParseTransport(s string) (Transport, error) {
	if t := Transport(s); t == SSE || t == WebSocket {
		return t, nil
	}
	return "", fmt.Errorf("there is no transport %q: choose %s or %s", s, SSE, WebSocket)
}

// Request is what opens a stream.
type Request struct {
	// Host is the server's host:port.
	Host string
	// Query is the query but for the cursor, such as topics=user,room.ops.
	Query string
	// Token is the bearer token, empty for none.
	Token string
	// Cursor is where to resume, empty for a first visit.
	Cursor string
}

// head is the request's bytes; key is the WebSocket's.
func (r Request) head(t Transport, key string) []byte {
	path, query := "/v1/events?", r.Query
	if t == WebSocket {
		path = "/v1/ws?"
		if r.Cursor != "" {
			query += "&cursor=" + r.Cursor // letters, digits and a hyphen
		}
	}
	b := []byte("GET " + path + query + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	if r.Token != "" {
		b = append(b, "Authorization: Bearer "+r.Token+"\r\n"...)
	}
	if t == WebSocket {
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n"...)
	} else {
		b = append(b, "Accept: text/event-stream\r\n"...)
		if r.Cursor != "" {
			b = append(b, "Last-Event-ID: "+r.Cursor+"\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// Head returns the bytes with which the request asks for a stream, for a client that
// wants to send them in its own way.
func (r Request) Head(t Transport) []byte {
	if t == WebSocket {
		return r.head(t, newKey())
	}
	return r.head(t, "")
}

// Control is a message of the server that is no event of a topic.
type Control int

// The controls that matter here, and None for everything else.
const (
	None Control = iota
	Hello
	Gap
	Bye
)

// ControlOf tells which control a message is, by searching: no data that the bench
// publishes holds these words.
func ControlOf(body []byte) Control {
	switch {
	case bytes.Contains(body, []byte("tidings.hello")):
		return Hello
	case bytes.Contains(body, []byte("tidings.gap")):
		return Gap
	case bytes.Contains(body, []byte("tidings.bye")):
		return Bye
	}
	return None
}
