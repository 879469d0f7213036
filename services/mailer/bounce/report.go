package bounce

import (
	"strings"
	"time"
	"unicode"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/suppress"
)

// What package dsn reads, by the names under which it is used here.
type (
	// Report is what became of one mail to one address.
	Report = dsn.Report
	// Kind is what happened to a mail.
	Kind = dsn.Kind
)

// The kinds of report.
const (
	Hard      = dsn.Hard
	Soft      = dsn.Soft
	Refused   = dsn.Refused
	Delayed   = dsn.Delayed
	Delivered = dsn.Delivered
	Complaint = dsn.Complaint
)

const (
	// maxFuture and maxPast bound a report's time, which strangers wrote: servers give up
	// after five days.
	maxFuture, maxPast = time.Hour, 30 * 24 * time.Hour
)

// detailOf is what is kept of the diagnosis: the code and the words, without addresses.
func detailOf(r Report) string {
	local, _, _ := strings.Cut(r.Recipient, "@")
	text := withoutAddress(r.Diagnostic, local)
	if r.Status != "" && !strings.Contains(text, r.Status) {
		text = strings.TrimSpace(r.Status + " " + text)
	}
	return dsn.Cut(text, suppress.MaxDetail)
}

// atOf is when it happened, as far as that can be believed.
func atOf(r Report, now time.Time) time.Time {
	if r.At.IsZero() || r.At.After(now.Add(maxFuture)) || r.At.Before(now.Add(-maxPast)) {
		return now
	}
	return r.At
}

// withoutAddress replaces everything that looks like an address, or is the part of it
// before the @, as in "no such user ann".
func withoutAddress(s, local string) string {
	words := strings.Fields(s)
	for i, w := range words {
		bare := strings.TrimFunc(w, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) })
		if strings.ContainsAny(w, "@＠") || strings.Contains(strings.ToLower(w), "%40") || len(local) > 1 && strings.EqualFold(bare, local) {
			words[i] = "[address]"
		}
	}
	return strings.Join(words, " ")
}
