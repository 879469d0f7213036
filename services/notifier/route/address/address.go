package address

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Bounds of addresses in bytes.
const (
	// maxEmail is the longest address that fits a path of RFC 5321, as it is written and
	// with its domain in ASCII.
	maxEmail = 254
	// maxLocal is the longest part before the @.
	maxLocal = 64
	// maxDomain and maxLabel are the longest name in DNS and the longest label of one.
	maxDomain, maxLabel = 253, 63
	// minPhone and maxPhone count the digits of a number, E.164.
	minPhone, maxPhone = 7, 15
)

// Email reports whether s is an e-mail address that the mailer can write to: what is taken
// here and refused there would be told to nobody. It is words with dots between them, @
// and a domain. Quoted local parts, address literals and comments are legal, unused and
// a way to smuggle; they are refused. Both parts may hold letters outside ASCII: those of
// a domain have a form in ASCII (IDNA), those before the @ need a provider that offers
// SMTPUTF8. The rules are the mailer's; the tests of both read one list of addresses.
func Email(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxEmail || !utf8.ValidString(s) || !isLocal(local) {
		return false
	}
	domain, err := idna.Lookup.ToASCII(domain)
	return err == nil && isDomain(domain) && len(local)+1+len(domain) <= maxEmail
}

// isLocal reports whether s is words of atoms with dots between them, RFC 5322. Outside
// ASCII it admits letters, their marks and digits, and not all that RFC 6531 does: no
// mailbox is called ☃, and other characters only make two addresses look the same.
func isLocal(s string) bool {
	if len(s) > maxLocal {
		return false
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !isAtom(r) }) {
			return false
		}
	}
	return true
}

func isAtom(r rune) bool {
	if r >= utf8.RuneSelf {
		return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
	}
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isDomain reports whether s is a host's name in ASCII; one label is enough for networks
// of one's own.
func isDomain(s string) bool {
	if len(s) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
			}) {
			return false
		}
	}
	return true
}

// Phone reports whether s is an E.164 number: +, no leading zero, digits.
func Phone(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < minPhone || len(digits) > maxPhone || digits[0] == '0' {
		return false
	}
	return !strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
}
