package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxTitle bounds a rendered title in runes. What is longer is cut: no inbox and
	// no lock screen shows more.
	MaxTitle = 200
	// ellipsis marks the place of a cut.
	ellipsis = "…"
)

// hidden reports whether r is a rune that doesn't show and does something: control
// characters, and the marks that turn the direction of the text after them, with which
// "exe.gpj" reads "jpg.exe".
func hidden(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff'
}

// line makes one line of s: runs of white space are one space each, and nothing hidden
// is left. It is what keeps a title from becoming two headers.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), " ")
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, s)
}

// shown takes out of a text what doesn't show, but for tabs, and makes all line ends one
// kind.
func shown(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r', r == '\u2028', r == '\u2029', r == '\u0085':
			return '\n'
		case hidden(r):
			return -1
		}
		return r
	}, s)
}

// text tidies plain text: what shown does, no space at line ends, and at most one empty
// line in a row.
func text(s string) string {
	var b strings.Builder
	empty := 0
	for l := range strings.SplitSeq(shown(s), "\n") {
		l = strings.TrimRight(l, " \t")
		if l == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat("\n", min(empty, 1)+1))
		}
		empty = 0
		b.WriteString(l)
	}
	return b.String()
}

// clip cuts s to n runes at most, at the end of a word if there is one near.
func clip(n int, s string) string {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)[:n-1]
	for i := len(r) - 1; i > len(r)*3/4; i-- {
		if unicode.IsSpace(r[i]) {
			r = r[:i]
			break
		}
	}
	return strings.TrimRightFunc(string(r), unicode.IsSpace) + ellipsis
}

// paragraphs splits plain text at empty lines, and each part into its lines.
func paragraphs(s string) [][]string {
	var list [][]string
	for p := range strings.SplitSeq(text(s), "\n\n") {
		if p != "" {
			list = append(list, strings.Split(p, "\n"))
		}
	}
	return list
}
