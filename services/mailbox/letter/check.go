package letter

import (
	"bytes"
	"fmt"
	"net/mail"
	"slices"
	"strings"
)

const (
	// clipSize is how much HTML Gmail shows before it cuts, in bytes.
	clipSize = 102 << 10
	// maxLine is the longest line that RFC 5322 allows, in bytes without its end.
	maxLine = 998
)

// Check is one thing that receivers look at.
type Check struct {
	// Name is stable: "text_part", "unsubscribe", "message_id", "date", "dkim", "size",
	// "line_endings", "mime".
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Says is a sentence about it for people.
	Says string `json:"says"`
}

// Checks looks at what receivers look at, as far as it can be seen without asking
// anybody: a signature is there or not, but is not verified.
func (l *Letter) Checks() []Check {
	return []Check{
		l.checkText(), l.checkUnsubscribe(), l.checkMessageID(), l.checkDate(),
		l.checkDKIM(), l.checkSize(), l.checkLines(), l.checkMIME(),
	}
}

// check chooses between two sentences.
func check(name string, ok bool, good, bad string) Check {
	if ok {
		return Check{Name: name, OK: true, Says: good}
	}
	return Check{Name: name, Says: bad}
}

func (l *Letter) checkText() Check {
	ok := l.Text.There && strings.TrimSpace(l.Text.Content) != ""
	return check("text_part", ok, "It has a text part.",
		"It has no text part: watches, screen readers and some filters miss it.")
}

func (l *Letter) checkUnsubscribe() Check {
	const name = "unsubscribe"
	switch there, post := l.has("List-Unsubscribe"), l.has("List-Unsubscribe-Post"); {
	case !there:
		return check(name, false, "", "It has no List-Unsubscribe, which all but transactional mail needs.")
	case !post:
		return check(name, false, "", "It has List-Unsubscribe without List-Unsubscribe-Post, so there is no one-click.")
	}
	ok := slices.ContainsFunc(l.Links(), func(x Link) bool { return x.OneClick })
	return check(name, ok, "One click unsubscribes (RFC 8058).",
		"List-Unsubscribe needs an https address, and List-Unsubscribe-Post must be List-Unsubscribe=One-Click.")
}

func (l *Letter) checkMessageID() Check {
	left, right, ok := strings.Cut(strings.Trim(l.MessageID, "<>"), "@")
	ok = ok && left != "" && right != "" && strings.HasPrefix(l.MessageID, "<") && strings.HasSuffix(l.MessageID, ">") &&
		!strings.ContainsAny(l.MessageID, " \t") && len(l.header.Values("Message-Id")) == 1
	return check("message_id", ok, "It has one Message-ID.", "It needs one Message-ID, like <id@domain>.")
}

func (l *Letter) checkDate() Check {
	_, err := mail.ParseDate(l.header.Get("Date"))
	return check("date", err == nil && len(l.header.Values("Date")) == 1, "It has one Date.", "It needs one Date as RFC 5322 writes it.")
}

func (l *Letter) checkDKIM() Check {
	const name = "dkim"
	signatures := l.header.Values("Dkim-Signature")
	if len(signatures) == 0 {
		return check(name, false, "", "It has no DKIM-Signature.")
	}
	if !l.has("List-Unsubscribe-Post") {
		return check(name, true, "It has a DKIM-Signature, which is not verified here.", "")
	}
	ok := slices.ContainsFunc(signatures, func(s string) bool {
		signed := signedFields(s)
		return slices.Contains(signed, "list-unsubscribe") && slices.Contains(signed, "list-unsubscribe-post")
	})
	return check(name, ok, "It has a DKIM-Signature that covers List-Unsubscribe; it is not verified here.",
		"Its DKIM-Signature does not cover List-Unsubscribe and List-Unsubscribe-Post, as RFC 8058 wants.")
}

// signedFields are the names that the tag h of a signature lists, in lower case.
func signedFields(signature string) []string {
	for tag := range strings.SplitSeq(signature, ";") {
		name, value, _ := strings.Cut(tag, "=")
		if strings.TrimSpace(name) != "h" {
			continue
		}
		var names []string
		for one := range strings.SplitSeq(value, ":") {
			names = append(names, strings.ToLower(strings.Join(strings.Fields(one), "")))
		}
		return names
	}
	return nil
}

func (l *Letter) checkSize() Check {
	size := l.HTML.Size
	if !l.HTML.There {
		size = l.Text.Size
	}
	says := fmt.Sprintf("What is shown is %.1f KB", float64(size)/1024)
	return check("size", size < clipSize, says+", under the 102 KB at which Gmail cuts.", says+"; Gmail cuts at 102 KB.")
}

func (l *Letter) checkLines() Check {
	const name = "line_endings"
	if at := bareEnd(l.raw); at >= 0 {
		return check(name, false, "", fmt.Sprintf("There is a CR or LF alone at byte %d: lines end in CR LF.", at))
	}
	for line := range bytes.SplitSeq(l.raw, []byte("\r\n")) {
		if len(line) > maxLine {
			return check(name, false, "", fmt.Sprintf("A line has %d bytes; %d are allowed.", len(line), maxLine))
		}
	}
	return check(name, true, "Lines end in CR LF and none is too long.", "")
}

// bareEnd is where the first CR or LF without the other is, -1 if there is none.
func bareEnd(raw []byte) int {
	for i, c := range raw {
		switch {
		case c == '\n' && (i == 0 || raw[i-1] != '\r'):
			return i
		case c == '\r' && (i == len(raw)-1 || raw[i+1] != '\n'):
			return i
		}
	}
	return -1
}

func (l *Letter) checkMIME() Check {
	if len(l.addresses("From")) == 0 {
		return check("mime", false, "", "It needs a From with an address.")
	}
	return check("mime", len(l.Faults) == 0, "Its MIME is sound.", strings.Join(l.Faults, " "))
}
