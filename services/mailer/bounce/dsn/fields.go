package dsn

import (
	"net/mail"
	"strings"
	"time"
)

const (
	// maxFields bounds the fields of one message or part.
	maxFields = 500
	// maxGroups bounds the recipients of one report. Our mails have one.
	maxGroups = 50
	// maxValue bounds one field's value in bytes; it is what RFC 5322 allows a line, a
	// few times over.
	maxValue = 8 << 10
)

// field is one line "Name: value", unfolded; the name is in small letters.
type field struct{ name, value string }

// fields are those of a header or a group.
type fields []field

// get returns the first value of a name, "" if there is none.
func (f fields) get(name string) string {
	for _, x := range f {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

// all returns the values of the names.
func (f fields) all(names ...string) []string {
	var values []string
	for _, x := range f {
		for _, name := range names {
			if x.name == name {
				values = append(values, x.value)
			}
		}
	}
	return values
}

// groupsOf reads groups of fields that empty lines separate. It is lenient, as what it
// reads was written by thousands of programs: a line that is no field is left out.
func groupsOf(data []byte) []fields {
	var groups []fields
	var now fields
	count := 0
	flush := func() {
		if len(now) > 0 {
			groups = append(groups, now)
		}
		now = nil
	}
	for l := range strings.SplitSeq(string(data), "\n") {
		l = strings.TrimSuffix(l, "\r")
		switch {
		case len(groups) >= maxGroups || count >= maxFields:
			return groups
		case strings.TrimSpace(l) == "":
			flush()
		case l[0] == ' ' || l[0] == '\t':
			if n := len(now) - 1; n >= 0 && len(now[n].value)+len(l) < maxValue {
				now[n].value = strings.TrimSpace(now[n].value + " " + strings.TrimSpace(l))
			}
		default:
			if name, value, ok := strings.Cut(l, ":"); ok && isName(name) {
				now = append(now, field{strings.ToLower(name), Cut(strings.TrimSpace(value), maxValue)})
				count++
			}
		}
	}
	flush()
	return groups
}

// headerOf returns the first group.
func headerOf(data []byte) fields {
	if groups := groupsOf(data); len(groups) > 0 {
		return groups[0]
	}
	return nil
}

// isName reports whether s can be the name of a field.
func isName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// typed returns the value of "rfc822; ann@example.com", without the brackets that some
// put around it.
func typed(s string) string {
	if _, value, ok := strings.Cut(s, ";"); ok {
		s = value
	}
	return Cut(strings.Trim(strings.TrimSpace(s), "<>"), MaxText)
}

// addresses returns the addresses in a value, however it is written: at most a few.
func addresses(s string) []string {
	const most = 4
	var found []string
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>()[],;:\"'", r) }) {
		if at := strings.LastIndexByte(w, '@'); at > 0 && at < len(w)-1 && len(w) <= MaxText && len(found) < most {
			found = append(found, strings.TrimRight(w, "."))
		}
	}
	return found
}

// xtext undoes the encoding of an original recipient (RFC 3461), which some servers
// leave in: +2B is "+".
func xtext(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) {
			high, low := strings.IndexByte(digits, s[i+1]), strings.IndexByte(digits, s[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// when reads a date of mail, zero if it is none.
func when(s string) time.Time {
	at, err := mail.ParseDate(Cut(s, 100))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// MessageID returns an id without its brackets, and the key in front of the @, if that
// can be one.
func MessageID(s string) (id, key string) {
	id = Cut(strings.Trim(Line(s), "<> "), MaxText)
	key, _, ok := strings.Cut(id, "@")
	if !ok || !IsKey(key) {
		return id, ""
	}
	return id, key
}
