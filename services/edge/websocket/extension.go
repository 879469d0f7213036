package websocket

import (
	"slices"
	"strings"
)

// The names of RFC 7692.
const (
	deflateName     = "permessage-deflate"
	serverNoContext = "server_no_context_takeover"
	clientNoContext = "client_no_context_takeover"
	serverWindow    = "server_max_window_bits"
	clientWindow    = "client_max_window_bits"
)

const (
	// maxOffers is how many extensions or subprotocols a client may name, and how
	// many parameters an extension may have. Browsers name one.
	maxOffers = 16
	// widest is the window that our compressor uses, in bits; it has no other.
	widest = "15"
)

// offer is one extension that a client would like to use.
type offer struct {
	name   string
	params []param
}

// param is a parameter of an extension. valued tells x="" from x.
type param struct {
	name, value string
	valued      bool
}

// negotiate returns the answer to the first offer of permessage-deflate that we can
// keep to, "" if there is none. Both sides give up their context: the server may
// demand it of a client that did not mention it (RFC 7692, section 7.1.1).
func negotiate(offers []offer) string {
	for _, o := range offers {
		if !acceptable(o) {
			continue
		}
		answer := deflateName + "; " + serverNoContext + "; " + clientNoContext
		if slices.ContainsFunc(o.params, func(p param) bool { return p.name == serverWindow }) {
			answer += "; " + serverWindow + "=" + widest
		}
		return answer
	}
	return ""
}

// acceptable says whether an offer is permessage-deflate in a form that we know and
// can keep to. An offer that is not is passed over, never an error (section 7.1).
func acceptable(o offer) bool {
	if o.name != deflateName {
		return false
	}
	for i, p := range o.params {
		if slices.ContainsFunc(o.params[:i], func(q param) bool { return q.name == p.name }) {
			return false
		}
		switch p.name {
		case serverNoContext, clientNoContext:
			if p.valued {
				return false
			}
		case clientWindow:
			// We inflate with the widest window, so any that the client likes will do.
			if p.valued && !slices.Contains([]string{"8", "9", "10", "11", "12", "13", "14", "15"}, p.value) {
				return false
			}
		case serverWindow:
			// A narrower window would need a compressed twin of its own.
			if p.value != widest {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// parseOffers reads Sec-WebSocket-Extensions (RFC 6455, section 9.1):
//
//	list  = extension *( "," extension )   elements may be empty
//	extension = token *( ";" token [ "=" ( token | quoted token ) ] )
func parseOffers(values []string) (offers []offer, ok bool) {
	for _, value := range values {
		s := scanner{rest: value}
		for {
			s.space()
			if s.rest == "" {
				break
			}
			if s.take(',') {
				continue
			}
			o, ok := s.offer()
			if !ok || len(offers) == maxOffers {
				return nil, false
			}
			offers = append(offers, o)
			if s.rest != "" && !s.take(',') {
				return nil, false
			}
		}
	}
	return offers, true
}

// scanner reads a header from its beginning.
type scanner struct{ rest string }

// offer reads one extension and the space after it.
func (s *scanner) offer() (o offer, ok bool) {
	if o.name, ok = s.token(); !ok {
		return o, false
	}
	for s.space(); s.take(';'); s.space() {
		var p param
		s.space()
		if p.name, ok = s.token(); !ok || len(o.params) == maxOffers {
			return o, false
		}
		if s.space(); s.take('=') {
			s.space()
			if p.value, ok = s.value(); !ok {
				return o, false
			}
			p.valued = true
		}
		o.params = append(o.params, p)
	}
	return o, true
}

// space skips blanks.
func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

// take skips one character if it is c.
func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// token reads a token, which has at least one character.
func (s *scanner) token() (string, bool) {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t, n > 0
}

// value reads a token, or a quoted string that holds one.
func (s *scanner) value() (string, bool) {
	if !s.take('"') {
		return s.token()
	}
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return b.String(), isToken(b.String())
		case '\\':
			i++
			if i < len(s.rest) {
				b.WriteByte(s.rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// isToken says whether s is a token of RFC 9110.
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
