package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

const (
	// Protocol is the subprotocol of Tidings: one JSON object a message.
	Protocol = "tidings.v1"
	// version is the only version of the protocol that was ever finished.
	version = "13"
	// keySize is the size of a client's nonce in bytes (RFC 6455, section 4.1).
	keySize = 16
	// acceptGUID is what proves that a server knows WebSocket (section 1.3).
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// The headers of the handshake, in the form in which net/http keeps them.
const (
	headerAccept     = "Sec-Websocket-Accept"
	headerExtensions = "Sec-Websocket-Extensions"
	headerKey        = "Sec-Websocket-Key"
	headerProtocol   = "Sec-Websocket-Protocol"
	headerVersion    = "Sec-Websocket-Version"
)

// Handshake is what was agreed with a client whose request was accepted.
type Handshake struct {
	// Protocol is the subprotocol, Protocol or "" if the client named none that is
	// ours; a browser that named some then hangs up by itself.
	Protocol string
	// Deflate says that messages may be compressed, in both directions.
	Deflate bool

	extension string // the answer to the offers
	accept    string
}

// Accept checks a request to become a WebSocket. deflate says that compression is
// wanted if the client offers it. The error is a *HandshakeError. Who may connect,
// and from which origin, is not asked here.
func Accept(r *http.Request, deflate bool) (Handshake, error) {
	if err := checkRequest(r); err != nil {
		return Handshake{}, err
	}
	key, err := clientKey(r.Header)
	if err != nil {
		return Handshake{}, err
	}
	h := Handshake{accept: acceptKey(key)}
	offered, ok := protocols(r.Header)
	if !ok {
		return Handshake{}, refuse(http.StatusBadRequest, CodeBadProtocol,
			"Sec-WebSocket-Protocol is not a list of different names.")
	}
	if slices.Contains(offered, Protocol) {
		h.Protocol = Protocol
	}
	offers, ok := parseOffers(r.Header.Values(headerExtensions))
	if !ok {
		return Handshake{}, refuse(http.StatusBadRequest, CodeBadExtensions,
			"Sec-WebSocket-Extensions can't be read.")
	}
	if deflate {
		h.extension = negotiate(offers)
		h.Deflate = h.extension != ""
	}
	return h, nil
}

// Header returns the headers of the answer, whose status is 101.
func (h Handshake) Header() http.Header {
	out := http.Header{
		"Upgrade":    {"websocket"},
		"Connection": {"Upgrade"},
		headerAccept: {h.accept},
	}
	if h.Protocol != "" {
		out.Set(headerProtocol, h.Protocol)
	}
	if h.extension != "" {
		out.Set(headerExtensions, h.extension)
	}
	return out
}

// AppendHead appends the whole head of the answer, to be written to the hijacked
// connection before the first frame. extra are other headers to send, such as the
// request's id; those of the handshake win, and what describes a body is left out.
func (h Handshake) AppendHead(dst []byte, extra http.Header) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\n"...)
	own := h.Header()
	dst = appendFields(dst, own, nil)
	dst = appendFields(dst, extra, func(name string) bool {
		switch name {
		case "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Trailer":
			return true
		}
		return own[name] != nil || strings.HasPrefix(name, "Sec-Websocket-")
	})
	return append(dst, "\r\n"...)
}

// appendFields appends header fields in the order of their names, except those that
// skip, which may be nil, knows.
func appendFields(dst []byte, fields http.Header, skip func(name string) bool) []byte {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	// A line break in a value would begin a header of its choice.
	clean := strings.NewReplacer("\r", " ", "\n", " ")
	for _, name := range names {
		canonical := http.CanonicalHeaderKey(name)
		if skip != nil && skip(canonical) || !isToken(name) {
			continue
		}
		for _, value := range fields[name] {
			dst = append(dst, canonical...)
			dst = append(dst, ": "...)
			dst = append(dst, clean.Replace(value)...)
			dst = append(dst, "\r\n"...)
		}
	}
	return dst
}

// checkRequest checks everything about a request that is the same for every client.
func checkRequest(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		e := refuse(http.StatusMethodNotAllowed, CodeBadMethod, "A WebSocket is opened with GET.")
		e.Header.Set("Allow", http.MethodGet)
		return e
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refuse(http.StatusHTTPVersionNotSupported, CodeBadHTTP, "A WebSocket is opened over HTTP/1.1.")
	case r.Host == "":
		return refuse(http.StatusBadRequest, CodeBadHandshake, "The Host header is missing.")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		// Its bytes would be taken for frames.
		return refuse(http.StatusBadRequest, CodeBadHandshake, "The request has a body.")
	case !hasToken(r.Header.Values("Upgrade"), "websocket") || !hasToken(r.Header.Values("Connection"), "upgrade"):
		return upgradeRequired(CodeNoUpgrade, "This address is a WebSocket: Upgrade and Connection must ask for one.")
	}
	if v := r.Header.Values(headerVersion); len(v) != 1 || strings.TrimSpace(v[0]) != version {
		return upgradeRequired(CodeBadVersion, "Sec-WebSocket-Version must be 13.")
	}
	return nil
}

// clientKey returns the one nonce of a request.
func clientKey(h http.Header) (string, error) {
	values := h.Values(headerKey)
	if len(values) == 1 {
		key := strings.TrimSpace(values[0])
		if b, err := base64.StdEncoding.Strict().DecodeString(key); err == nil && len(b) == keySize {
			return key, nil
		}
	}
	return "", refuse(http.StatusBadRequest, CodeBadKey, "Sec-WebSocket-Key must be 16 bytes in base64, once.")
}

// acceptKey answers a nonce. SHA-1 is the RFC's choice and secures nothing.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// protocols returns the subprotocols a client offers. It is not ok if one is no name
// or is there twice (RFC 6455, section 4.1).
func protocols(h http.Header) (names []string, ok bool) {
	for _, value := range h.Values(headerProtocol) {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.Trim(name, " \t")
			if name == "" { // a list may have empty elements
				continue
			}
			if !isToken(name) || slices.Contains(names, name) || len(names) == maxOffers {
				return nil, false
			}
			names = append(names, name)
		}
	}
	return names, true
}

// hasToken says whether a header that is a list names a token, in any case.
func hasToken(values []string, token string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}
