package config

import (
	"strconv"
	"unicode/utf8"
)

// maxShown cuts a value before it is quoted in a fault.
const maxShown = 64

// Fault is one thing that is wrong with the settings. Load joins them; errors.As
// and errors.AsType find them.
type Fault struct {
	// Setting is the name of the setting as a flag: "events-age". It is "" if the
	// fault belongs to none, such as an unreadable file.
	Setting string
	// Source is where the value came from.
	Source Source
	// Problem says what is wrong and what is allowed. It never shows a secret.
	Problem string
}

// Error names the setting, the source and the problem.
func (f *Fault) Error() string {
	switch {
	case f.Setting == "":
		return f.Source.String() + ": " + f.Problem
	case f.Source.Name == "--"+f.Setting:
		return f.Source.Name + ": " + f.Problem
	}
	return f.Setting + " (" + f.Source.String() + "): " + f.Problem
}

// shown quotes a value for a fault, cut to a length that fits a line.
func shown(s string) string {
	if len(s) > maxShown {
		n := maxShown
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strconv.Quote(s)
}

// nearest returns the candidate that was probably meant, or "". A name may be
// wrong in a third of its letters.
func nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+1
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short strings, in bytes.
func distance(a, b string) int {
	if len(a) > maxShown || len(b) > maxShown {
		return maxShown
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
