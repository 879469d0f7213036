package template_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/shared/template"
)

func TestBuiltin(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	var names []string
	for _, i := range s.Names() {
		names = append(names, i.Name)
		if i.Description == "" {
			t.Errorf("%s: no description", i.Name)
		}
		for _, l := range []string{"de", "en", "ru"} {
			if !slices.Contains(i.Locales, l) {
				t.Errorf("%s: no %s", i.Name, l)
			}
		}
	}
	if want := []string{"default", "digest", "order_shipped", "welcome"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	if !s.Has("") || !s.Has("digest") || s.Has("base") || s.Has("nope") {
		t.Error("Has is wrong")
	}
	for _, name := range []string{"nope", "base", "../digest", "a\r\nb"} {
		if _, _, err := s.Text(name, template.Input{}); !errors.Is(err, template.ErrUnknown) {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := s.Mail(name, template.Input{}); !errors.Is(err, template.ErrUnknown) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// TestLayers has a later layer replace one file and add a template.
func TestLayers(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{
		"welcome/messages.en.toml": `title = "Hi from {{.Brand}}"
hello = "Hi"
hello_name = "Hi {{.Name}}"
intro = "I"
help = "H"`,
		"plain/title.txt": `Just {{.Data.what}}`,
		"README.md":       "about these", ".git/config": "x", "plain/title.txt~": "{{",
	})
	in := s.Sample("welcome")
	for locale, want := range map[string]string{"en": "Hi from Tidings", "de": "Willkommen bei Tidings"} {
		in.Locale = locale
		if title, _, err := s.Text("welcome", in); err != nil || title != want {
			t.Errorf("%s: got %q, %v", locale, title, err)
		}
	}
	m := mail(t, s, "plain", template.Input{Body: "One.\n\nTwo\nlines.", Data: []byte(`{"what":"this"}`)})
	if m.Subject != "Just this" || m.Text != "One.\n\nTwo\nlines.\n" {
		t.Errorf("got %q, %q", m.Subject, m.Text)
	}
	contains(t, m.HTML, ">One.</p>", ">Two<br>lines.</p>", ">Just this</h1>")
}

// TestFaults has all that is wrong reported at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	got := faults(t, template.Builtin(), layer(map[string]string{
		"syntax/title.txt":             `{{.Title`,
		"func/body.txt":                `{{env "HOME"}}`,
		"comment/mail.html":            `<!-- {{.Name}} -->`,
		"endless/mail.html":            `<!-- `,
		"context/mail.html":            `<a href="{{if .Name}}x"{{end}}>`,
		"typo/mial.html":               `x`,
		"Bad Name/title.txt":           `x`,
		"stray.txt":                    `x`,
		"toml/messages.en.toml":        `a = `,
		"plural/messages.en.toml":      "[n]\none = \"1\"\nother = \"n\"",
		"plural/messages.ru.toml":      "[n]\none = \"1\"\nother = \"n\"",
		"nokey/title.txt":              `{{t "nothing"}}`,
		"field/title.txt":              `{{t "a" "Name" .Name}}`,
		"field/messages.en.toml":       `a = "{{.Name}}"`,
		"field/messages.de.toml":       `a = "{{.Nome}}"`,
		"logic/messages.en.toml":       `a = "{{if .Name}}x{{end}}"`,
		"delims/messages.en.toml":      "[a]\nother = \"<<call>>\"\nleftDelim = \"<<\"",
		"noenglish/messages.de.toml":   `a = "b"`,
		"locale/messages.xx-y.toml":    `a = "b"`,
		"spelling/messages.de_AT.toml": `a = "b"`,
		"sample/sample.json":           `{"titel":"x"}`,
		"large/body.txt":               strings.Repeat("x", template.MaxFile+1),
	}))
	for _, want := range []string{
		"syntax/title.txt: template: title.txt:1: unclosed action",
		`func/body.txt: template: body.txt:1: function "env" not defined`,
		`comment/mail.html: the comment "{{.Name}}" has an action in it`,
		"endless/mail.html: a comment has no end",
		"typo/mial.html: is none of a template's files",
		"Bad Name: name a template with a-z",
		"stray.txt: is not in a folder",
		"toml/messages.en.toml: toml: line 1",
		`plural/messages.ru.toml: the message "n" lacks what ru says for many, few`,
		`nokey/title.txt: there is no message "nothing" in English`,
		`field/title.txt: the message "a" in de has a field "Nome" that it is not given`,
		`logic/messages.en.toml: the message "a" {{if .Name: a message holds text and fields`,
		`delims/messages.en.toml: the message "a" has delimiters`,
		"noenglish/messages.en.toml: is missing",
		"locale/messages.xx-y.toml: the name holds no language",
		"spelling/messages.de_AT.toml: the language of the name is written de-AT",
		`sample/sample.json: json: unknown field "titel"`,
		"large/body.txt: is over 65536 bytes",
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no fault says %q", want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}

// TestTrial finds what is wrong only when a template is rendered.
func TestTrial(t *testing.T) {
	t.Parallel()
	got := faults(t, template.Builtin(), layer(map[string]string{
		"context/mail.html":   `<a href="{{if .Name}}x"{{end}}>`,
		"sampled/title.txt":   `{{.Data.order}}`,
		"sampled/sample.json": `{"data":{"ordre":1}}`,
		"nodata/title.txt":    `{{.Data.order}}`, // nothing can be said about it without a sample
		"welcome/title.txt":   `{{t .Title}}`,    // not a message that is there
	}))
	joined := strings.Join(got, "\n")
	contains(t, joined, "context: in de: ", "{{if}} branches end in different contexts",
		`sampled: in en: template "sampled" needs "order", which is missing`, "welcome: in ru: ")
	lacks(t, joined, "nodata")
}

func TestIncompleteBase(t *testing.T) {
	t.Parallel()
	got := strings.Join(faults(t, layer(map[string]string{"welcome/title.txt": "x"})), "\n")
	contains(t, got, "base/layout.html: is missing", "base/messages.en.toml: is missing", "default: is missing",
		`base/messages.en.toml: has no message "months"`)
	contains(t, strings.Join(faults(t, os.DirFS(filepath.Join(t.TempDir(), "none"))), "\n"), "layer 1: ")
}

// TestSample has every template show itself, and hand out nothing that is shared.
func TestSample(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{"plain/title.txt": "{{.Title}}"})
	for _, i := range s.Names() {
		in := s.Sample(i.Name)
		if err := s.Check(i.Name, in); err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
	}
	in := s.Sample("digest")
	in.Items[0].Title = "changed"
	if s.Sample("digest").Items[0].Title == "changed" {
		t.Error("a sample is shared")
	}
	if s.Sample("nope").Title == "" {
		t.Error("there is no general sample")
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "hot", "title.txt")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	clock := time.Now()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(time.Second) // two writes may be within the file system's tick
		if err := os.Chtimes(file, clock, clock); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	live, err := template.NewLive(template.Builtin(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := func(title string, broken bool) *template.Set {
		t.Helper()
		s, err := live.Set()
		if broken != (err != nil) {
			t.Fatalf("got %v", err)
		}
		if got, _, err := s.Text("hot", template.Input{}); err != nil || got != title {
			t.Errorf("got %q, %v; want %q", got, err, title)
		}
		return s
	}
	first := want("one", false)
	if want("one", false) != first {
		t.Error("loaded again for nothing")
	}
	write("two")
	want("two", false)
	write("{{")
	want("two", true)
	want("two", true)
	write("three")
	want("three", false)

	write("{{")
	if _, err := template.NewLive(template.Builtin(), os.DirFS(dir)); err == nil {
		t.Error("began with broken templates")
	}
}
