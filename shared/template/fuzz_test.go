package template_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"tidings/shared/template"
)

// FuzzLoad has anything in a template's files: it loads or is faulty, and what loads
// renders within bounds or says why not.
func FuzzLoad(f *testing.F) {
	f.Add(`{{.Title}}`, `<p>{{.Body}}</p><!--[if mso]>x<![endif]-->`, "a = \"{{.Name}}\"\n[n]\none = \"1\"\nother = \"{{.Count}}\"", `{"title":"x"}`)
	f.Add(`{{t "a" "Name" .Name}}`, `{{range .Items}}{{.At | clock}}{{end}}`, `[[a]]`, `{"data":{"a":[1,2.5,null]}}`)
	f.Add(`{{tn "n" (len .Items)}}`, `{{define "actions"}}{{end}}{{template "button-first" (button "a" "b")}}`, `a = {b = {other = "x"}}`, `null`)
	f.Add(`{{range 1000000000}}x{{end}}`, `<style>{{.Name}}</style><a href="{{.User}}">`, "", `{"tz":"Europe/Berlin","locale":"ru"}`)
	least := least(f)
	f.Fuzz(func(t *testing.T, title, html, messages, sample string) {
		s, err := template.Load(least, layer(map[string]string{
			"x/title.txt": title, "x/mail.html": html, "x/messages.en.toml": messages, "x/sample.json": sample,
		}))
		if err != nil {
			var faults *template.FaultsError
			if !errors.As(err, &faults) || len(faults.Faults) == 0 || s != nil {
				t.Fatalf("got %v", err)
			}
			return
		}
		sound(t, s, "x", s.Sample("x"))
	})
}

// FuzzRender gives the built-in templates anything to say.
func FuzzRender(f *testing.F) {
	f.Add("en", "UTC", "Ann", "A title", "A body", "/x", `{"order":1,"items":[{"name":"x","quantity":1}]}`)
	f.Add("ru", "Europe/Moscow", "</a>", "a\r\nb", "\u2028", "javascript:x", `{"order":"x","items":[],"eta":"2026-11-23","tracking_url":"//x"}`)
	set, err := template.Load(template.Builtin())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, locale, tz, name, title, body, url, data string) {
		for _, i := range set.Names() {
			sound(t, set, i.Name, template.Input{
				Locale: locale, TZ: tz, Name: name, Title: title, Body: body, Brand: name, BaseURL: url, Data: json.RawMessage(data),
				Actions: []template.Action{{Label: title, URL: url}}, Items: []template.Item{{Title: title, Body: body, URL: url}},
			})
		}
	})
}

// sound renders something and checks what is promised whatever it is.
func sound(t *testing.T, s *template.Set, name string, in template.Input) {
	t.Helper()
	m, err := s.Mail(name, in)
	if err != nil {
		var missing *template.MissingError
		var broken *template.RenderError
		if !errors.As(err, &missing) && !errors.As(err, &broken) {
			t.Fatalf("got %v", err)
		}
		return
	}
	if strings.ContainsAny(m.Subject, "\r\n\x00") || utf8.RuneCountInString(m.Subject) > template.MaxTitle {
		t.Errorf("the subject is %q", m.Subject)
	}
	if len(m.HTML) > template.MaxHTML || len(m.Text) > template.MaxText+1 || strings.Contains(m.Text, "\r") {
		t.Errorf("%d bytes of HTML, %d of text", len(m.HTML), len(m.Text))
	}
	title, _, err := s.Text(name, in)
	if err != nil || title != m.Subject {
		t.Errorf("the title is %q (%v), the subject %q", title, err, m.Subject)
	}
}
