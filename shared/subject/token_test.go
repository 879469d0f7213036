package subject_test

import (
	"errors"
	"strings"
	"testing"

	"tidings/shared/subject"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ plain, token string }{
		{"", ""},
		{"ops", "ops"},
		{"A-Z_09", "A-Z_09"},
		{"ann@example.com", "ann=40example=2Ecom"},
		{"a b", "a=20b"},
		{"=", "=3D"},
		{"=40", "=3D40"},
		{"*", "=2A"},
		{">", "=3E"},
		{"$SYS", "=24SYS"},
		{"ö", "=C3=B6"},
		{"\x00\xff", "=00=FF"},
		{"\r\n", "=0D=0A"},
	} {
		if got := subject.Escape(c.plain); got != c.token {
			t.Errorf("Escape(%q) = %q, want %q", c.plain, got, c.token)
		}
		if c.plain == "" {
			continue
		}
		if got, err := subject.Unescape(c.token); err != nil || got != c.plain {
			t.Errorf("Unescape(%q) = %q, %v; want %q", c.token, got, err, c.plain)
		}
	}
}

func TestUnescapeRefuses(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]string{
		"nothing":             "",
		"a plain dot":         "a.b",
		"a plain space":       "a b",
		"a wildcard":          "*",
		"the final wildcard":  ">",
		"a control character": "a\n",
		"a byte over ASCII":   "ö",
		"an open escape":      "a=",
		"half an escape":      "a=4",
		"no hex":              "=4G",
		"lower-case hex":      "=c3",
		"a needless escape":   "=41",
		"a needless dash":     "=2D",
		"a needless line":     "=5F",
		"a sign for a digit":  "=+4",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, err := subject.Unescape(token); !errors.Is(err, subject.ErrSyntax) {
				t.Errorf("Unescape(%q) = %q, %v; want ErrSyntax", token, s, err)
			}
		})
	}
}

// TestEscapeEveryByte checks the alphabet against its definition in words.
func TestEscapeEveryByte(t *testing.T) {
	t.Parallel()
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	for b := range 256 {
		s := string([]byte{byte(b)})
		token := subject.Escape(s)
		if stays := token == s; stays != strings.Contains(alphabet, s) {
			t.Errorf("byte %#02x: escaped as %q", b, token)
		}
		if back, err := subject.Unescape(token); err != nil || back != s {
			t.Errorf("byte %#02x came back as %q, %v", b, back, err)
		}
	}
}

// FuzzEscape holds Escape to its promise: an inverse, one spelling per string,
// one string per spelling.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "=", "=41", "ann@example.com", "*", ">", ".", "\xff", "ö", "a=4", "=c3", "=3D"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		token := subject.Escape(s)
		if (subject.Escape(other) == token) != (other == s) {
			t.Fatalf("%q and %q: two strings, one token %q", s, other, token)
		}
		if s != "" {
			if back, err := subject.Unescape(token); err != nil || back != s {
				t.Fatalf("Unescape(Escape(%q)) = %q, %v", s, back, err)
			}
			if !natsTokens(token, false) || strings.Contains(token, ".") {
				t.Fatalf("Escape(%q) = %q is no NATS token", s, token)
			}
		}
		// The other way round: what Unescape takes is the one spelling.
		if plain, err := subject.Unescape(s); err == nil && subject.Escape(plain) != s {
			t.Fatalf("Unescape takes %q, yet the token of %q is %q", s, plain, subject.Escape(plain))
		}
	})
}

// natsTokens checks by NATS's own rules, written down again here, that s can be
// the tail of a subject.
func natsTokens(s string, wild bool) bool {
	tokens := strings.Split(s, ".")
	for i, token := range tokens {
		switch {
		case token == "":
			return false
		case token == "*", token == ">":
			if !wild || token == ">" && i != len(tokens)-1 {
				return false
			}
		case strings.ContainsAny(token, "*>") || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return false
		}
	}
	return true
}
