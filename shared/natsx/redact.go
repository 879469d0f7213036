package natsx

import "strings"

// hidden stands for what a log must not show.
const hidden = "…"

// Redact returns a NATS URL list without user names, passwords and tokens, for
// logs and errors. Where it cannot tell a server from a piece of a password with
// a comma in it, it hides the server too.
func Redact(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		scheme, rest := cutScheme(u)
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			continue
		}
		list[i] = scheme + hidden + rest[at:]
		for n := i - 1; n >= 0 && scheme == ""; n-- {
			scheme, _ = cutScheme(list[n])
			list[n] = scheme + hidden
		}
	}
	return strings.Join(list, ",")
}

// cutScheme takes the scheme off a URL. Only NATS's own count: in anything else
// "://" may be part of a password.
func cutScheme(u string) (scheme, rest string) {
	for _, s := range [...]string{"nats://", "tls://", "ws://", "wss://"} {
		if rest, ok := strings.CutPrefix(u, s); ok {
			return s, rest
		}
	}
	return "", u
}
