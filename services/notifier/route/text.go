package route

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxName bounds the names of categories, templates and hooks in bytes: they
	// become List-Id headers, metric labels and keys.
	maxName = 64
	// maxQuoted cuts what a fault quotes back.
	maxQuoted = 48
)

// clip shortens s for a fault, at the start of a character.
func clip(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	n := maxQuoted
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// line checks a text that becomes a header or stands in one line: no line breaks, in
// any of Unicode's forms, and no other control characters.
func (f *faults) line(param, s string, most int) {
	switch {
	case len(s) > most:
		f.add(param, CodeTooLong, "is over %d bytes", most)
	case !utf8.ValidString(s):
		f.add(param, CodeBadCharacter, "is not UTF-8")
	case strings.ContainsFunc(s, breaks):
		f.add(param, CodeBadCharacter, "holds a line break or a control character")
	}
}

// breaks reports whether r may end a line or steer a terminal.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// text checks a text of several lines.
func (f *faults) text(param, s string, most int) {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	switch {
	case len(s) > most:
		f.add(param, CodeTooLong, "is over %d bytes", most)
	case !utf8.ValidString(s):
		f.add(param, CodeBadCharacter, "is not UTF-8")
	case strings.ContainsFunc(s, control):
		f.add(param, CodeBadCharacter, "holds a control character")
	}
}

// token checks an id of the caller's: visible ASCII, for it becomes a header of NATS.
func (f *faults) token(param, s string, most int) {
	switch {
	case len(s) > most:
		f.add(param, CodeTooLong, "is over %d bytes", most)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		f.add(param, CodeBadCharacter, "holds something else than visible ASCII characters")
	}
}

// name checks the name of a category, a template or a hook. It admits no path.
func (f *faults) name(param, s string) {
	if !isName(s) {
		f.add(param, CodeBadName, "must be 1 to %d of a-z, 0-9, '-', '_' and single dots between them", maxName)
	}
}

func isName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// moment reads a time, zero for "". It is UTC, so equal moments are equal values.
func (f *faults) moment(param, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.IsZero() {
		f.add(param, CodeBadTime, "must be a time like 2026-01-31T13:45:00Z")
		return time.Time{}
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		// Beyond those years a time can be read and not written.
		f.add(param, CodeBadTime, "is beyond the calendar")
		return time.Time{}
	}
	return t
}
