package websocket

import (
	"net/http"

	"tidings/shared/httpx"
)

// Codes of the requests that Accept refuses. They are part of the HTTP API and never
// change.
const (
	// CodeBadMethod: the method is not GET.
	CodeBadMethod = "websocket_method"
	// CodeBadHTTP: the request came over HTTP/1.0 or HTTP/2.
	CodeBadHTTP = "websocket_http_version"
	// CodeNoUpgrade: the request does not ask to become a WebSocket.
	CodeNoUpgrade = "websocket_upgrade_required"
	// CodeBadVersion: another version of WebSocket than 13.
	CodeBadVersion = "websocket_version"
	// CodeBadKey: the key is missing, there twice, or no 16 bytes.
	CodeBadKey = "websocket_key"
	// CodeBadProtocol: the list of subprotocols can't be read.
	CodeBadProtocol = "websocket_protocol"
	// CodeBadExtensions: the list of extensions can't be read.
	CodeBadExtensions = "websocket_extensions"
	// CodeBadHandshake: the request has no Host, or a body.
	CodeBadHandshake = "websocket_handshake"
)

// HandshakeError is why a request does not become a WebSocket.
type HandshakeError struct {
	// Status is the HTTP status of the answer, 400 to 599.
	Status int
	// Code names the reason for programs.
	Code string
	// Detail is a sentence for the developer of the client.
	Detail string
	// Header has what the answer must carry beside the problem, such as
	// Sec-WebSocket-Version; it may be empty.
	Header http.Header
}

// Error is the code and the detail.
func (e *HandshakeError) Error() string { return "websocket: " + e.Code + ": " + e.Detail }

// Problem implements httpx.Problemer, so a handler may return the error once it has
// set Header.
func (e *HandshakeError) Problem() *httpx.Problem {
	return httpx.NewProblem(e.Status, e.Code, e.Detail).
		WithHint("Use a WebSocket client, such as new WebSocket(url) in a browser, over HTTP/1.1.")
}

func refuse(status int, code, detail string) *HandshakeError {
	return &HandshakeError{Status: status, Code: code, Detail: detail, Header: http.Header{}}
}

// upgradeRequired is a refusal that says what to upgrade to, as RFC 9110 wants it of
// a 426, and which version (RFC 6455, section 4.4).
func upgradeRequired(code, detail string) *HandshakeError {
	e := refuse(http.StatusUpgradeRequired, code, detail)
	e.Header.Set("Upgrade", "websocket")
	e.Header.Set("Connection", "Upgrade")
	e.Header.Set(headerVersion, version)
	return e
}
