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
	// maxLocale is the longest tag in bytes that RFC 5646 expects of a buffer.
	maxLocale = 35
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
// any of Unicode's forms, no other control characters, and none that turn the direction
// of what comes after them.
func (f *faults) line(param, s string, most int) {
	switch {
	case len(s) > most:
		f.add(param, CodeTooLong, "is over %d bytes", most)
	case !utf8.ValidString(s):
		f.add(param, CodeBadCharacter, "is not UTF-8")
	case strings.ContainsFunc(s, breaks):
		f.add(param, CodeBadCharacter, "holds a line break or a control character")
	case strings.ContainsFunc(s, turns):
		f.add(param, CodeBadCharacter, "holds a control of the direction of writing")
	}
}

// breaks reports whether r may end a line or steer a terminal.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// turns reports whether r embeds, overrides or isolates a direction of writing. In a line
// it reaches over what stands beside it, such as the name of a file or of a sender, and
// makes it read as something else. Scripts from right to left need none of them: their
// letters have a direction, and the marks U+200E, U+200F and U+061C are let pass.
func turns(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }

// text checks a text of several lines. It may turn the direction of writing, which ends
// with the line.
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
