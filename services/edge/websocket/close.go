package websocket

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// The close codes of RFC 6455, section 7.4, and of its registry at IANA. 4000 to
// 4999 are free for an application's own.
const (
	// CloseNormal: the work is done.
	CloseNormal uint16 = 1000
	// CloseGoingAway: the server stops, or the page was left.
	CloseGoingAway uint16 = 1001
	// CloseProtocol: the other side broke the protocol.
	CloseProtocol uint16 = 1002
	// CloseUnsupported: a kind of message that is not taken, such as binary.
	CloseUnsupported uint16 = 1003
	// CloseNoStatus is what a close frame without a code means; never sent.
	CloseNoStatus uint16 = 1005
	// CloseInvalid: the message is not what it says: not UTF-8, not deflate.
	CloseInvalid uint16 = 1007
	// ClosePolicy: the message is not allowed.
	ClosePolicy uint16 = 1008
	// CloseTooBig: the message is over a limit.
	CloseTooBig uint16 = 1009
	// CloseInternal: the server failed.
	CloseInternal uint16 = 1011
	// CloseTryLater: the server is overloaded; come back.
	CloseTryLater uint16 = 1013
)

// CloseError says that a client broke a rule, and with which close frame the
// connection should end: AppendClose(dst, e.Code, e.Reason).
type CloseError struct {
	// Code is CloseProtocol, CloseUnsupported, CloseInvalid or CloseTooBig.
	Code uint16
	// Reason is a short sentence for the developer of the client. It holds nothing
	// that the client sent.
	Reason string
}

// Error is the code and the reason, for logs.
func (e *CloseError) Error() string {
	return "websocket: " + strconv.Itoa(int(e.Code)) + " " + e.Reason
}

func violation(reason string) error { return &CloseError{Code: CloseProtocol, Reason: reason} }
func tooBig(reason string) error    { return &CloseError{Code: CloseTooBig, Reason: reason} }
func invalid(reason string) error   { return &CloseError{Code: CloseInvalid, Reason: reason} }

// validCode says whether a code may be on the wire: those that are defined, less the
// three that only ever describe a frame that did not come, and the free ranges.
func validCode(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1014:
		return code < 1004 || code > 1006
	default:
		return code >= 3000 && code <= 4999
	}
}

// parseClose reads the payload of a close frame into a message.
func parseClose(payload []byte) (Message, error) {
	switch len(payload) {
	case 0:
		return Message{Opcode: Close, Code: CloseNoStatus}, nil
	case 1:
		return Message{}, violation("a close frame needs two bytes for its code")
	}
	code, reason := binary.BigEndian.Uint16(payload), payload[2:]
	if !validCode(code) {
		return Message{}, violation("the close code may not be sent")
	}
	if !utf8.Valid(reason) {
		return Message{}, invalid("the reason of the close frame is not UTF-8")
	}
	return Message{Opcode: Close, Payload: reason, Code: code}, nil
}
