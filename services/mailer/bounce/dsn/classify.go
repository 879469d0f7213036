package dsn

import (
	"slices"
	"strings"
)

// Classify says what a failure means, by its enhanced code (RFC 3463), and where that
// says nothing by the words of the diagnosis.
func Classify(status, diagnostic string) Kind {
	code := status
	if code == "" || generic(code) {
		if own := Code(diagnostic); own != "" {
			code = own // the other server's own code says more than its sender's summary
		}
	}
	if code == "" || generic(code) {
		return byWords(code, diagnostic)
	}
	_, rest, _ := strings.Cut(code, ".")
	topic, _, _ := strings.Cut(rest, ".")
	switch {
	case topic == "7", topic == "5", topic == "6", slices.Contains([]string{"1.7", "1.8", "2.3", "3.4"}, rest):
		return Refused
	case Gone(code):
		return Hard
	}
	return Soft
}

// Gone reports whether an enhanced code means that there is no such mailbox, or not any
// more. A bare 550 doesn't: it is also said to those whose mail isn't liked.
func Gone(code string) bool {
	return slices.Contains([]string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}, code)
}

// generic reports whether a code says only that something about its topic is wrong.
func generic(code string) bool {
	_, rest, _ := strings.Cut(code, ".")
	return slices.Contains([]string{"0.0", "1.0", "2.0", "5.0"}, rest)
}

// byWords reads a diagnosis without a telling code. Only what practically all servers
// say is taken for a hard bounce.
func byWords(code, diagnostic string) Kind {
	text := strings.ToLower(diagnostic)
	reply := replyCode(text)
	if strings.HasPrefix(code, "4") || strings.HasPrefix(reply, "4") {
		return Soft
	}
	if strings.Contains(text, "sender") || strings.Contains(text, "spam") || strings.Contains(text, "blocked") || strings.Contains(text, "blacklist") {
		return Refused
	}
	if reply != "" && !slices.Contains([]string{"550", "551", "553"}, reply) {
		return Soft
	}
	for _, phrase := range goneWords() {
		if strings.Contains(text, phrase) {
			return Hard
		}
	}
	return Soft
}

// goneWords are how servers say that there is no such mailbox.
func goneWords() []string {
	return []string{
		"user unknown", "unknown user", "no such user", "user not found", "no such recipient", "recipient not found",
		"unknown recipient", "invalid recipient", "recipient unknown", "does not exist", "doesn't exist", "mailbox unavailable", "mailbox not found",
		"no mailbox", "no such mailbox", "unknown mailbox", "invalid mailbox", "address unknown", "unknown address", "unrouteable address",
	}
}

// Code returns the first enhanced code in s, "" if there is none. An IP address or
// a version is none.
func Code(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] != '2' && s[i] != '4' && s[i] != '5' || i > 0 && (digit(s[i-1]) || s[i-1] == '.') {
			continue
		}
		end := i + 1
		ok := true
		for range 2 {
			n := 0
			for end+1+n < len(s) && n < 3 && digit(s[end+1+n]) {
				n++
			}
			if ok = ok && end < len(s) && s[end] == '.' && n > 0; !ok {
				break
			}
			end += 1 + n
		}
		if ok && (end == len(s) || !digit(s[end]) && (s[end] != '.' || end+1 == len(s) || !digit(s[end+1]))) {
			return s[i:end]
		}
	}
	return ""
}

// replyCode returns the first word of s that is a reply code of SMTP, as in "550 no" or
// "550-no".
func replyCode(s string) string {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '-' || r == ':' || r == ';' || r == '<' || r == '(' }) {
		if len(w) == 3 && (w[0] == '4' || w[0] == '5') && digit(w[1]) && digit(w[2]) {
			return w
		}
	}
	return ""
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
