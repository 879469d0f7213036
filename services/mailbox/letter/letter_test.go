package letter_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"tidings/services/mailbox/letter"
)

// lines joins lines as mail has them.
func lines(list ...string) []byte { return []byte(strings.Join(list, "\r\n") + "\r\n") }

// pixel is an image, the smallest there is.
var pixel = base64.StdEncoding.EncodeToString([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"))

// whole is a mail that has everything, and nothing wrong.
func whole() []byte {
	return lines(
		"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x;",
		"\th=From:Date:List-Unsubscribe:\tList-Unsubscribe-Post; bh=x; b=x",
		"Message-ID: <job42@example.com>",
		"Date: Mon, 23 Nov 2026 07:00:00 +0000",
		"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>",
		"To: ann@example.org",
		"subject: =?iso-8859-1?q?Gr=FC=DFe?= from",
		" Berlin",
		"List-Unsubscribe: <https://example.com/u/1>, <mailto:u@example.com>",
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
		"MIME-Version: 1.0",
		"Content-Type: multipart/mixed; boundary=a",
		"",
		"--a",
		"Content-Type: multipart/alternative; boundary=b",
		"",
		"--b",
		"Content-Type: text/plain; charset=iso-8859-1",
		"Content-Transfer-Encoding: quoted-printable",
		"",
		"Sch=F6n: see https://example.com/orders/7.",
		"--b",
		"Content-Type: multipart/related; boundary=c",
		"",
		"--c",
		"Content-Type: text/html; charset=utf-8",
		"",
		`<!doctype html><html><head><title>x</title></head><body><img src="cid:logo%40example"><a href="https://example.com/orders/7">Order <b>7</b></a></body></html>`,
		"--c",
		"Content-Type: image/gif",
		"Content-ID: <Logo@example>",
		"Content-Transfer-Encoding: base64",
		"",
		pixel,
		"--c--",
		"--b--",
		"--a",
		"Content-Type: application/pdf",
		"Content-Disposition: attachment; filename*=utf-8''Rechnung%20%C3%A4.pdf",
		"Content-Transfer-Encoding: base64",
		"",
		base64.StdEncoding.EncodeToString([]byte("%PDF")),
		"--a--",
	)
}

func TestRead(t *testing.T) {
	t.Parallel()
	l := letter.Read(whole())
	if l.Subject != "Grüße from Berlin" || l.From != "Jörg <joerg@example.com>" || l.MessageID != "<job42@example.com>" || l.Key != "job42" {
		t.Errorf("subject %q, from %q, id %q, key %q", l.Subject, l.From, l.MessageID, l.Key)
	}
	if got := strings.TrimSpace(l.Text.Content); got != "Schön: see https://example.com/orders/7." {
		t.Errorf("text %q", got)
	}
	if !strings.HasPrefix(l.HTML.Content, "<!doctype html>") || l.HTML.Cut || l.HTML.Size != int64(len(l.HTML.Content)) {
		t.Errorf("html %+v", l.HTML)
	}
	want := []letter.File{
		{N: 1, Type: "image/gif", Size: 14, CID: "Logo@example", Inline: true},
		{N: 2, Name: "Rechnung ä.pdf", Type: "application/pdf", Size: 4},
	}
	if !slices.Equal(l.Files, want) || l.Attachments() != 1 {
		t.Errorf("files %+v, %d attachments", l.Files, l.Attachments())
	}
	if f, content, ok := l.Open(2); !ok || f.N != 2 || string(content) != "%PDF" {
		t.Errorf("Open(2): %+v %q %v", f, content, ok)
	}
	if _, _, ok := l.Open(3); ok {
		t.Error("Open(3) found something")
	}
	var names []string
	for _, f := range l.Header {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "DKIM-Signature Message-ID Date From To subject List-Unsubscribe List-Unsubscribe-Post MIME-Version Content-Type" {
		t.Errorf("header %s", got)
	}
	if len(l.Faults) > 0 || l.Source {
		t.Errorf("faults %q", l.Faults)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	got := letter.Read(whole()).Links()
	want := []letter.Link{
		{URL: "https://example.com/u/1", In: letter.InUnsubscribe, OneClick: true},
		{URL: "mailto:u@example.com", In: letter.InUnsubscribe},
		{URL: "https://example.com/orders/7", Text: "Order 7", In: letter.InHTML},
		{URL: "https://example.com/orders/7", In: letter.InText},
	}
	if !slices.Equal(got, want) {
		t.Errorf("links %+v", got)
	}
	bad := letter.Read(lines("Content-Type: text/html", "", `<a href="javascript:alert(1)">x</a><a href="data:text/html,x">y</a><a href=" https://ok.example ">z`))
	if got := bad.Links(); len(got) != 1 || got[0].URL != "https://ok.example" || got[0].Text != "z" {
		t.Errorf("links %+v", got)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	sound := string(whole())
	for _, c := range []struct {
		name     string
		old, new string
		want     string // the checks that fail
	}{
		{"sound", "", "", ""},
		{"no text", "Content-Type: text/plain;", "Content-Type: text/x-plain;", "text_part"},
		{"no one-click", "List-Unsubscribe-Post: List", "X-Other: List", "unsubscribe"},
		{"no unsubscribe", "List-Unsubscribe: <", "X-Other: <", "unsubscribe"},
		{"unsubscribe by http", "<https://example.com/u/1>", "<http://example.com/u/1>", "unsubscribe"},
		{"wrong post", "=One-Click", "=Two-Click", "unsubscribe"},
		{"no id", "Message-ID: ", "X-Other: ", "message_id"},
		{"bad id", "<job42@example.com>", "job42", "message_id"},
		{"two ids", "Date: ", "Message-ID: <b@example.com>\r\nDate: ", "message_id"},
		{"bad date", "Mon, 23 Nov", "Monday", "date"},
		{"unsigned", "DKIM-Signature: ", "X-Other: ", "dkim"},
		{"unsubscribe is unsigned", "\tList-Unsubscribe-Post; bh", " Subject; bh", "dkim"},
		{"large", "<!doctype html>", "<!doctype html>" + strings.Repeat("<br>\r\n", 20<<10), "size"},
		{"lone LF", "Sch=F6n", "a\nb", "line_endings"},
		{"lone CR", "Sch=F6n", "a\rb", "line_endings"},
		{"long line", "Sch=F6n", strings.Repeat("a", 999), "line_endings"},
		{"no from", "From: ", "X-Other: ", "mime"},
		{"torn off", "\r\n--a--\r\n", "", "mime"},
		{"unknown charset", "charset=iso-8859-1", "charset=klingon", "mime"},
		{"unknown encoding", "quoted-printable", "rot13", "mime"},
		{"bad base64", pixel, "!!!", "mime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := strings.Replace(sound, c.old, c.new, 1)
			if c.old != "" && raw == sound {
				t.Fatal("nothing was changed")
			}
			var failed []string
			for _, check := range letter.Read([]byte(raw)).Checks() {
				if check.Says == "" {
					t.Errorf("%s says nothing", check.Name)
				}
				if !check.OK {
					failed = append(failed, check.Name)
				}
			}
			if got := strings.Join(failed, " "); got != c.want {
				t.Errorf("failed %q, want %q", got, c.want)
			}
		})
	}
}

// A mail that can't be read is shown as it came.
func TestBrokenIsShownAsSource(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "\r\n", "no header at all\r\n", " starts with a space\r\n\r\n", "A: b\r\nno colon\r\n\r\nx",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing", "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx", "\xff\xfe: x\r\n\r\n",
		"A: " + strings.Repeat("x", 300<<10) + "\r\n\r\n",
	} {
		l := letter.Read([]byte(raw))
		if len(l.Faults) == 0 {
			t.Errorf("%.40q: no faults", raw)
		}
		if want := strings.ToValidUTF8(raw, "\uFFFD"); (l.Source || strings.TrimSpace(raw) != "") && l.Text.Content != want {
			t.Errorf("%.40q: text %.40q", raw, l.Text.Content)
		}
	}
}

func TestManyParts(t *testing.T) {
	t.Parallel()
	list := []string{"From: a@example.com", "Content-Type: multipart/mixed; boundary=x", ""}
	for i := range 1000 {
		list = append(list, "--x", "Content-Type: image/png", "Content-Disposition: attachment", "", fmt.Sprint(i))
	}
	l := letter.Read(lines(append(list, "--x--")...))
	if len(l.Files) != 199 || len(l.Faults) != 1 {
		t.Errorf("%d files, faults %q", len(l.Files), l.Faults)
	}
	var deep []string
	for i := range 100 {
		deep = append(deep, fmt.Sprintf("Content-Type: multipart/mixed; boundary=x%dx", i), "", fmt.Sprintf("--x%dx", i))
	}
	if l := letter.Read(lines(append(deep, "Content-Type: text/plain", "", "hello")...)); len(l.Faults) == 0 || !l.Source {
		t.Errorf("deep: %+v", l.Faults)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain", "hello <b>you</b>", "META" + "hello <b>you</b>"},
		{"doctype first", "\r\n<!DOCTYPE html><html><head>", "\r\n<!DOCTYPE html>META<html><head>"},
		{"comment", "<!-- [if mso]><script>x</script><![endif] -->a", "METAa"},
		{"script", "a<script>alert('</b>')</script>b<SCRIPT src=x>", "METAab"},
		{"frames", "<iframe src=x>y</iframe><object data=x></object><embed src=x>z", "METAz"},
		{"handler", `<p onclick="x()" class="c">z</p>`, `META<p class="c">z</p>`},
		{"refresh", `<meta http-equiv=refresh content="0;url=x"><meta charset=utf-8>`, `META<meta charset=utf-8>`},
		{"base and link", `<base href="https://x"><link rel=stylesheet href=x>`, `META`},
		{"links open elsewhere", `<a href="https://x" target=_top>y</a>`, `META<a href="https://x" target="_blank" rel="noopener noreferrer">y</a>`},
		{"style stays", `<style>p > a {color:red}</style><p style="color:blue">`, `META<style>p > a {color:red}</style><p style="color:blue">`},
		{"unknown cid", `<img src="cid:other">`, `META<img src="cid:other">`},
		{"cid", `<img src="cid:i@x">`, `META<img src="data:image/gif;base64,` + pixel + `">`},
		{"cid in style", `<style>a{background:url('cid:i%40x')}</style>`, `META<style>a{background:url('data:image/gif;base64,` + pixel + `')}</style>`},
		{"nothing", ``, `META`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := lines("Content-Type: multipart/related; boundary=b", "", "--b", "Content-Type: text/html", "", c.in,
				"--b", "Content-Type: image/gif", "Content-ID: <i@x>", "Content-Transfer-Encoding: base64", "", pixel, "--b--")
			meta := `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;">`
			if got := letter.Read(raw).Page(false).HTML; got != strings.Replace(c.want, "META", meta, 1) {
				t.Errorf("got  %s\nwant %s", strings.Replace(got, meta, "META", 1), c.want)
			}
		})
	}
}

func TestRemoteImages(t *testing.T) {
	t.Parallel()
	l := letter.Read(lines("Content-Type: text/html", "",
		`<img src="https://t.example/1.gif"><td background="//t.example/2"><p style="background:url( 'http://t.example/3')"><style>a{b:url(https://t.example/4)}</style><img src="data:x">`))
	if got := l.Page(false); got.Remote != 4 || strings.Contains(got.HTML, "img-src data: https:") {
		t.Errorf("%d: %s", got.Remote, got.HTML)
	}
	if got := l.Page(true); !strings.Contains(got.HTML, "img-src data: https: http:;") {
		t.Errorf("%s", got.HTML)
	}
}

// A large image used often must not make a page without end.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	big := base64.StdEncoding.EncodeToString(make([]byte, 1<<20))
	raw := lines("Content-Type: multipart/related; boundary=b", "", "--b", "Content-Type: text/html", "", strings.Repeat(`<img src="cid:i">`+"\r\n", 1000),
		"--b", "Content-Type: image/png", "Content-ID: <i>", "Content-Transfer-Encoding: base64", "", big, "--b--")
	page := letter.Read(raw).Page(false).HTML
	if len(page) > 8<<20 || !strings.Contains(page, "data:image/png") {
		t.Errorf("%d bytes", len(page))
	}
}

func TestLongBodyIsCut(t *testing.T) {
	t.Parallel()
	l := letter.Read(lines("Content-Type: text/plain; charset=utf-8", "", strings.Repeat("äöü", 200<<10)))
	if !l.Text.Cut || len(l.Text.Content) > letter.MaxBody || l.Text.Size != 1200<<10+2 || strings.Contains(l.Text.Content, "\uFFFD") {
		t.Errorf("cut %v, %d of %d bytes", l.Text.Cut, len(l.Text.Content), l.Text.Size)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(whole())
	f.Add(lines("Content-Type: text/html; charset=utf-16", "", "\xff\xfe<\x00a\x00"))
	f.Add(lines("Content-Type: multipart/x; boundary=\"\"", "", "--", "", "x"))
	f.Add(lines("Subject: =?utf-7?q?x?=", "Content-Type: text/plain; charset=gb18030", "", "\x81\x30"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := letter.Read(raw)
		for _, s := range []string{l.Subject, l.From, l.MessageID, l.Text.Content, l.HTML.Content, strings.Join(l.Faults, "")} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		if len(l.Text.Content) > letter.MaxBody || len(l.HTML.Content) > letter.MaxBody || len(l.Header) > letter.MaxFields {
			t.Error("it is not bounded")
		}
		for i, want := range l.Files {
			if got, content, ok := l.Open(i + 1); !ok || got != want || int64(len(content)) != want.Size {
				t.Errorf("file %d: %+v has %d bytes", i, want, len(content))
			}
		}
		for _, link := range l.Links() {
			if strings.HasPrefix(strings.ToLower(link.URL), "javascript") {
				t.Errorf("link %q", link.URL)
			}
		}
		l.Checks()
		if l.HTML.There {
			policyFirst(t, l.Page(true).HTML)
		}
	})
}

// policyFirst says whether the first element of a page is its policy.
func policyFirst(t *testing.T, page string) {
	t.Helper()
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch kind := z.Next(); {
		case kind == html.DoctypeToken:
		case kind == html.TextToken && strings.TrimSpace(string(z.Raw())) == "":
		case strings.HasPrefix(string(z.Raw()), `<meta http-equiv="Content-Security-Policy"`):
			return
		default:
			t.Fatalf("something comes before the policy: %q", page)
		}
	}
}
