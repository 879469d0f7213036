package dsn

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is what happened to a mail.
type Kind string

// The kinds; package bounce says what follows from each.
const (
	// Hard: the address does not exist.
	Hard Kind = "hard"
	// Soft: it was not delivered; it may be the next time.
	Soft Kind = "soft"
	// Refused: the other side did not want the mail, which says nothing about the address.
	Refused Kind = "refused"
	// Delayed: it is not delivered yet and still being tried.
	Delayed Kind = "delayed"
	// Delivered: the other side confirmed it.
	Delivered Kind = "delivered"
	// Complaint: the person called it spam.
	Complaint Kind = "complaint"
)

// Known reports whether k is one of the kinds.
func (k Kind) Known() bool {
	switch k {
	case Hard, Soft, Refused, Delayed, Delivered, Complaint:
		return true
	}
	return false
}

const (
	// TraceHeader is the header by which a returned mail is known again.
	TraceHeader = "X-Tidings-Trace"
	// MaxText bounds each text of a report in bytes; a diagnosis is a few lines.
	MaxText = 1024
	// MaxEvidence bounds each list of Evidence: each is tried with each key.
	MaxEvidence = 8
	// maxKey is the longest key of a job in bytes, as in package worker.
	maxKey = 64
)

// Report is what became of one mail to one address.
type Report struct {
	// Kind is what happened.
	Kind Kind
	// Recipient is the address as the report gives it; "" if it doesn't.
	Recipient string
	// MessageID is that of the original, without its brackets.
	MessageID string
	// Key is the job's: of the Message-ID at first; bounce.Seals.Prove sets the proven one.
	Key string
	// Status is the enhanced code, such as "5.1.1", "" if there was none.
	Status string
	// Diagnostic is what the other server said. It often quotes the address.
	Diagnostic string
	// At is when, as the report says; zero if it doesn't.
	At time.Time
	// Evidence is what may prove the report.
	Evidence Evidence

	// Notification is the notification's id, "" if not known.
	Notification string
	// AddressHash is the address that the mail went to, as suppress.Hash gives it. It is
	// "" until that is proven.
	AddressHash string
}

// Evidence is what a report quotes of the original, and may be forged.
type Evidence struct {
	// Trace is the value of the header TraceHeader.
	Trace string
	// ReturnPaths are addresses that the report went to or the original came from.
	ReturnPaths []string
	// Recipients are the addresses that the report is about, in their several spellings.
	Recipients []string
	// To are the addresses that the original was for, by its own header.
	To []string
}

// Line makes one bounded line of visible characters of foreign text.
func Line(s string) string {
	s = Cut(s, 4*MaxText) // before the work
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return Cut(strings.Join(strings.Fields(s), " "), MaxText)
}

// Cut shortens s to at most n bytes, between two characters if it is UTF-8.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range utf8.UTFMax {
		if utf8.RuneStart(s[n-i]) {
			return s[:n-i]
		}
	}
	return s[:n]
}

// IsKey reports whether s can be the key of a job.
func IsKey(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxKey
}
