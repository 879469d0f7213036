package mesh

import (
	"regexp"
	"strings"
)

// semantic is what NATS takes for a version: numbers, then what came before them and
// which build it is.
var semantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// maxVersion bounds the part of a version that we make up.
const maxVersion = 40

// Version makes a semantic version of what a build says about itself: "v1.2.3" is
// 1.2.3, and what is no version, such as "(devel)", becomes the build of 0.0.0.
func Version(s string) string {
	if v := strings.TrimPrefix(s, "v"); semantic.MatchString(v) && !leadingZero(v) {
		return v
	}
	build := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return -1
	}, s)
	if build == "" {
		return "0.0.0"
	}
	return "0.0.0+" + build[:min(len(build), maxVersion)]
}

// leadingZero reports whether a number before the build begins with 0, which a
// semantic version may not have.
func leadingZero(v string) bool {
	v, _, _ = strings.Cut(v, "+")
	_, pre, _ := strings.Cut(v, "-")
	for part := range strings.SplitSeq(pre, ".") {
		if len(part) > 1 && part[0] == '0' && strings.Trim(part, "0123456789") == "" {
			return true
		}
	}
	return false
}
