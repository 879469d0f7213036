package dsn_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tidings/services/mailer/bounce/dsn"
)

// report builds a multipart/report of parts, each with its own header.
func report(kind string, parts ...string) string {
	s := "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: bounce+k1.seal@b.example.com\n" +
		"Date: Thu, 05 Mar 2026 10:00:00 +0100\nSubject: Undelivered Mail\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=" + kind + "; boundary=\"x=_1\"\n\nThis is MIME.\n"
	for _, p := range parts {
		s += "\n--x=_1\n" + p
	}
	return crlf(s + "\n--x=_1--\n")
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const (
	words    = "Content-Type: text/plain\n\nSorry, your mail to <ann@example.com> came back.\n"
	original = "Content-Type: message/rfc822\n\nReturn-Path: <bounce+k1.seal@b.example.com>\nFrom: news@example.com\nTo: Ann <ann@example.com>\n" +
		"Message-ID: <k1@example.com>\nX-Tidings-Trace: v1 k1\n bm90 hash seal\nSubject: Hello\n\nThe body.\nMessage-ID: <forged@example.com>\n"
	headers = "Content-Type: text/rfc822-headers\n\nMessage-ID: <k2@example.com>\nTo: ann@example.com\n"
	// encoded is a part in base64, as some gateways write it.
	encoded = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n" +
		"RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFubkBleGFtcGxlLmNvbQpBY3Rpb246IGZhaWxlZApTdGF0dXM6IDUuMS4xCg==\n"
)

// status is a delivery-status part about ann.
func status(action, code, diagnostic string) string {
	return "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\nArrival-Date: Thu, 05 Mar 2026 09:00:00 +0100\n\n" +
		"Original-Recipient: rfc822;ann@example.com\nFinal-Recipient: rfc822; <ann@example.com>\nAction: " + action + "\nStatus: " + code +
		"\nDiagnostic-Code: smtp; " + diagnostic + "\nLast-Attempt-Date: Thu, 05 Mar 2026 09:30:00 +0100\n"
}

func feedback(kind string) string {
	return "Content-Type: message/feedback-report\n\nFeedback-Type: " + kind + "\nUser-Agent: Loop/1.0\nVersion: 1\n" +
		"Original-Mail-From: <bounce+k1.seal@b.example.com>\nOriginal-Rcpt-To: <ann@example.com>\nReceived-Date: Thu, 05 Mar 2026 08:00:00 +0000\n"
}

const qmail = `From: MAILER-DAEMON@mx.example.net
To: bounce+k1.seal@b.example.com
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ann@example.com>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <bounce+k1.seal@b.example.com>
Message-ID: <k1@example.com>
X-Tidings-Trace: v1 k1 bm90 hash seal
To: ann@example.com

Hello
`

const exim = `From: Mail Delivery System <Mailer-Daemon@mx.example.net>
X-Failed-Recipients: ann@example.com
Subject: Mail delivery failed

A message that you sent could not be delivered:

  ann@example.com
    host mx.example.com [192.0.2.1]
    SMTP error from remote mail server after RCPT TO: 550 User unknown

------ This is a copy of the message, including all the headers. ------

Message-ID: <k1@example.com>

Hello
`

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mail string
		want       []dsn.Report // the fields that are checked
	}{
		{
			"hard", report("delivery-status", words, status("failed", "5.1.1", "550 5.1.1 <ann@example.com>: User unknown"), original),
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1", Status: "5.1.1"}},
		},
		{
			"headers only", report("delivery-status", words, status("failed", "5.2.2", "552 full"), headers),
			[]dsn.Report{{Kind: dsn.Soft, Recipient: "ann@example.com", MessageID: "k2@example.com", Key: "k2", Status: "5.2.2"}},
		},
		{
			"no original", report("delivery-status", words, status("failed", "5.7.1", "550 spam")),
			[]dsn.Report{{Kind: dsn.Refused, Recipient: "ann@example.com", Status: "5.7.1"}},
		},
		{
			"delayed", report("delivery-status", words, status("delayed", "4.4.1", "451 later"), original),
			[]dsn.Report{{Kind: dsn.Delayed, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1", Status: "4.4.1"}},
		},
		{
			"delivered", report("delivery-status", words, status("relayed", "2.0.0", "250 ok")),
			[]dsn.Report{{Kind: dsn.Delivered, Recipient: "ann@example.com", Status: "2.0.0"}},
		},
		{"expanded", report("delivery-status", words, status("expanded", "2.0.0", "")), nil},
		{
			"no action", report("delivery-status", strings.ReplaceAll(status("x", "5.1.1", ""), "Action: x\n", "")),
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", Status: "5.1.1"}},
		},
		{"base64", report("delivery-status", words, encoded), []dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", Status: "5.1.1"}}},
		{
			"LF only", strings.ReplaceAll(report("delivery-status", status("failed", "5.1.1", ""), original), "\r\n", "\n"),
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1", Status: "5.1.1"}},
		},
		{
			"cut off", report("delivery-status", status("failed", "5.1.1", ""), original)[:700],
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", Status: "5.1.1"}},
		},
		{
			"two recipients", report("delivery-status", status("failed", "5.1.1", "")+"\nFinal-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.2.2\n"),
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", Status: "5.1.1"}, {Kind: dsn.Soft, Recipient: "bob@example.com", Status: "5.2.2"}},
		},
		{
			"nested", report("x", "Content-Type: multipart/mixed; boundary=y\n\n--y\n"+status("failed", "5.1.1", "")+"\n--y--\n"),
			[]dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", Status: "5.1.1"}},
		},
		{
			"complaint", report("feedback-report", words, feedback("abuse"), original),
			[]dsn.Report{{Kind: dsn.Complaint, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1"}},
		},
		{"opt-out", report("feedback-report", feedback("opt-out")), []dsn.Report{{Kind: dsn.Complaint, Recipient: "ann@example.com"}}},
		{"DMARC", report("feedback-report", words, feedback("auth-failure"), original), nil},
		{"not spam", report("feedback-report", words, feedback("not-spam"), original), nil},
		{"qmail", qmail, []dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1", Status: "5.1.1"}}},
		{"exim", crlf(exim), []dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1"}}},
		{"qmail without the original", qmail[:strings.Index(qmail, "---")], nil},
		{"absence note", strings.ReplaceAll(qmail, "(#5.1.1)", ""), []dsn.Report{{Kind: dsn.Hard, Recipient: "ann@example.com", MessageID: "k1@example.com", Key: "k1"}}},
		{"absence note of a person", strings.ReplaceAll(qmail, "MAILER-DAEMON", "ann"), nil},
		{"absence note of a server", strings.ReplaceAll(qmail, "Sorry, no mailbox here by that name. (#5.1.1)", "I am away until Monday."), nil},
		{"an answer", "From: ann@example.com\nTo: news@example.com\nSubject: Re: Hello\n\nThanks!\n", nil},
		{"a header", "Subject: x\n\n", nil},
		{"nothing", "", nil},
		{"garbage", "\x00\xff\n\n\x01", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := dsn.Parse(strings.NewReader(c.mail))
			if len(c.want) == 0 {
				if !errors.Is(err, dsn.ErrNotReport) || got != nil {
					t.Fatalf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
			for i, want := range c.want {
				g := got[i]
				if g.Kind != want.Kind || g.Recipient != want.Recipient || g.MessageID != want.MessageID || g.Key != want.Key || g.Status != want.Status {
					t.Errorf("got %+v, want %+v", g, want)
				}
			}
		})
	}
}

// TestEvidence: everything that may prove a report is found.
func TestEvidence(t *testing.T) {
	t.Parallel()
	mail := "Delivered-To: bounce+k9.seal@b.example.com\r\n" + report("delivery-status", words, status("failed", "5.1.1", "550 no\n  such user"), original)
	got, err := dsn.Parse(strings.NewReader(mail))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	r := got[0]
	if want := "v1 k1 bm90 hash seal"; r.Evidence.Trace != want {
		t.Errorf("trace %q", r.Evidence.Trace)
	}
	if want := []string{"bounce+k9.seal@b.example.com", "bounce+k1.seal@b.example.com"}; !slices.Equal(r.Evidence.ReturnPaths, want) {
		t.Errorf("return paths %q", r.Evidence.ReturnPaths)
	}
	if want := []string{"ann@example.com"}; !slices.Equal(r.Evidence.To, want) || !slices.Equal(r.Evidence.Recipients, want) {
		t.Errorf("to %q, recipients %q", r.Evidence.To, r.Evidence.Recipients)
	}
	if r.Diagnostic != "550 no such user" || !r.At.Equal(time.Date(2026, 3, 5, 8, 30, 0, 0, time.UTC)) {
		t.Errorf("diagnostic %q, at %v", r.Diagnostic, r.At)
	}
	plus := strings.ReplaceAll(report("delivery-status", status("failed", "5.1.1", "")), "Original-Recipient: rfc822;ann@", "Original-Recipient: rfc822;ann+2Bnews@")
	if got, err = dsn.Parse(strings.NewReader(plus)); err != nil || !slices.Contains(got[0].Evidence.Recipients, "ann+news@example.com") {
		t.Errorf("recipients %+v, %v", got, err)
	}
}

// TestUnreadable: a reader that fails is not a short message.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, cut := range []int{0, 100, 600, 900} {
		mail := report("delivery-status", words, status("failed", "5.1.1", ""), original)
		r := io.MultiReader(strings.NewReader(mail[:min(cut, len(mail))]), iotest.ErrReader(broken))
		if got, err := dsn.Parse(r); !errors.Is(err, broken) || errors.Is(err, dsn.ErrNotReport) || got != nil {
			t.Errorf("after %d bytes: %v, %v", cut, got, err)
		}
	}
}

// TestBounds: what is too much is not read, and what is before it counts.
func TestBounds(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{status("failed", "5.1.1", strings.Repeat("x ", 50_000))}, 30)
	long := func(parts ...string) string { return report("delivery-status", parts...) }
	deep := words
	for i := range 10 {
		b := string(rune('a' + i))
		deep = "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n" + deep + "\n--" + b + "--\n"
	}
	groups := status("failed", "5.1.1", "") + strings.Repeat("\nFinal-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1\n", 1000)
	for name, mail := range map[string]string{
		"many parts":       long(many...),
		"deep":             long(status("failed", "5.1.1", ""), deep),
		"long original":    long(status("failed", "5.1.1", ""), original+strings.Repeat("body\n", 1<<20)),
		"many groups":      long(groups),
		"long fields":      long(status("failed", "5.1.1", strings.Repeat("y", 60_000))),
		"long folded line": long(status("failed", "5.1.1", "z"+strings.Repeat("\n z", 20_000))),
	} {
		got, err := dsn.Parse(strings.NewReader(mail))
		if err != nil || len(got) < 1 || len(got) > 1000 || got[0].Kind != dsn.Hard {
			t.Errorf("%s: %d reports, %v", name, len(got), err)
		}
		for _, r := range got {
			check(t, r)
		}
	}
	for name, mail := range map[string]string{
		"only deep":   long(strings.ReplaceAll(deep, words, status("failed", "5.1.1", ""))),
		"long header": "X: " + strings.Repeat("x", 1<<17) + "\r\n" + long(status("failed", "5.1.1", "")),
	} {
		if got, err := dsn.Parse(strings.NewReader(mail)); !errors.Is(err, dsn.ErrNotReport) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// check finds reports that break what is promised of them.
func check(t *testing.T, r dsn.Report) {
	t.Helper()
	if !r.Kind.Known() {
		t.Errorf("kind %q", r.Kind)
	}
	for _, s := range []string{r.Recipient, r.MessageID, r.Key, r.Status, r.Diagnostic} {
		if len(s) > dsn.MaxText || strings.ContainsAny(s, "\r\n\x00\x1b") {
			t.Errorf("text %.100q", s)
		}
	}
	if r.Key != "" && !dsn.IsKey(r.Key) {
		t.Errorf("key %q", r.Key)
	}
	for _, list := range [][]string{r.Evidence.ReturnPaths, r.Evidence.Recipients, r.Evidence.To} {
		if len(list) > dsn.MaxEvidence {
			t.Errorf("%d of evidence", len(list))
		}
	}
	if r.AddressHash != "" || r.Notification != "" {
		t.Error("parsing proved something")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		report("delivery-status", words, status("failed", "5.1.1", "550 5.1.1 no"), original),
		report("delivery-status", encoded, headers), report("feedback-report", feedback("abuse"), original),
		qmail, exim, "", "\n", "Content-Type: multipart/report\n\n--\n--\n", "Content-Type: multipart/x; boundary=\"\"\n\n--\n\n--",
		"Content-Type: message/delivery-status\n\nFinal-Recipient: ;\nStatus: 5.1.1",
		"Content-Type: text/plain; charset=klingon\nFrom: mailer-daemon\n\n550\n--- Below this line is a copy of the message\n\nMessage-ID: <\xff@",
		"Content-Transfer-Encoding: x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := dsn.Parse(strings.NewReader(string(data)))
		if (err == nil) == (len(got) == 0) || err != nil && !errors.Is(err, dsn.ErrNotReport) {
			t.Errorf("%d reports, %v", len(got), err)
		}
		for _, r := range got {
			check(t, r)
		}
	})
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, diagnostic string
		want               dsn.Kind
	}{
		{"5.1.1", "", dsn.Hard},
		{"5.1.2", "", dsn.Hard},
		{"5.1.3", "", dsn.Hard},
		{"5.1.6", "", dsn.Hard},
		{"5.1.10", "null MX", dsn.Hard},
		{"5.2.1", "disabled", dsn.Hard},
		{"5.1.0", "something", dsn.Soft},
		{"5.1.0", "550 Unknown user", dsn.Hard},
		{"5.1.4", "ambiguous", dsn.Soft},
		{"5.1.7", "bad sender", dsn.Refused},
		{"5.1.8", "bad sender's domain", dsn.Refused},
		{"5.2.2", "full", dsn.Soft},
		{"5.2.3", "too large", dsn.Refused},
		{"5.3.4", "too large", dsn.Refused},
		{"5.4.1", "Recipient address rejected: Access denied", dsn.Soft},
		{"5.4.4", "no route", dsn.Soft},
		{"5.6.0", "content", dsn.Refused},
		{"5.7.1", "user unknown or so", dsn.Refused},
		{"5.7.26", "unauthenticated", dsn.Refused},
		{"4.4.7", "expired", dsn.Soft},
		{"4.7.0", "greylisted for ever", dsn.Refused},
		{"4.1.1", "", dsn.Soft},
		{"5.0.0", "smtp 550 5.1.1 user unknown", dsn.Hard},
		{"5.0.0", "550 5.7.1 blocked", dsn.Refused},
		{"5.0.0", "550 User unknown", dsn.Hard},
		{"5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable", dsn.Hard},
		{"5.0.0", "450 mailbox unavailable", dsn.Soft},
		{"5.0.0", "554 no such user", dsn.Soft},
		{"", "550 Invalid recipient <ann@example.com>", dsn.Hard},
		{"", "550 sender address rejected: domain does not exist", dsn.Refused},
		{"", "550 blocked as spam, user unknown", dsn.Refused},
		{"", "", dsn.Soft},
		{"4.0.0", "user unknown", dsn.Soft},
		{"2.0.0", "", dsn.Soft},
	} {
		if got := dsn.Classify(c.status, c.diagnostic); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.status, c.diagnostic, got, c.want)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"5.1.1": "5.1.1", "550 5.1.1 no": "5.1.1", "(#5.1.1)": "5.1.1", "550-5.1.10.": "5.1.10", "is 5.2.1.": "5.2.1", "x4.4.7": "4.4.7",
		"5.1.1 (bad)": "5.1.1", "": "", "5": "", "5.": "", "5.1": "", "5.1.": "", "3.1.1": "", "15.1.1": "", "5.1.1111": "", "5.6.7.8": "",
		"host 5.5.5.5 said 5.7.1": "5.7.1", "192.5.1.1": "", "qmail 1.5.3": "", "550": "", "5..1": "",
	} {
		if got := dsn.Code(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
