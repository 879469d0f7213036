package dsn

import "strings"

// quoteMarks are how servers of old announce the original below their own words.
func quoteMarks() []string {
	return []string{"--- below this line is a copy of the message", "------ this is a copy of the message", "original message headers:", "--- original message"}
}

// old reads the bounce of a server that knows no delivery status: qmail, old Exim, some
// gateways. It is taken for one only if a mail server sent it, if it quotes the
// Message-ID of the original, and if it gives a code or the usual words: an absence note
// does not.
func (w *walk) old() []Report {
	if !w.fromServer() {
		return nil
	}
	own := w.text
	if w.original == nil {
		own = w.splitQuote()
	}
	if w.original.get("message-id") == "" {
		return nil
	}
	r := w.common()
	r.Diagnostic = Line(telling(own))
	r.Status = Code(r.Diagnostic)
	r.Kind = Classify(r.Status, r.Diagnostic)
	if r.Status == "" && replyCode(r.Diagnostic) == "" && r.Kind != Hard {
		return nil
	}
	for _, s := range w.outer.all("x-failed-recipients") {
		r.Evidence.Recipients = Few(append(r.Evidence.Recipients, addresses(s)...)...)
	}
	r.Evidence.Recipients = Few(append(r.Evidence.Recipients, addresses(own)...)...)
	if len(r.Evidence.Recipients) > 0 {
		r.Recipient = Line(r.Evidence.Recipients[0])
	}
	return []Report{r}
}

// fromServer reports whether the message says that a mail server wrote it.
func (w *walk) fromServer() bool {
	from := strings.ToLower(w.outer.get("from"))
	return strings.Contains(from, "mailer-daemon") || strings.Contains(from, "postmaster") || w.outer.get("x-failed-recipients") != ""
}

// splitQuote takes the original's header out of the text and returns what is before it.
func (w *walk) splitQuote() string {
	small := strings.ToLower(w.text)
	if len(small) != len(w.text) {
		small = w.text // letters that change their length: the marks must be as they are
	}
	for _, mark := range quoteMarks() {
		if i := strings.Index(small, mark); i >= 0 {
			_, quoted, _ := strings.Cut(w.text[i:], "\n")
			w.original = headerOf([]byte(strings.TrimLeft(quoted, "\r\n\t ")))
			return w.text[:i]
		}
	}
	return w.text
}

// telling returns the part of a text that says why: the first line with a code or the
// usual words, or all of it.
func telling(text string) string {
	words := ""
	for l := range strings.Lines(text) {
		if Code(l) != "" {
			return l
		}
		if words == "" && (replyCode(l) != "" || byWords("", l) == Hard) {
			words = l
		}
	}
	return words
}
