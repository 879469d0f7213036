package template

import (
	"net/url"
	"strings"
)

// maxURL bounds an address in bytes; it is what all browsers take.
const maxURL = 2048

// links knows where paths lead to. The zero value knows nothing, and drops them.
type links struct{ base *url.URL }

// newLinks takes a base that is an http or https address with a host, or none.
func newLinks(base string) links {
	u, err := url.Parse(base)
	if err != nil || len(base) > maxURL || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return links{}
	}
	return links{u}
}

// resolve returns an address that may stand in a mail, or "". An address of http or
// https with a host, or of mailto, is left as it is, and a path is resolved.
// Everything else is dropped: scripts, passwords, and what begins with "//" or a
// backslash, which looks like a path and leads to somebody else's host.
func (l links) resolve(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxURL || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || hidden(r) }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return ""
		}
		return u.String()
	case "mailto":
		return u.String()
	case "":
		if l.base == nil || strings.HasPrefix(s, "//") {
			return ""
		}
		return l.base.ResolveReference(u).String()
	default:
		return ""
	}
}
