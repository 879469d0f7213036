package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what a Secret shows instead of itself.
const hidden = "[hidden]"

// Secret is text that must not be seen: a key, a password, a URL with userinfo.
// It shows itself as "[hidden]" to fmt (every verb), slog, encoding/json and
// everything else that asks for text; the empty Secret shows as nothing, which
// tells an operator that it is not set. Only Reveal gives the text.
//
// Keep a Secret in an exported field: fmt cannot call the methods of values in
// unexported fields and would print the text.
type Secret string

// Reveal returns the text itself. Call it where the text is used, not earlier.
func (s Secret) Reveal() string { return string(s) }

// String returns "[hidden]", or "" for the empty Secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides s from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format hides s from every verb of fmt, also from those that would bypass
// String, such as %x and %d.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// A fmt.State keeps its own errors; there is nobody to report one to.
	_, _ = io.WriteString(f, text)
}

// LogValue hides s from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides s from encoding/json and other encoders. A Secret therefore
// cannot be written and read back, on purpose.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
