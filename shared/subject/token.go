package subject

import (
	"fmt"
	"strings"
)

// upperHex is the alphabet of an escape; lower-case hex is refused, which keeps escapes canonical.
const upperHex = "0123456789ABCDEF"

// plain reports whether b stands for itself in a token.
func plain(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-'
}

// Escape turns any string into one token. Unescape is its inverse.
// The empty string has no token; Escape returns "" and parsers refuse it.
func Escape(s string) string {
	n := 0
	for i := range len(s) {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*n)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// Unescape turns a token back into the string it stands for. It fails on bytes
// that should have been escaped, on broken escapes and on needless ones.
func Unescape(token string) (string, error) {
	if err := checkToken(token); err != nil {
		return "", err
	}
	if !strings.Contains(token, "=") {
		return token, nil
	}
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			b = append(b, token[i])
			continue
		}
		b = append(b, unhex(token[i+1], token[i+2]))
		i += 2
	}
	return string(b), nil
}

// checkToken reports why token is not a canonical literal token, or nil.
func checkToken(token string) error {
	if token == "" {
		return fmt.Errorf("%w: a token is empty", ErrSyntax)
	}
	for i := 0; i < len(token); i++ {
		switch c := token[i]; {
		case plain(c):
		case c != '=':
			return fmt.Errorf("%w: byte %q must be written as =%02X", ErrSyntax, c, c)
		case i+2 >= len(token) || strings.IndexByte(upperHex, token[i+1]) < 0 || strings.IndexByte(upperHex, token[i+2]) < 0:
			return fmt.Errorf("%w: '=' must be followed by two upper-case hex digits", ErrSyntax)
		case plain(unhex(token[i+1], token[i+2])):
			return fmt.Errorf("%w: %s escapes a byte that stands for itself", ErrSyntax, token[i:i+3])
		default:
			i += 2
		}
	}
	return nil
}

// unhex decodes two digits of upperHex.
func unhex(hi, lo byte) byte {
	return byte(strings.IndexByte(upperHex, hi)<<4 | strings.IndexByte(upperHex, lo))
}
