package smtp

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
	"unicode"
)

// maxText bounds what is kept of a server's words: receipts and logs quote them.
const maxText = 300

// Stage is how far a transaction was.
type Stage string

// The stages, in order.
const (
	Connect Stage = "connect" // connection, greeting, EHLO, STARTTLS
	Login   Stage = "login"
	From    Stage = "MAIL"
	To      Stage = "RCPT"
	Data    Stage = "DATA"
	Body    Stage = "body" // the mail flows
	End     Stage = "end"  // the mail was sent, and the server's answer is due
)

// Error is why a provider did not take a mail, or may not have.
type Error struct {
	// Provider is the name of who answered.
	Provider string
	// Stage is where it went wrong.
	Stage Stage
	// Code is the number of the server's answer, 0 if there was none; Enhanced is the
	// code of RFC 3463 with it, such as "5.1.1", if any.
	Code     int
	Enhanced string
	// Text is what the server said, or what went wrong: one line without secrets.
	Text string

	cause error // as it was before it was cleaned: to look at, not to show
}

// Error says it in one line, for receipts.
func (e *Error) Error() string {
	if e.Code > 0 {
		return fmt.Sprintf("provider %s: %s: %d %s", e.Provider, e.Stage, e.Code, e.Text)
	}
	return fmt.Sprintf("provider %s: %s: %s", e.Provider, e.Stage, e.Text)
}

// newError makes an Error of what went wrong. Secrets, and the address of a person, are cut
// from the server's words: a server likes to repeat what it was told.
func newError(provider string, stage Stage, err error, hidden hidden) *Error {
	e := &Error{Provider: provider, Stage: stage, cause: err}
	text := err.Error()
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		e.Code, text = answer.Code, answer.Msg
		e.Enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`).FindString(text)
	}
	e.Text = hidden.clean(text)
	return e
}

// hidden is what is cut from a server's words.
type hidden struct {
	address string   // in any case
	secrets []string // as they are
}

// clean makes one line of a text, without what is hidden.
func (h hidden) clean(text string) string {
	for _, s := range h.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[hidden]")
		}
	}
	if h.address != "" && strings.Contains(text, "@") {
		text = regexp.MustCompile("(?i)"+regexp.QuoteMeta(h.address)).ReplaceAllString(text, "[address]")
	}
	return clean(text, maxText)
}

// verdict is what an Error means.
type verdict struct {
	result Verdict
	// fault says that it is the provider's, broken that the connection is of no use any
	// more, slow that the provider is to be left alone for a while.
	fault, broken, slow bool
	// settled says that trying again soon makes no sense: a wrong password stays wrong,
	// and a provider locks accounts that try.
	settled bool
	// elsewhere says that another provider may take what this one can't.
	elsewhere bool
}

// verdict judges the error.
func (e *Error) verdict() verdict {
	if errors.Is(e.cause, errNoUTF8) {
		return verdict{result: Refused, elsewhere: true}
	}
	return judge(e.Stage, e.Code, e.Enhanced)
}

// judge is the table of the package comment's "Whose fault it is".
func judge(stage Stage, code int, enhanced string) verdict {
	offered := stage == From || stage == To || stage == Data || stage == End
	slow := code == 421 || code == 454 || code/100 == 4 && strings.HasPrefix(enhanced, "4.7.")
	switch {
	case (stage == Body || stage == End) && code/100 != 4 && code/100 != 5:
		return verdict{result: Unsure, fault: true, broken: true}
	case slow:
		return verdict{result: Deferred, slow: true, broken: code == 421 || !offered}
	case !offered:
		return verdict{result: Deferred, fault: true, broken: true, settled: stage == Login && code/100 == 5}
	case code == 530 || code == 534 || code == 535 || code == 538:
		return verdict{result: Deferred, fault: true, broken: true, settled: true}
	case code == 503, code/100 != 4 && code/100 != 5:
		// The two sides disagree about where they are, or the connection is lost.
		return verdict{result: Deferred, fault: true, broken: true}
	case code/100 == 5:
		return verdict{result: Refused}
	}
	return verdict{result: Deferred}
}

// clean makes one line of s that can stand in a log, of at most so many bytes.
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
