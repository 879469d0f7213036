package route

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of addresses in bytes.
const (
	// maxEmail is the longest address that fits a path of RFC 5321.
	maxEmail = 254
	// maxLocal is the longest part before the @.
	maxLocal = 64
	// maxLabel is the longest label of a domain.
	maxLabel = 63
	// minPhone and maxPhone count the digits of a number, E.164.
	minPhone, maxPhone = 7, 15
	// maxLocale is the longest tag that RFC 5646 expects of a buffer.
	maxLocale = 35
)

// isEmail reports whether s can be given to a mail server as it is: a dot-atom, @ and
// a domain, either of which may hold non-ASCII letters. Quoted local parts, address
// literals and comments are legal, unused and a way to smuggle; they are refused.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxEmail || len(local) > maxLocal || !utf8.ValidString(s) {
		return false
	}
	for part := range strings.SplitSeq(local, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return !atext(r) }) {
			return false
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
			}) {
			return false
		}
	}
	return true
}

// atext reports whether r may stand in a dot-atom, RFC 5322 and RFC 6531.
func atext(r rune) bool {
	if r >= utf8.RuneSelf {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r)
	}
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isPhone reports whether s is an E.164 number: +, no leading zero, digits.
func isPhone(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < minPhone || len(digits) > maxPhone || digits[0] == '0' {
		return false
	}
	return !strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
}

// isLocale reports whether s has the form of a language tag, such as "de" or "pt-BR".
func isLocale(s string) bool {
	if len(s) > maxLocale {
		return false
	}
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, r := range part {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			if !letter && (i == 0 || r < '0' || r > '9') {
				return false
			}
		}
	}
	return true
}
