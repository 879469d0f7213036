package subject

import (
	"fmt"
	"strings"
)

// Pattern is a parsed pattern: a topic whose tokens may be "*" or a final ">".
// Every Topic is also a Pattern that selects just itself. Patterns are
// comparable; equal patterns are equal strings.
type Pattern string

// ParsePattern checks an escaped pattern.
func ParsePattern(s string) (Pattern, error) {
	if err := check(s, true); err != nil {
		return "", fmt.Errorf("topic %q: %w", clip(s), err)
	}
	return Pattern(s), nil
}

// Exact reports whether p has no wildcard, that is, whether it is a topic.
func (p Pattern) Exact() bool { return !strings.ContainsAny(string(p), "*>") }

// Match reports whether p selects t.
func (p Pattern) Match(t Topic) bool { return p.Covers(Pattern(t)) }

// Covers reports whether every subject that q selects is selected by p too. It is
// the question a grant asks: "may they subscribe to q, being allowed p?" It takes
// the patterns as NATS does and makes no use of what topics there can be, so
// "user.*" does not cover "user.>" although an id is one token: it errs towards no.
func (p Pattern) Covers(q Pattern) bool {
	a, b := string(p), string(q)
	for {
		x, arest, amore := strings.Cut(a, ".")
		y, brest, bmore := strings.Cut(b, ".")
		switch {
		case x == ">":
			return true
		case y == ">", x != "*" && x != y:
			return false
		case !amore || !bmore:
			return amore == bmore
		}
		a, b = arest, brest
	}
}
