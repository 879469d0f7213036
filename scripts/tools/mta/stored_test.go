package mta_test

import (
	"bytes"
	"html"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStored has every kind of mail stored by OpenSMTPD, signed with an RSA and with an
// Ed25519 key, and read by other programs.
func TestStored(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa-sha256", "ed25519-sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			k, office := newKey(t, algorithm), openPostOffice(t, users()...)
			mails := begin(t, office, k).send(office)
			for i, r := range read(t, k, mails) {
				l := letters()[i]
				t.Run(l.name, func(t *testing.T) {
					l.judgeBytes(t, mails[i])
					l.judgeHeader(t, mails[i])
					l.judgeSignature(t, k, r)
					l.judgeReading(t, r)
				})
			}
			if office.front.encrypted.Load() == 0 {
				t.Error("no mail was encrypted on its way")
			}
		})
	}
}

// judgeBytes checks what any server may insist on: no bytes but ASCII, which needs no
// extension, and no lines that are longer than SMTP allows or the encoding may make.
func (l letter) judgeBytes(t *testing.T, text []byte) {
	t.Helper()
	head, body, ok := bytes.Cut(text, []byte("\r\n\r\n"))
	if !ok {
		t.Fatal("there is no body")
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\r' && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("byte %d is %q", i, text[i])
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if len(line) > 998 {
			t.Errorf("a line of the header has %d bytes", len(line))
		}
	}
	for line := range bytes.SplitSeq(body, []byte("\r\n")) {
		if len(line) > 76 && !bytes.HasPrefix(line, []byte("--")) && !bytes.HasPrefix(line, []byte("Content-")) {
			t.Errorf("a line of a body has %d bytes: %s", len(line), line)
		}
	}
}

// judgeHeader checks the header fields, and the parts as Go reads them.
func (l letter) judgeHeader(t *testing.T, text []byte) {
	t.Helper()
	header, parts := parse(t, text)
	if len(parts) != 2 || parts[0].kind != "text/plain" || parts[1].kind != "text/html" {
		t.Fatalf("not a text and then HTML, but %d parts", len(parts))
	}
	for i, p := range parts {
		if !strings.EqualFold(p.charset, "utf-8") || p.encoding != "quoted-printable" {
			t.Errorf("part %d is in %s and %s", i, p.charset, p.encoding)
		}
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || subject != l.subject {
		t.Errorf("the subject is %q, not %q: %v", subject, l.subject, err)
	}
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id", "Content-Type", "Mime-Version", "Dkim-Signature", "Auto-Submitted"} {
		if n := len(header[name]); n != 1 {
			t.Errorf("%s is there %d times", name, n)
		}
	}
	l.judgeLink(t, header)
	if !strings.Contains(header.Get("Return-Path"), "@"+senderDomain+">") || header.Get("Delivered-To") != l.user+"@"+mailDomain {
		t.Errorf("it came from %q to %q", header.Get("Return-Path"), header.Get("Delivered-To"))
	}
}

// judgeLink checks the link to unsubscribe as RFC 8058 wants it.
func (l letter) judgeLink(t *testing.T, header mail.Header) {
	t.Helper()
	link, post := header["List-Unsubscribe"], header["List-Unsubscribe-Post"]
	if l.bound {
		if len(link)+len(post) > 0 {
			t.Errorf("it can be unsubscribed: %q %q", link, post)
		}
		return
	}
	if len(link) != 1 || !regexp.MustCompile(`^<http://127\.0\.0\.1:\d+/v1/unsubscribe/[\w-]+>$`).MatchString(link[0]) {
		t.Errorf("the links to unsubscribe are %q", link)
	}
	if !slices.Equal(post, []string{"List-Unsubscribe=One-Click"}) {
		t.Errorf("List-Unsubscribe-Post is %q", post)
	}
}

// judgeSignature checks that both programs find the one signature sound, by the author's
// domain, and that it covers what matters.
func (l letter) judgeSignature(t *testing.T, k *key, r reading) {
	t.Helper()
	if r.msgauth != nil {
		t.Errorf("go-msgauth: %v", r.msgauth)
	}
	if len(r.Signatures) != 1 {
		t.Fatalf("mailauth finds %d signatures", len(r.Signatures))
	}
	s := r.Signatures[0]
	if s.Result != "pass" || s.Aligned != senderDomain || s.Domain != senderDomain || s.Algorithm != k.algorithm || r.DMARC != "pass" {
		t.Errorf("mailauth: %+v, DMARC %q", s, r.DMARC)
	}
	must := []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}
	if !l.bound {
		must = append(must, "List-Unsubscribe", "List-Unsubscribe-Post")
	}
	for program, signed := range map[string][]string{"go-msgauth": r.covered, "mailauth": s.Signed} {
		for _, name := range must {
			if !slices.ContainsFunc(signed, func(s string) bool { return strings.EqualFold(s, name) }) {
				t.Errorf("%s: the signature doesn't cover %s but %q", program, name, signed)
			}
		}
	}
}

// judgeReading checks what another program's parser found.
func (l letter) judgeReading(t *testing.T, r reading) {
	t.Helper()
	if r.Subject != l.subject || r.Attachments != 0 {
		t.Errorf("the subject is %q and there are %d attachments", r.Subject, r.Attachments)
	}
	if r.From != (named{senderName, "news@" + senderDomain}) {
		t.Errorf("it is from %+v", r.From)
	}
	if len(r.To) != 1 || r.To[0] != (named{l.person, l.user + "@" + mailDomain}) {
		t.Errorf("it is to %+v", r.To)
	}
	if !strings.HasSuffix(r.MessageID, "@"+senderDomain+">") {
		t.Errorf("the Message-ID is %s", r.MessageID)
	}
	if at, err := time.Parse(time.RFC3339, r.Date); err != nil || time.Since(at).Abs() > 10*time.Minute {
		t.Errorf("it is of %s: %v", r.Date, err)
	}
	seen := squeeze(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(r.HTML, " ")))
	for name, body := range map[string]struct {
		got  string
		want []string
	}{"text": {squeeze(r.Text), l.text}, "HTML": {seen, l.html}} {
		for _, want := range body.want {
			if !strings.Contains(body.got, squeeze(want)) {
				t.Errorf("the %s doesn't say %q but %s", name, want, body.got)
			}
		}
	}
}
