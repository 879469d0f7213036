package template_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/shared/template"
)

// TestPlurals counts in every language that is built in.
func TestPlurals(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	for _, tc := range []struct {
		locale string
		n      int
		want   string
	}{
		{"en", 1, "1 new notification"},
		{"en", 0, "0 new notifications"},
		{"de", 1, "1 neue Benachrichtigung"},
		{"de", 2, "2 neue Benachrichtigungen"},
		{"ru", 1, "1 новое уведомление"},
		{"ru", 3, "3 новых уведомления"},
		{"ru", 5, "5 новых уведомлений"},
		{"ru", 11, "11 новых уведомлений"},
		{"ru", 21, "21 новое уведомление"},
		{"ru", 122, "122 новых уведомления"},
	} {
		title, _, err := s.Text("digest", template.Input{Locale: tc.locale, Items: make([]template.Item, tc.n)})
		if err != nil || title != tc.want {
			t.Errorf("%s %d: got %q, %v; want %q", tc.locale, tc.n, title, err, tc.want)
		}
	}
}

// TestLocales goes from a locale over its parents to English.
func TestLocales(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"base/messages.fr.toml":       `unsubscribe = "Se désabonner"`,
		"welcome/messages.ar.toml":    `title = "مرحبا"`,
		"welcome/messages.de-AT.toml": `title = "Servus bei {{.Brand}}"`,
	})
	for locale, want := range map[string]struct{ lang, title string }{
		"":                        {`lang="en" dir="ltr"`, "Welcome to Tidings"},
		"en-GB":                   {`lang="en-GB" dir="ltr"`, "Welcome to Tidings"},
		"de":                      {`lang="de" dir="ltr"`, "Willkommen bei Tidings"},
		"de-CH":                   {`lang="de" dir="ltr"`, "Willkommen bei Tidings"},
		"de-AT":                   {`lang="de-AT" dir="ltr"`, "Servus bei Tidings"},
		"de_AT":                   {`lang="de-AT" dir="ltr"`, "Servus bei Tidings"},
		"ru-KZ":                   {`lang="ru" dir="ltr"`, "Добро пожаловать в Tidings"},
		"uk":                      {`lang="en" dir="ltr"`, "Welcome to Tidings"}, // and not Russian
		"fr":                      {`lang="en" dir="ltr"`, "Welcome to Tidings"}, // only the base knows French
		"ar-EG":                   {`lang="ar" dir="rtl"`, "مرحبا"},
		"nonsense!":               {`lang="en" dir="ltr"`, "Welcome to Tidings"},
		strings.Repeat("de-", 99): {`lang="en" dir="ltr"`, "Welcome to Tidings"},
	} {
		in := s.Sample("welcome")
		in.Locale, in.UnsubscribeURL = locale, "/u"
		m := mail(t, s, "welcome", in)
		if m.Subject != want.title {
			t.Errorf("%q: got %q, want %q", locale, m.Subject, want.title)
		}
		contains(t, m.HTML, want.lang)
		lacks(t, m.HTML, "désabonner")
	}
	contains(t, mail(t, s, "welcome", template.Input{Locale: "de-AT", Brand: "X"}).Text, "Ihr Konto ist bereit")
	contains(t, mail(t, s, "default", template.Input{Locale: "fr", BaseURL: "https://a.example", UnsubscribeURL: "/u"}).Text, "Se désabonner: https://a.example/u")
}

// TestTimes writes times on the person's clock and in their language.
func TestTimes(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"when/title.txt": `{{moment .At}}`,
		"when/body.txt":  `{{date .Data.day}}|{{clock .At}}|{{date ""}}`,
	})
	at := time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC)
	for _, tc := range []struct{ locale, tz, title, body string }{
		{"en", "", "March 1, 2026, 10:30 PM UTC", "November 23, 2026|10:30 PM|"},
		{"en", "Local", "March 1, 2026, 10:30 PM UTC", "November 23, 2026|10:30 PM|"},
		{"en", "../../etc/passwd", "March 1, 2026, 10:30 PM UTC", "November 23, 2026|10:30 PM|"},
		{"en-GB", "Europe/London", "1 March 2026, 22:30", "23 November 2026|22:30|"},
		{"de-AT", "Europe/Vienna", "1. März 2026, 23:30", "23. November 2026|23:30|"},
		{"ru", "Europe/Moscow", "2 марта 2026 г., 01:30", "23 ноября 2026 г.|01:30|"},
		{"en", "America/New_York", "March 1, 2026, 5:30 PM", "November 23, 2026|5:30 PM|"},
	} {
		title, body, err := s.Text("when", template.Input{Locale: tc.locale, TZ: tc.tz, At: at, Data: []byte(`{"day":"2026-11-23"}`)})
		if err != nil || title != tc.title || body != tc.body {
			t.Errorf("%s, %s: got %q, %q, %v", tc.locale, tc.tz, title, body, err)
		}
	}
	var broken *template.RenderError
	if _, _, err := s.Text("when", template.Input{Data: []byte(`{"day":"tomorrow"}`)}); !errors.As(err, &broken) {
		t.Errorf("got %v", err)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{"n/title.txt": `{{number .Data.n}} {{.Data.n}}`})
	for _, tc := range []struct{ locale, n, want string }{
		{"en", "1234567", "1,234,567 1234567"},
		{"de", "1234567.50", "1.234.567,50 1234567.50"},
		{"ru", `"12.5"`, "12,5 12.5"},
		{"en", "123456789012345678901234567890", "123456789012345678901234567890 123456789012345678901234567890"},
	} {
		title, _, err := s.Text("n", template.Input{Locale: tc.locale, Data: json.RawMessage(`{"n":` + tc.n + `}`)})
		if err != nil || title != tc.want {
			t.Errorf("%s %s: got %q, %v", tc.locale, tc.n, title, err)
		}
	}
}

func TestMissingKey(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"deep/title.txt":  `{{.Data.order.total}}`,
		"late/mail.html":  `{{.Data.footer}}`,
		"maybe/title.txt": `{{with index .Data "x"}}{{.}}{{else}}none{{end}}`,
	})
	for _, tc := range []struct{ name, data, key string }{
		{"order_shipped", `{}`, "order"},
		{"order_shipped", ``, "order"},
		{"order_shipped", `null`, "order"},
		{"order_shipped", `{"order":1,"items":[{"name":"x"}]}`, "quantity"},
		{"deep", `{"order":{}}`, "total"},
		{"deep", `{"order":null}`, "total"},
		{"late", `{"no entry for key \"x\"":1}`, "footer"},
	} {
		var missing *template.MissingError
		err := s.Check(tc.name, template.Input{Data: json.RawMessage(tc.data)})
		if !errors.As(err, &missing) || missing.Key != tc.key || missing.Template != tc.name {
			t.Errorf("%s with %s: got %v, want that %s is missing", tc.name, tc.data, err, tc.key)
		}
	}
	if title, _, err := s.Text("maybe", template.Input{}); err != nil || title != "none" {
		t.Errorf("got %q, %v", title, err)
	}
}

func TestBrokenData(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	for _, data := range []string{
		`[]`, `1`, `{`, `{} {}`, `{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`,
		`{"a":"` + strings.Repeat("x", template.MaxData) + `"}`, `{"order":{"a":1},"items":[]}`,
	} {
		var broken *template.RenderError
		if err := s.Check("order_shipped", template.Input{Data: json.RawMessage(data)}); !errors.As(err, &broken) {
			t.Errorf("%.20s: got %v, want a RenderError", data, err)
		}
	}
}

// TestInjection has a stranger write everything that can be written.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"links/mail.html": `<a href="{{.Data.url}}">x</a> <a href='{{link .Data.url}}'>y</a> <p title={{.Name}}>z</p>`,
	})
	const evil = "</title></p><script>alert(1)</script><!--[if mso]>\r\nBcc: all@example.com\x00\u202egpj.exe {{.Data}}"
	data, err := json.Marshal(map[string]any{
		"order": evil, "carrier": evil, "tracking": evil, "tracking_url": "javascript:alert(1)", "url": "javascript:alert(1)",
		"items": []any{map[string]any{"name": evil, "quantity": evil}},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := template.Input{
		User: evil, Name: evil, Title: evil, Body: evil, Category: evil, Severity: evil, Brand: evil, Data: data,
		Actions: []template.Action{{Label: evil, URL: "https://a.example/?q=\"><script>"}, {Label: "bad", URL: "javascript:alert(1)"}},
		Items:   []template.Item{{Title: evil, Body: evil, URL: "data:text/html,<script>"}},
	}
	for _, i := range append(s.Names(), template.Info{Name: ""}) {
		m := mail(t, s, i.Name, in)
		if strings.ContainsAny(m.Subject, "\r\n\x00") || strings.Contains(m.Subject, "\u202e") {
			t.Errorf("%s: the subject is %q", i.Name, m.Subject)
		}
		lacks(t, m.HTML, "<script", "javascript:", "data:text", "\x00", "\u202e", `q=">`)
		lacks(t, m.Text, "javascript:", "\x00", "\r", "\u202e")
		if i.Name == "links" {
			contains(t, m.HTML, `<a href="#ZgotmplZ">x</a> <a href=''>y</a>`)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{"l/title.txt": `{{with .Actions}}{{(index . 0).URL}}{{end}}`})
	for _, tc := range []struct{ base, url, want string }{
		{"https://app.example/x/", "/orders/1?a=b#c", "https://app.example/orders/1?a=b#c"},
		{"https://app.example/x/", "orders", "https://app.example/x/orders"},
		{"", "/orders/1", ""},
		{"/base", "/orders/1", ""},
		{"javascript:x", "/orders/1", ""},
		{"https://user:pw@app.example", "/orders/1", ""},
		{"", "https://b.example/", "https://b.example/"},
		{"", "mailto:ann@example.com", "mailto:ann@example.com"},
		{"https://app.example", "//evil.example/x", ""},
		{"https://app.example", `/\evil.example`, ""},
		{"https://app.example", "JavaScript:alert(1)", ""},
		{"https://app.example", "https:evil", ""},
		{"https://app.example", "https://a:b@evil.example", ""},
		{"https://app.example", "/a\nb", ""},
		{"https://app.example", "/" + strings.Repeat("x", 3000), ""},
		{"https://app.example", "", ""},
	} {
		in := template.Input{BaseURL: tc.base, Actions: []template.Action{{Label: "x", URL: tc.url}}}
		if got, _, err := s.Text("l", in); err != nil || got != tc.want {
			t.Errorf("%s on %q: got %q, %v; want %q", tc.url, tc.base, got, err, tc.want)
		}
	}
}

// TestComments keeps what html/template would drop: Outlook's conditions.
func TestComments(t *testing.T) {
	t.Parallel()
	blocks := []string{
		"<!--[if mso]><table><tr><td><![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->",
		"<!--[if (gte mso 9)|(IE)]>\n<v:rect>\n<![endif]-->", "<!-- a note -->",
	}
	s := load(t, map[string]string{"kept/mail.html": strings.Join(blocks, "{{.Name}}")})
	m := mail(t, s, "kept", template.Input{Name: "<b>"})
	contains(t, m.HTML, strings.Join(blocks, "&lt;b&gt;"))
	if n := strings.Count(mail(t, s, "default", s.Sample("default")).HTML, "<!--[if mso]>"); n != 7 { // 3, and 2 for each button
		t.Errorf("the layout has %d blocks for Outlook", n)
	}
}

// TestLayout shows what is given, and nothing of what is not.
func TestLayout(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	bare := mail(t, s, "", template.Input{Title: "T", Body: "B"})
	lacks(t, bare.HTML, "Unsubscribe", "settings", "<a ", "Urgent")
	if bare.Text != "B\n" {
		t.Errorf("got %q", bare.Text)
	}
	full := mail(t, s, "", template.Input{
		Title: "T", Body: "B", Brand: "Acme", Severity: "critical", BaseURL: "https://a.example", Locale: "de",
		UnsubscribeURL: "/u", PreferencesURL: "/p", Actions: []template.Action{{URL: "/go"}},
	})
	contains(t, full.HTML, `content="light dark"`, "prefers-color-scheme: dark", "max-width:600px", "Acme", "Dringend",
		`href="https://a.example/u"`, `href="https://a.example/p"`, `href="https://a.example/go"`, "Öffnen", ">B</p>")
	if want := "B\n\nÖffnen:\nhttps://a.example/go\n\n--\nAcme\nBenachrichtigungen einstellen: https://a.example/p\nAbbestellen: https://a.example/u\n"; full.Text != want {
		t.Errorf("got %q\nwant %q", full.Text, want)
	}
}

func TestTitleIsShort(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	for in, want := range map[string]string{
		" a \t b\n c ":              "a b c",
		"a\xffb":                    "a\ufffdb",
		strings.Repeat("ä", 300):    strings.Repeat("ä", template.MaxTitle-1) + "…",
		strings.Repeat("abcd ", 99): strings.TrimSpace(strings.Repeat("abcd ", 39)) + "…",
	} {
		if title, _, err := s.Text("", template.Input{Title: in}); err != nil || title != want {
			t.Errorf("got %q, %v; want %q", title, err, want)
		}
	}
	if title, _, err := s.Text("", template.Input{Body: "only a\nbody"}); err != nil || title != "only a body" {
		t.Errorf("got %q, %v", title, err)
	}
}

// TestBounds has templates that would never end, or never fit.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"a large body":       `{{range 90000}}{{.}} too much of it{{end}}`,
		"an endless loop":    `{{range 999999999}}{{end}}`,
		"loops in loops":     `{{range 99999}}{{range 99999}}{{range 99999}}{{end}}{{end}}{{end}}`,
		"a recursion":        `{{define "r"}}{{template "r" .}}{{end}}{{template "r" .}}`,
		"a bush":             `{{define "r"}}{{if lt (len .) 40}}{{template "r" (printf "%sx" .)}}{{template "r" (printf "%sx" .)}}{{end}}{{end}}{{template "r" ""}}`,
		"a text that grows":  `{{$s := "x"}}{{range 64}}{{$s = print $s $s}}{{end}}`,
		"a text that grows2": `{{$s := "\\"}}{{range 64}}{{$s = js $s}}{{end}}`,
	} {
		for _, file := range []string{"mail.html", "body.txt"} {
			t.Run(name+" "+file, func(t *testing.T) {
				t.Parallel()
				got := strings.Join(faults(t, least(t), layer(map[string]string{"x/" + file: src, "x/messages.en.toml": `a = "b"`})), "\n")
				if !strings.Contains(got, "too long") && !strings.Contains(got, "too many steps") {
					t.Errorf("got %s", got)
				}
			})
		}
	}
}

// TestSlow has a template of few steps that are much work.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"slow/title.txt": `{{range .Data.rounds}}` + strings.Repeat(`{{$s := printf "%200000d" 1}}`, 50) + `{{end}}done`,
	})
	if title, _, err := s.Text("slow", template.Input{Data: []byte(`{"rounds":2}`)}); err != nil || title != "done" {
		t.Errorf("got %q, %v", title, err)
	}
	var broken *template.RenderError
	_, _, err := s.Text("slow", template.Input{Data: []byte(`{"rounds":19999}`)})
	if !errors.Is(err, template.ErrSlow) || !errors.As(err, &broken) {
		t.Errorf("got %v, want ErrSlow", err)
	}
}

// TestLongDigest shows the first fifty items, and says how many there are.
func TestLongDigest(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	in := s.Sample("digest")
	for i := range 480 {
		in.Items = append(in.Items, template.Item{Title: "n" + strconv.Itoa(i) + ".", Body: strings.Repeat("word ", 1000), URL: "/x", At: in.At})
	}
	m := mail(t, s, "digest", in)
	contains(t, m.HTML, "485 new notifications", "n44.", "And 435 more")
	lacks(t, m.HTML, "n45.")
	if len(m.HTML) > 100<<10 {
		t.Errorf("%d bytes, which Gmail cuts off", len(m.HTML))
	}
	contains(t, m.Text, "n44.", "And 435 more")
}

// TestConcurrent renders different things at once with one set.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	var wg sync.WaitGroup
	for i, locale := range []string{"en", "de", "ru", "en-GB"} {
		wg.Go(func() {
			for n := range 50 {
				name := fmt.Sprintf("p%d-%d.", i, n)
				in := s.Sample("welcome")
				in.Locale, in.Name = locale, name
				m, err := s.Mail("welcome", in)
				if err != nil || !strings.Contains(m.HTML, name) || !strings.Contains(m.HTML, `lang="`+locale+`"`) {
					t.Errorf("%s in %s: %v", name, locale, err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMail(b *testing.B) {
	s := load(b, nil)
	in := s.Sample("order_shipped")
	for b.Loop() {
		if _, err := s.Mail("order_shipped", in); err != nil {
			b.Fatal(err)
		}
	}
}
