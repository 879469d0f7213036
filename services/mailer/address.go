package mailer

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	// maxAddress and maxLocal are what SMTP allows in bytes.
	maxAddress, maxLocal = 254, 64
	// maxValue bounds a header's value in bytes: a line has at most 998.
	maxValue = 900
)

var (
	errAddress = errors.New("the e-mail address is invalid")
	errLink    = errors.New("the link must be https, or http on this machine")
)

// address is an e-mail address that can stand in commands and headers as it is.
type address struct {
	local, domain string // the domain in ASCII
}

func (a address) String() string { return a.local + "@" + a.domain }

// parseAddress reads local@domain. The error doesn't quote it. The notifier accepts by the
// same rules (its package route/address); testdata/addresses.txt holds both to them.
func parseAddress(s string) (address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > maxAddress || !utf8.ValidString(s) {
		return address{}, errAddress
	}
	local := s[:at]
	domain, err := idna.Lookup.ToASCII(s[at+1:])
	if err != nil || !isDomain(domain) || !isLocal(local) || len(local)+1+len(domain) > maxAddress {
		return address{}, errAddress
	}
	return address{local, strings.ToLower(domain)}, nil
}

// isLocal says whether s is words with dots between them, of which each may hold letters,
// their marks and digits of any script. Quoted forms, and the symbols that RFC 6531 allows
// beside letters, are as good as never used, and not worth the risk.
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

// isDomain says whether s is a host's name in ASCII; one label is enough for networks of
// one's own.
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
		}) {
			return false
		}
	}
	return true
}

// mailbox is an address with a name to show.
type mailbox struct {
	name string
	address
}

// header returns it in go-mail's form, which encodes the name.
func (m mailbox) header() *mail.Address { return &mail.Address{Name: m.name, Address: m.String()} }

// String is the address alone.
func (m mailbox) String() string { return m.address.String() }

// parseMailbox reads what an operator writes: an address, or a name and an address.
func parseMailbox(s string) (mailbox, error) {
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		return mailbox{}, errAddress
	}
	a, err := parseAddress(parsed.Address)
	if err != nil {
		return mailbox{}, err
	}
	return mailbox{parsed.Name, a}, checkValue("name", parsed.Name)
}

// checkValue returns why a text may not stand in a header, or nil. It says nothing of the text.
func checkValue(name, s string) error {
	switch {
	case len(s) > maxValue:
		return fmt.Errorf("the %s is over %d bytes", name, maxValue)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is no valid UTF-8", name)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return fmt.Errorf("the %s holds a control character", name)
	}
	return nil
}

// checkLink returns why a link may not stand in List-Unsubscribe, or nil. RFC 8058 wants
// https; plain http is for somebody who tries it out.
func checkLink(s string) error {
	if s == "" || len(s) > maxValue || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>"\^{}|`+"`", r) || r == ','
	}) {
		return errLink
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return errLink
	}
	return nil
}

// isLoopback says whether a host is this machine, by its name alone.
func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost")
}
