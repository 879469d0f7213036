package auth

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxOrigin is the longest Origin header in bytes: a scheme, the longest DNS name
// and a port fit.
const maxOrigin = 300

// checkOrigin decides whether a request with a cookie was caused by a page that may
// use it. A page says where it comes from in Origin. Browsers leave that out of
// plain same-origin reads, so a GET or HEAD may lack it, unless Sec-Fetch-Site
// tells that another site is behind it.
func (a *Authenticator) checkOrigin(r *http.Request) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return refused("a request that changes something needs an Origin header with the cookie")
		}
		for _, site := range r.Header.Values("Sec-Fetch-Site") {
			if site != "same-origin" && site != "none" {
				return refused("the request was caused by another site")
			}
		}
		return nil
	}
	if len(values) == 1 && len(values[0]) <= maxOrigin {
		if o, ok := parseOrigin(values[0]); ok && (o.isHost(r) || a.listed(o)) {
			return nil
		}
	}
	return refused("the page's origin may not use the cookie")
}

// listed reports whether o is in Origins.
func (a *Authenticator) listed(o origin) bool {
	for _, s := range a.Origins {
		if l, ok := parseOrigin(strings.TrimSuffix(s, "/")); ok && l == o {
			return true
		}
	}
	return false
}

// origin is a parsed Origin header in a form that compares with ==.
type origin struct{ scheme, host, port string }

// parseOrigin parses "scheme://host[:port]". "null", which sandboxed and local
// pages send, is not an origin anyone can trust.
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return origin{}, false
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return origin{}, false
	}
	return origin{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: portOf(u.Scheme, u.Port())}, true
}

// isHost reports whether o is the host the request was sent to. Behind a proxy that
// ends TLS we cannot know the scheme and accept both; with TLS here, https only.
func (o origin) isHost(r *http.Request) bool {
	if r.TLS != nil && o.scheme != "https" {
		return false
	}
	u := url.URL{Host: r.Host}
	return o.host == strings.ToLower(u.Hostname()) && o.port == portOf(o.scheme, u.Port())
}

func portOf(scheme, port string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	}
	return "80"
}

func refused(why string) *Error {
	return &Error{Code: CodeOriginRefused, Reason: why + ": serve the page from the same host, add its origin to the allowed ones, or send a Bearer header"}
}

// local reports whether a program on this machine sent the request directly. The
// peer and the Host must both be loopback, which defeats names rebound to this
// machine, and no header may betray a browser or a proxy: their requests are sent
// on behalf of someone else.
func local(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	if u := (url.URL{Host: r.Host}); !loopbackHost(u.Hostname()) {
		return false
	}
	for name := range r.Header {
		if onBehalf(strings.ToLower(name)) {
			return false
		}
	}
	return true
}

// onBehalf reports whether a header, in lower case, is one that browsers or proxies
// add and plain programs do not.
func onBehalf(name string) bool {
	switch name {
	case "origin", "referer", "forwarded", "via", "x-real-ip":
		return true
	}
	return strings.HasPrefix(name, "sec-fetch-") || strings.HasPrefix(name, "x-forwarded-")
}
