package mailer_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	verify "github.com/emersion/go-msgauth/dkim"

	"tidings/services/mailer"
	"tidings/services/mailer/bounce"
	"tidings/services/mailer/bounce/dsn"
	"tidings/services/mailer/dkim"
	"tidings/services/mailer/smtp"
	"tidings/shared/notice"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/template"
	"tidings/shared/worker"
)

const link = "https://example.com/v1/unsubscribe/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIjKlMnOpQrStUvWxYz"

// basic is what a configuration needs to write mails.
func basic(t testing.TB) mailer.Config {
	t.Helper()
	templates, err := template.Load(template.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	return mailer.Config{
		Providers: []telemetry.Secret{"smtp://mail.example.com"}, From: "Tidings <news@example.com>", AppURL: "https://example.com",
		Templates: func() *template.Set { return templates }, Suppressed: &suppress.List{},
		Unsubscribe: func(string, string, string) (string, error) { return link, nil },
	}
}

func order() notice.Message {
	return notice.Message{
		Notification: "n 1", Category: "orders", Title: "Dein Päckchen ist unterwegs", Body: "Es kommt am Montag.\n.Punkt\n\nBis dann!",
		Actions: []notice.Action{{ID: "track", Label: "Verfolgen", URL: "/orders/7"}},
		Person:  notice.Person{User: "ann", Name: "Änn, \"die\" Erste", Email: "ann@bücher.example", Locale: "de"},
	}
}

func job(m notice.Message) worker.Job {
	return worker.Job{
		Key: worker.KeyOf(m.Notification, "mail", m.Person.User), Notification: m.Notification, Channel: "mail", Recipient: m.Person.User,
		Queued: time.Date(2026, 11, 2, 10, 0, 0, 5, time.UTC),
	}
}

func compose(t *testing.T, cfg mailer.Config, m notice.Message) smtp.Mail {
	t.Helper()
	out, err := mailer.Compose(cfg, job(m), m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// parse reads a mail, and its bodies by type.
func parse(t testing.TB, data []byte) (mail.Header, map[string]string) {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	bodies := map[string]string{}
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return msg.Header, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		bodies[kind] = string(b)
	}
}

func TestLetter(t *testing.T) {
	t.Parallel()
	cfg := basic(t)
	seals, err := bounce.NewSeals("bounces.example.com", []telemetry.Secret{telemetry.Secret(strings.Repeat("k", bounce.MinSealKey))})
	if err != nil {
		t.Fatal(err)
	}
	cfg.ReplyTo, cfg.Seals = "help@example.com", seals
	m := order()
	out := compose(t, cfg, m)
	key := job(m).Key
	if out.To != "ann@xn--bcher-kva.example" || !seals.Known(out.From) || !strings.HasPrefix(out.From, "bounce+"+key+".") {
		t.Errorf("envelope from %s to %s", out.From, out.To)
	}
	h, bodies := parse(t, out.Data)
	decode := func(name string) string {
		s, err := (&mime.WordDecoder{}).DecodeHeader(h.Get(name))
		if err != nil {
			t.Error(err)
		}
		return s
	}
	for name, want := range map[string]string{
		"From": `"Tidings" <news@example.com>`, "Subject": m.Title, "Reply-To": "<help@example.com>",
		"Message-Id": "<" + key + "@example.com>", "Date": "Mon, 02 Nov 2026 10:00:00 +0000", "Mime-Version": "1.0",
		"Auto-Submitted": "auto-generated", "List-Id": "<orders.example.com>", "Feedback-Id": "orders:default:mail:example.com",
		"List-Unsubscribe": "<" + link + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if got := decode(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	proof := bounce.Report{Evidence: dsn.Evidence{Trace: h.Get(bounce.TraceHeader)}}
	if !seals.Prove(&proof) || proof.Key != key || proof.Notification != m.Notification {
		t.Errorf("a bounce proves nothing: %+v", proof)
	}
	to, err := mail.ParseAddress(h.Get("To"))
	if err != nil || to.Name != m.Person.Name || to.Address != out.To {
		t.Errorf("To: %v, %v", to, err)
	}
	for kind, wants := range map[string][]string{
		"text/plain": {"Es kommt am Montag.", ".Punkt", "https://example.com/orders/7", link},
		"text/html":  {"Es kommt am Montag.", "https://example.com/orders/7", link, "Verfolgen", `lang="de"`},
	} {
		for _, want := range wants {
			if !strings.Contains(bodies[kind], want) {
				t.Errorf("%s lacks %q:\n%s", kind, want, bodies[kind])
			}
		}
	}
	for i, line := range strings.Split(string(out.Data), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line %d: %d bytes: %.80q", i, len(line), line)
		}
	}
	if again := compose(t, cfg, m); !bytes.Equal(again.Data, out.Data) {
		t.Error("the same job made another mail")
	}
}

// TestTransactional is what somebody asked for by what they did: there is nothing to
// unsubscribe from.
func TestTransactional(t *testing.T) {
	t.Parallel()
	m := order()
	m.Transactional, m.Category = true, ""
	h, bodies := parse(t, compose(t, basic(t), m).Data)
	for _, name := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID"} {
		if got := h.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if strings.Contains(bodies["text/html"], "unsubscribe") {
		t.Error("a link to unsubscribe")
	}
	if out := compose(t, basic(t), m); out.From != "news@example.com" {
		t.Errorf("without a domain for bounces they go to %s", out.From)
	}
}

func TestSigned(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := basic(t)
	plain := compose(t, cfg, order()).Data
	cfg.Keys = []dkim.Key{{Domain: "example.com", Selector: "s1", PEM: telemetry.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}}
	signed := compose(t, cfg, order()).Data
	if !bytes.HasSuffix(signed, plain) {
		t.Error("signing changed the mail")
	}
	signer, err := dkim.New(cfg.Keys...)
	if err != nil {
		t.Fatal(err)
	}
	check := func(data []byte) error {
		found, err := verify.VerifyWithOptions(bytes.NewReader(data), &verify.VerifyOptions{LookupTXT: func(string) ([]string, error) {
			return []string{signer.Records()[0].Value}, nil
		}})
		if err != nil || len(found) != 1 {
			t.Fatal(err, found)
		}
		return found[0].Err
	}
	if err := check(signed); err != nil {
		t.Error(err)
	}
	tampered := bytes.Replace(signed, []byte("v1/unsubscribe"), []byte("v2/unsubscribe"), 1)
	if check(tampered) == nil {
		t.Error("a changed link to unsubscribe is still signed")
	}
}

func TestBadLetters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mailer.Config, *notice.Message){
		"name":       func(_ *mailer.Config, m *notice.Message) { m.Person.Name = "Ann\r\nBcc: evil@example.com" },
		"name, NUL":  func(_ *mailer.Config, m *notice.Message) { m.Person.Name = "Ann\x00" },
		"name, long": func(_ *mailer.Config, m *notice.Message) { m.Person.Name = strings.Repeat("x", 1000) },
		"address": func(_ *mailer.Config, m *notice.Message) {
			m.Person.Email = "ann@example.org>\r\nRCPT TO:<evil@example.com"
		},
		"no address":    func(_ *mailer.Config, m *notice.Message) { m.Person.Email = "" },
		"template":      func(_ *mailer.Config, m *notice.Message) { m.Template = "no such" },
		"missing key":   func(_ *mailer.Config, m *notice.Message) { m.Template = "order_shipped" },
		"category":      func(_ *mailer.Config, m *notice.Message) { m.Category = strings.Repeat("é", 500) },
		"link, header":  unsubscribe("https://example.com/x>\r\nBcc: <evil@example.com"),
		"link, two":     unsubscribe("https://example.com/x>, <mailto:evil@example.com"),
		"link, http":    unsubscribe("http://example.com/x"),
		"link, script":  unsubscribe("javascript:alert(1)"),
		"link, unicode": unsubscribe("https://example.com/ü"),
	} {
		cfg, m := basic(t), order()
		change(&cfg, &m)
		if out, err := mailer.Compose(cfg, job(m), m); err == nil {
			t.Errorf("%s: no error\n%s", name, out.Data)
		} else if strings.Contains(err.Error(), "evil@") || strings.Contains(err.Error(), "ann@") {
			t.Errorf("%s: the error tells too much: %v", name, err)
		}
	}
}

func unsubscribe(link string) func(*mailer.Config, *notice.Message) {
	return func(cfg *mailer.Config, _ *notice.Message) {
		cfg.Unsubscribe = func(string, string, string) (string, error) { return link, nil }
	}
}

func TestCheckLink(t *testing.T) {
	t.Parallel()
	for _, good := range []string{link, "http://localhost:8080/v1/unsubscribe/x", "http://127.0.0.1:8080/x", "http://tidings.localhost/x"} {
		if err := mailer.CheckLink(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "https://", "//example.com/x", "http://example.com", "https://a:b@example.com/", "https://example.com/\t", "ftp://example.com",
		"https://example.com/" + strings.Repeat("x", 900),
	} {
		if mailer.CheckLink(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// allowed are the headers of a mail, and there is never another.
func allowed() []string {
	return []string{
		"Auto-Submitted", "Content-Type", "Date", "Feedback-ID", "From", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
		"MIME-Version", "Message-ID", "Reply-To", "Subject", "To", "X-Auto-Response-Suppress", "X-Tidings-Trace",
	}
}

// FuzzHeaders tries to get a header or a body of one's own into a mail.
func FuzzHeaders(f *testing.F) {
	cfg := basic(f)
	seals, err := bounce.NewSeals("bounces.example.com", []telemetry.Secret{telemetry.Secret(strings.Repeat("k", bounce.MinSealKey))})
	if err != nil {
		f.Fatal(err)
	}
	cfg.Seals = seals
	f.Add("n1", "orders", "Title", "Body", "Ann", "ann@example.org", "de", link, "k1")
	f.Add("n\r\nBcc: x@y", "o\nX: y", "T\r\n\r\nB", "B\r\n--tidings-\r\nContent-Type: text/html\r\n\r\n", "A\r\nB", "a@b\r\nc", "\r\n", "https://x>\r\n", "k\r\nx")
	f.Add("n", "a>, <b", "=?utf-8?q?=0D=0ABcc:_x?=", "\x00", "=?utf-8?q?=0A?=", "аня@пример.рф", "ru", "http://localhost/x", "")
	f.Fuzz(func(t *testing.T, id, category, title, body, name, email, locale, link, key string) {
		m := notice.Message{
			Notification: id, Category: category, Title: title, Body: body,
			Person: notice.Person{User: "ann", Name: name, Email: email, Locale: locale},
		}
		cfg := cfg
		cfg.Unsubscribe = func(string, string, string) (string, error) { return link, nil }
		j := job(m)
		if _, err := m.Encode(); err == nil && (worker.Job{Key: key, Notification: id, Channel: "mail", Recipient: "ann"}).Check() == nil {
			j.Key = key
		}
		out, err := mailer.Compose(cfg, j, m)
		if err != nil {
			return
		}
		head, _, ok := strings.Cut(string(out.Data), "\r\n\r\n")
		if !ok || strings.ContainsAny(strings.ReplaceAll(string(out.Data), "\r\n", ""), "\r\n\x00") {
			t.Fatalf("%q", out.Data)
		}
		var seen []string
		for line := range strings.SplitSeq(head, "\r\n") {
			if strings.HasPrefix(line, " ") {
				continue
			}
			name, _, _ := strings.Cut(line, ":")
			if !slices.Contains(allowed(), name) || slices.Contains(seen, name) {
				t.Fatalf("header %q in\n%s", line, head)
			}
			seen = append(seen, name)
		}
		h, bodies := parse(t, out.Data)
		if len(bodies) != 2 {
			t.Errorf("%d bodies", len(bodies))
		}
		if list, err := h.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != out.To {
			t.Errorf("To: %v, %v; envelope %s", list, err, out.To)
		}
		if strings.ContainsAny(out.To+out.From, "\r\n <>\x00") {
			t.Errorf("envelope %q %q", out.From, out.To)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	cfg := basic(t)
	cfg.Providers = []telemetry.Secret{"smtp://ann:hunter2@mail?tls=none", "hunter2"}
	cfg.From, cfg.ReplyTo, cfg.Domain, cfg.AppURL = "nobody", "a\r\nb", "x y", "example.com"
	cfg.Keys = []dkim.Key{{Domain: "example.com", Selector: "s", PEM: "hunter2"}}
	cfg.Templates = nil
	_, err := mailer.New(cfg, nil, nil, nil, nil)
	if !errors.Is(err, mailer.ErrConfig) || !errors.Is(err, smtp.ErrProvider) || !errors.Is(err, dkim.ErrKey) {
		t.Fatal(err)
	}
	for _, want := range []string{"provider 1", "provider 2", "from", "reply-to", "domain", "app URL", "DKIM", "templates"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told of: %v", want, err)
		}
	}
	shown := fmt.Sprintf("%+v %#v", cfg, cfg)
	data, jsonErr := json.Marshal(cfg.Providers)
	if strings.Contains(err.Error()+shown+string(data), "hunter2") || jsonErr != nil {
		t.Errorf("a secret is told: %v\n%s", err, shown)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 10_001 {
		keys = append(keys, fmt.Sprint(i))
	}
	if got := mailer.Remembered(keys, "0"); got != "" {
		t.Error("the oldest is not forgotten")
	}
	if got := mailer.Remembered(append(keys[:10], "3"), "3"); got != "by 3" {
		t.Error(got)
	}
}
