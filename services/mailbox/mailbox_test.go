package mailbox_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailbox"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/testkit"
)

// secret signs the tokens of these tests.
const secret = "0123456789abcdef0123456789abcdef"

func TestMain(m *testing.M) { testkit.Main(m) }

// hello is a small mail.
const hello = "From: Tidings <t@example.com>\r\nTo: ann@example.org\r\nSubject: Hello\r\nMessage-ID: <job1@example.com>\r\n" +
	"Content-Type: text/html\r\n\r\n<p>Hi <a href=\"https://example.com/x\">there</a></p>\r\n"

// fixture is a mailbox that runs, behind HTTP.
type fixture struct {
	t *testing.T
	m *mailbox.Mailbox
	h http.Handler
	r *prometheus.Registry

	mu   sync.Mutex
	rows []mailbox.Row // published
}

// row is a row of the list.
type row = mailbox.Row

// start runs a mailbox for as long as the test.
func start(t *testing.T, cfg mailbox.Config) *fixture {
	t.Helper()
	f := &fixture{t: t, r: prometheus.NewPedanticRegistry()}
	v, err := auth.NewVerifier(t.Context(), auth.Config{Secret: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr, cfg.Auth = "127.0.0.1:0", &auth.Authenticator{Verifier: v}
	if cfg.Publish == nil {
		cfg.Publish = func(_ context.Context, topic, kind string, data any) error {
			if topic != "room.mailbox" || kind != "mail.received" {
				t.Errorf("published %s %s", topic, kind)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.rows = append(f.rows, data.(mailbox.Row))
			return nil
		}
	}
	if f.m, err = mailbox.New(cfg, testkit.Log(t), f.r); err != nil {
		t.Fatal(err)
	}
	e := httpx.NewEcho(httpx.EchoConfig{})
	f.m.Routes(e)
	f.h = e
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// addr is where SMTP listens.
func (f *fixture) addr() string { return f.m.Addr().String() }

// send sends a mail as a mailer does that was told tls=none.
func (f *fixture) send(to, mail string) error {
	c, err := smtp.Dial(f.addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Mail("bounce@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, mail); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// mustSend sends a mail that has to arrive, and returns its row.
func (f *fixture) mustSend(to, mail string) row {
	f.t.Helper()
	if err := f.send(to, mail); err != nil {
		f.t.Fatal(err)
	}
	return f.list("")[0]
}

// do asks as an operator, unless the path has a pass.
func (f *fixture) do(method, path, body string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if !strings.Contains(path, "pass=") {
		r.Header.Set("Authorization", "Bearer "+token(f.t, true))
	}
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		f.t.Errorf("%s: Cache-Control %q", path, got)
	}
	return w
}

// ask asks below the API for JSON.
func (f *fixture) ask(method, path, body string, status int, into any) {
	f.t.Helper()
	w := f.do(method, "/console/api/mailbox"+path, body)
	if w.Code != status {
		f.t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			f.t.Fatal(err)
		}
	}
}

// list asks for rows.
func (f *fixture) list(query string) []row {
	f.t.Helper()
	var body struct {
		Mails []row `json:"mails"`
	}
	f.ask("GET", query, "", 200, &body)
	return body.Mails
}

// results are those of all rows, newest first.
func (f *fixture) results() string {
	f.t.Helper()
	var all []string
	for _, r := range f.list("") {
		all = append(all, r.Result)
	}
	return strings.Join(all, ", ")
}

// arm arms a fault.
func (f *fixture) arm(body string) { f.t.Helper(); f.ask("POST", "/faults", body, 201, nil) }

func token(t *testing.T, admin bool) string {
	t.Helper()
	s, err := auth.Mint([]byte(secret), auth.Claims{User: "op", Admin: admin, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMailArrives(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	before := time.Now().Add(-time.Second)
	got := f.mustSend("ann@example.org", hello)
	want := row{
		ID: got.ID, At: got.At, From: "Tidings <t@example.com>", To: []string{"ann@example.org"}, Subject: "Hello", Size: int64(len(hello)),
		MessageID: "<job1@example.com>", Key: "job1", Result: "250", Accepted: true, Kept: true,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || got.At.Before(before) || got.ID < before.UnixMicro() {
		t.Errorf("row %+v, want %+v", got, want)
	}
	testkit.Eventually(t, "the event", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.rows) == 1 && fmt.Sprint(f.rows[0]) == fmt.Sprint(got)
	})
	var body struct {
		Mail     row
		Envelope struct {
			From string
			To   []string
			UTF8 bool
		}
		Session struct {
			Helo, IP  string
			TLS, Auth bool
		}
		Headers []struct{ Name, Value string }
		Text    any
		HTML    struct {
			Content, URL string
			Size         int64
		}
		SourceURL   string `json:"source_url"`
		Attachments []any
		Links       []struct{ URL, In string }
		Checks      []struct {
			Name string
			OK   bool
		}
		Faults []string
	}
	f.ask("GET", fmt.Sprint("/", got.ID), "", 200, &body)
	if body.Mail.ID != got.ID || body.Envelope.From != "bounce@example.com" || body.Session.IP != "127.0.0.1" || body.Session.TLS || body.Session.Auth {
		t.Errorf("%+v", body)
	}
	if len(body.Headers) != 5 || body.Headers[3].Name != "Message-ID" || body.Text != nil || len(body.Links) != 1 || len(body.Checks) != 8 || len(body.Faults) != 0 {
		t.Errorf("%+v", body)
	}
	if !strings.HasPrefix(body.HTML.Content, `<meta http-equiv="Content-Security-Policy"`) {
		t.Errorf("html %s", body.HTML.Content)
	}
	w := f.do("GET", body.HTML.URL, "")
	if w.Code != 200 || w.Body.String() != body.HTML.Content || w.Header().Get("Content-Type") != "text/html; charset=UTF-8" {
		t.Errorf("html: %d %q %s", w.Code, w.Header(), w.Body)
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; img-src data:; style-src 'unsafe-inline'; ") || !strings.Contains(got, "; sandbox allow-popups") {
		t.Errorf("policy %q", got)
	}
	if got := f.do("GET", body.HTML.URL+"&images=1", "").Header().Get("Content-Security-Policy"); !strings.Contains(got, "img-src data: https: http:;") {
		t.Errorf("policy %q", got)
	}
	if w := f.do("GET", body.SourceURL, ""); w.Body.String() != hello || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("source: %d %q", w.Code, w.Body)
	}
	f.ask("GET", fmt.Sprint("/", got.ID, "/text"), "", 404, nil)
}

func TestAttachment(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	got := f.mustSend("a@example.org", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n"+
		"--b\r\nContent-Type: text/html; name=\"a\\\"b\r\n c.html\"\r\n\r\n<script>\r\n--b--\r\n")
	if got.Attachments != 1 || got.From != "bounce@example.com" {
		t.Errorf("%+v", got)
	}
	var body struct {
		Text        struct{ Content string }
		Attachments []struct {
			N              int
			Name, URL, CID string
			Size           int64
		}
	}
	f.ask("GET", fmt.Sprint("/", got.ID), "", 200, &body)
	if body.Text.Content != "hi" || len(body.Attachments) != 1 || body.Attachments[0].Size != 8 {
		t.Fatalf("%+v", body)
	}
	w := f.do("GET", body.Attachments[0].URL, "")
	if w.Code != 200 || w.Body.String() != "<script>" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment; ") ||
		w.Header().Get("Content-Type") != "text/html" || w.Header().Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'self'; sandbox" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, n := range []string{"0", "2", "-1", "x", "99999999999999999999"} {
		f.ask("GET", fmt.Sprint("/", got.ID, "/attachments/", n), "", 404, nil)
	}
	if w := f.do("GET", fmt.Sprint("/console/api/mailbox/", got.ID, "/text"), ""); w.Body.String() != "hi" {
		t.Errorf("text: %d %s", w.Code, w.Body)
	}
}

// dial begins a conversation by hand.
func (f *fixture) dial() *textproto.Conn {
	f.t.Helper()
	c, err := (&net.Dialer{}).DialContext(f.t.Context(), "tcp", f.addr())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return textproto.NewConn(c)
}

// say sends lines and wants their answers to begin with a code, each.
func say(t *testing.T, c *textproto.Conn, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			if err := c.PrintfLine("%s", pairs[i]); err != nil {
				t.Fatal(err)
			}
		}
		var code int
		if _, err := fmt.Sscan(pairs[i+1], &code); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.ReadResponse(code); err != nil {
			t.Fatalf("%q: %v %s", pairs[i], err, got)
		}
	}
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{MaxMail: 4096, Bytes: 1 << 20})
	c := f.dial()
	say(t, c, "", "220")
	if err := c.PrintfLine("EHLO client.example"); err != nil {
		t.Fatal(err)
	}
	_, got, err := c.ReadResponse(250)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH PLAIN LOGIN", "SMTPUTF8", "SIZE 4096"} {
		if !strings.Contains(got+"\n", "\n"+want+"\n") {
			t.Errorf("no %s in %q", want, got)
		}
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	say(
		t, c,
		"AUTH LOGIN", "334", b64("me"), "334", b64("secret"), "235",
		"MAIL FROM:<a@example.com> SIZE=5000", "552",
		"MAIL FROM:<jörg@example.com> SMTPUTF8", "250", "RCPT TO:<grüße@example.org>", "250",
		"DATA", "354", "Subject: Grüße\r\n\r\nx\r\n.", "250",
		"MAIL FROM:<a@example.com>", "250", "RCPT TO:<b@example.org>", "250",
		"DATA", "354", strings.Repeat("0123456789\r\n", 500)+".", "552",
		"MAIL FROM:<a@example.com>", "250", "RCPT TO:<b@example.org>", "250",
		"BDAT 22\r\nSubject: chunks\r\n\r\nx", "250", "BDAT 3 LAST\r\nx", "250",
		"MAIL FROM:<a@example.com>", "250", "RCPT TO:<b@example.org>", "250", "BDAT 5\r\nabc", "250", "RSET", "250",
		"QUIT", "221",
	)
	testkit.Eventually(t, "the torn mail", func() bool { return len(f.list("")) == 4 })
	if got := f.results(); got != "lost at data, 250, 552 at data, 250" {
		t.Errorf("results %s", got)
	}
	rows := f.list("")
	if rows[3].Subject != "Grüße" || rows[3].To[0] != "grüße@example.org" || rows[1].Subject != "chunks" || rows[1].Size != 25 {
		t.Errorf("%+v", rows)
	}
	var body struct {
		Envelope struct{ UTF8 bool }
		Session  struct {
			Helo      string
			Auth, TLS bool
		}
	}
	f.ask("GET", fmt.Sprint("/", rows[3].ID), "", 200, &body)
	if !body.Envelope.UTF8 || !body.Session.Auth || body.Session.TLS || body.Session.Helo != "client.example" {
		t.Errorf("%+v", body)
	}
}

func TestStartTLSAndPlain(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	c, err := smtp.Dial(f.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	err = errors.Join(
		c.StartTLS(&tls.Config{InsecureSkipVerify: true}), // it is self-made
		c.Auth(smtp.PlainAuth("", "anyone", "anything", "127.0.0.1")),
		c.Mail("a@example.com"), c.Rcpt("b@example.org"),
	)
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, hello)
	if err := errors.Join(err, w.Close(), c.Quit()); err != nil {
		t.Fatal(err)
	}
	if got := f.results(); got != "250" {
		t.Errorf("results %s", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault, wantErr, wantResult string
		kept                       bool
	}{
		{`{"stage":"connect","code":421}`, "421 ", "421 at connect", false},
		{`{"stage":"connect","code":0}`, "EOF", "dropped at connect", false},
		{`{"stage":"connect","code":554,"text":"Go away"}`, "554 Go away", "554 at connect", false},
		{`{"stage":"mail","code":451}`, "451 4.3.0 Local error", "451 at mail", false},
		{`{"stage":"mail","code":421}`, "421 4.3.2 Service", "421 at mail", false},
		{`{"stage":"mail","code":0}`, "EOF", "dropped at mail", false},
		{`{"stage":"rcpt","code":550}`, "550 5.1.1 No such user", "550 at rcpt", false},
		{`{"stage":"rcpt","code":450,"text":"Greylisted","recipient":"ANN@"}`, "450 4.2.1 Greylisted", "450 at rcpt", false},
		{`{"stage":"rcpt","code":0}`, "EOF", "dropped at rcpt", false},
		{`{"stage":"data","code":554}`, "554 5.7.1 Rejected", "554 at data", false},
		{`{"stage":"data","code":421}`, "421 4.3.2", "421 at data", false},
		{`{"stage":"data","code":0}`, "", "dropped at data", false},
		{`{"stage":"after_data","code":451}`, "451 4.3.0", "451 at after_data", true},
		{`{"stage":"after_data","code":503,"recipient":"example.org"}`, "503 5.0.0 Rejected", "503 at after_data", true},
		{`{"stage":"after_data","code":0}`, "EOF", "dropped at after_data", true},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			f := start(t, mailbox.Config{})
			f.arm(c.fault)
			err := f.send("ann@example.org", hello)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), c.wantErr) {
				t.Errorf("the client got %v, want %q", err, c.wantErr)
			}
			if err := f.send("ann@example.org", hello); err != nil {
				t.Errorf("the next one got %v", err)
			}
			if got := f.results(); got != "250, "+c.wantResult {
				t.Errorf("results %s", got)
			}
			got := f.list("")[1]
			if got.Kept != c.kept || got.Accepted || c.kept != (got.Subject == "Hello") || got.To == nil {
				t.Errorf("%+v", got)
			}
			status := http.StatusNotFound
			if c.kept {
				status = http.StatusOK
			}
			for _, path := range []string{"", "/source", "/html"} {
				if w := f.do("GET", fmt.Sprint("/console/api/mailbox/", got.ID, path), ""); path == "" && w.Code != 200 || path != "" && w.Code != status {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		})
	}
}

// 421 is the last word: the server ends the connection.
func Test421Closes(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	f.arm(`{"stage":"rcpt","code":421}`)
	c := f.dial()
	say(t, c, "", "220", "EHLO x", "250", "MAIL FROM:<a@example.com>", "250", "RCPT TO:<b@example.org>", "421")
	if _, err := c.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("after 421: %v", err)
	}
}

func TestFaultsAreCountedDown(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	f.arm(`{"stage":"rcpt","code":550,"times":2,"recipient":"bob"}`)
	f.arm(`{"stage":"rcpt","code":450}`)
	for _, to := range []string{"bob@example.org", "ann@example.org", "BOB@example.org", "bob@example.org", "ann@example.org"} {
		_ = f.send(to, hello)
	}
	if got := f.results(); got != "250, 250, 550 at rcpt, 450 at rcpt, 550 at rcpt" {
		t.Errorf("results %s", got)
	}
	f.arm(`{"stage":"data","code":0,"times":7}`)
	_ = f.send("ann@example.org", hello)
	var body struct{ Faults []mailbox.Fault }
	f.ask("GET", "/faults", "", 200, &body)
	if len(body.Faults) != 1 || body.Faults[0].ID != 3 || body.Faults[0].Times != 6 || body.Faults[0].Hit != 1 || body.Faults[0].At.IsZero() {
		t.Errorf("%+v", body.Faults)
	}
	f.ask("DELETE", "/faults/3", "", 200, nil)
	f.ask("DELETE", "/faults/3", "", 404, nil)
	f.ask("DELETE", "/faults/x", "", 404, nil)
	f.arm(`{"stage":"mail","code":451}`)
	f.ask("DELETE", "/faults", "", 200, nil)
	f.mustSend("ann@example.org", hello)
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	for _, body := range []string{
		``, `{}`, `{"stage":"rcpt"}`, `{"stage":"helo","code":550}`, `{"stage":"rcpt","code":250}`, `{"stage":"rcpt","code":600}`,
		`{"stage":"rcpt","code":550,"times":-1}`, `{"stage":"rcpt","code":550,"times":10001}`, `{"stage":"rcpt","code":550,"text":"a\r\nb"}`,
		`{"stage":"rcpt","code":550,"text":"ä"}`, `{"stage":"mail","code":550,"recipient":"a"}`, `{"stage":"rcpt","code":550,"other":1}`,
		`{"stage":"rcpt","code":550,"text":"` + strings.Repeat("a", 201) + `"}`, `{"stage":"rcpt","code":550,"recipient":"` + strings.Repeat("a", 321) + `"}`,
	} {
		f.ask("POST", "/faults", body, 400, nil)
	}
	for range 50 {
		f.arm(`{"stage":"rcpt","code":550}`)
	}
	f.ask("POST", "/faults", `{"stage":"rcpt","code":550}`, 409, nil)
}

func TestListPagesAndSearches(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{Keep: 5})
	for i := range 7 {
		f.mustSend(fmt.Sprintf("user%d@example.org", i), strings.Replace(hello, "Hello", fmt.Sprintf("Number %d", i), 1))
	}
	var body struct {
		Mails []row
		Next  int64
		Total int
		Bytes int64
		SMTP  string
	}
	f.ask("GET", "?limit=3", "", 200, &body)
	if len(body.Mails) != 3 || body.Mails[0].Subject != "Number 6" || body.Next != body.Mails[2].ID || body.Total != 5 || body.Bytes < 5*int64(len(hello)) || body.SMTP != f.m.URL() {
		t.Errorf("%+v", body)
	}
	next := body.Next
	body.Next = 0
	f.ask("GET", fmt.Sprint("?limit=3&before=", next), "", 200, &body)
	if len(body.Mails) != 2 || body.Mails[1].Subject != "Number 2" || body.Next != 0 {
		t.Errorf("%+v", body)
	}
	for q, want := range map[string]int{"NUMBER": 5, "user3": 1, "number%203": 1, "job1": 5, "t@example.com": 5, "bounce": 5, "nothing": 0, "number%200": 0} {
		if got := f.list("?q=" + q); len(got) != want {
			t.Errorf("%s: %d rows", q, len(got))
		}
	}
	for _, bad := range []string{"?limit=0", "?limit=201", "?limit=x", "?before=-1", "?other=1", "?q=a&q=b", "?q=%zz", "?q=" + strings.Repeat("a", 201)} {
		f.ask("GET", bad, "", 400, nil)
	}
	id := f.list("")[0].ID
	f.ask("DELETE", fmt.Sprint("/", id), "", 200, nil)
	for _, gone := range []string{fmt.Sprint(id), "0", "-1", "x", "1"} {
		f.ask("GET", "/"+gone, "", 404, nil)
		f.ask("DELETE", "/"+gone, "", 404, nil)
	}
	f.ask("GET", fmt.Sprint("/", f.list("")[0].ID, "?images=2"), "", 400, nil)
	f.ask("DELETE", "", "", 200, nil)
	f.ask("GET", "", "", 200, &body)
	if len(body.Mails) != 0 || body.Total != 0 || body.Bytes != 0 {
		t.Errorf("%+v", body)
	}
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{MaxMail: 10 << 10, Bytes: 20 << 10})
	for range 6 {
		f.mustSend("a@example.org", hello+strings.Repeat("0123456789\r\n", 600))
	}
	if got := len(f.list("")); got != 2 {
		t.Errorf("%d are kept", got)
	}
}

func TestWhoMayLook(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	one, two := f.mustSend("a@example.org", hello), f.mustSend("a@example.org", hello)
	var body struct{ HTML struct{ URL string } }
	f.ask("GET", fmt.Sprint("/", one.ID), "", 200, &body)
	pass := body.HTML.URL[strings.Index(body.HTML.URL, "?"):]
	at := func(id int64, rest string) string { return fmt.Sprint("/console/api/mailbox/", id, rest) }
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/console/api/mailbox", "", 401},
		{"GET", "/console/api/mailbox", token(t, false), 403},
		{"DELETE", "/console/api/mailbox", token(t, false), 403},
		{"GET", at(one.ID, ""), token(t, false), 403},
		{"GET", at(one.ID, "/html"), "", 401},
		{"GET", at(one.ID, "/html"), token(t, false), 403},
		{"GET", at(one.ID, "/html"), token(t, true), 200},
		{"GET", at(one.ID, "/html"+pass), "", 200},
		{"GET", at(one.ID, "/source"+pass), "", 200},
		{"GET", at(two.ID, "/html"+pass), "", 403},
		{"GET", at(one.ID, "/html"+pass+"0"), "", 403},
		{"GET", at(one.ID, "/html?pass=x"), "", 403},
		{"GET", at(one.ID, pass), "", 401},
		{"DELETE", at(one.ID, pass), "", 401},
		{"GET", "/console/api/mailbox/faults", token(t, false), 403},
		{"POST", "/console/api/mailbox/faults", token(t, false), 403},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		if f.h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{MaxConns: 2})
	a, b := f.dial(), f.dial()
	say(t, a, "", "220")
	say(t, b, "", "220")
	say(t, f.dial(), "", "421")
	say(t, a, "QUIT", "221")
	testkit.Eventually(t, "a place", func() bool { return f.send("a@example.org", hello) == nil })
}

// Many clients at once, with an operator looking on.
func TestCrowd(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{Keep: 20, MaxConns: 100})
	f.arm(`{"stage":"after_data","code":0,"times":5}`)
	var crowd sync.WaitGroup
	var failed sync.Map
	for i := range 8 {
		crowd.Go(func() {
			for j := range 10 {
				if err := f.send(fmt.Sprintf("u%d@example.org", i), hello); err != nil {
					failed.Store([2]int{i, j}, err)
				}
			}
		})
	}
	crowd.Go(func() {
		for range 20 {
			for _, r := range f.list("?limit=5") {
				f.do("GET", fmt.Sprint("/console/api/mailbox/", r.ID), "")
			}
		}
	})
	crowd.Wait()
	n := 0
	failed.Range(func(_, _ any) bool { n++; return true })
	if n != 5 || len(f.list("")) != 20 {
		t.Errorf("%d failed, %d are kept", n, len(f.list("")))
	}
	families, err := f.r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			counts[family.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if counts["tidings_mailbox_mails_total"] != 80 || counts["tidings_mailbox_faults_total"] != 5 || counts["tidings_mailbox_evicted_total"] != 60 || counts["tidings_mailbox_kept"] != 20 {
		t.Errorf("%v", counts)
	}
}

// Run must end while clients sit there, in whatever state, and wait for nobody.
func TestStop(t *testing.T) {
	t.Parallel()
	v, err := auth.NewVerifier(t.Context(), auth.Config{Secret: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan struct{})
	m, err := mailbox.New(mailbox.Config{
		Addr: ":0", Auth: &auth.Authenticator{Verifier: v}, Mesh: mesh.New(testkit.NATS(t), testkit.Space(t), testkit.Log(t)),
		Publish: func(ctx context.Context, _, _ string, _ any) error {
			close(stuck)
			<-ctx.Done()
			return ctx.Err()
		},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.URL(), "smtp://127.0.0.1:") || !strings.HasSuffix(m.URL(), "?tls=none") {
		t.Errorf("URL %s", m.URL())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	f := &fixture{t: t, m: m}
	idle, sending := f.dial(), f.dial()
	say(t, idle, "", "220", "EHLO x", "250")
	say(t, sending, "", "220", "EHLO x", "250", "MAIL FROM:<a@example.com>", "250", "RCPT TO:<b@example.org>", "250", "DATA", "354")
	if err := f.send("a@example.org", hello); err != nil {
		t.Fatal(err)
	}
	<-stuck
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := bufio.NewReader(idle.R).ReadString('\n'); err == nil {
		t.Error("the idle connection is open")
	}
	if err := f.send("a@example.org", hello); err == nil {
		t.Error("it still listens")
	}
}

func TestCloseEndsRun(t *testing.T) {
	t.Parallel()
	f := start(t, mailbox.Config{})
	f.mustSend("a@example.org", hello)
	if err := errors.Join(f.m.Close(), f.m.Close()); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	_, err := mailbox.New(mailbox.Config{Addr: "nowhere", Keep: -1, Bytes: 1000}, nil, nil)
	for _, want := range []string{"missing port", "negative", "would not fit", "Authenticator"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	a := &auth.Authenticator{}
	m, err := mailbox.New(mailbox.Config{Addr: "127.0.0.1:0", Auth: a}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mailbox.New(mailbox.Config{Addr: m.Addr().String(), Auth: a}, nil, nil); err == nil {
		t.Error("two listen at one address")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
