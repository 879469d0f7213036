package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"tidings/services/console"
	"tidings/shared/telemetry"
	"tidings/shared/template"
)

// templates are the built-in ones with layers above them.
func templates(t *testing.T, layer fstest.MapFS) func() *template.Set {
	t.Helper()
	set, err := template.Load(template.Builtin(), layer)
	if err != nil {
		t.Fatal(err)
	}
	return func() *template.Set { return set }
}

// TestTemplates lists templates and renders one with its sample, in a language.
func TestTemplates(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, h: newHandler(t, console.Config{Templates: templates(t, fstest.MapFS{
		"hello/about.txt": {Data: []byte("Says hello.\n")},
		"hello/title.txt": {Data: []byte("Hello <{{.Name}}>")},
	})})}
	if code, body := f.ask(http.MethodGet, "templates", ""); code != http.StatusOK || !strings.Contains(body, `{"name":"hello","description":"Says hello.","locales":[`) {
		t.Errorf("the list: %d %s", code, body)
	}
	var seen struct {
		Name, Locale, Title, Subject, HTML, Text string
		URL                                      string `json:"html_url"`
	}
	code, answer := f.ask(http.MethodGet, "templates/order_shipped?locale=de", "")
	if err := json.Unmarshal([]byte(answer), &seen); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s (%v)", code, answer, err)
	}
	if seen.Locale != "de" || !strings.Contains(seen.Subject, "Bestellung") || !strings.Contains(seen.HTML, "<html") || seen.Text == "" || seen.Title == "" {
		t.Errorf("the preview is %+v", seen)
	}

	// A frame has no token, but an address that is good for this one preview.
	r := do(f.h, http.MethodGet, seen.URL)
	if html := body(t, r); r.StatusCode != http.StatusOK || html != seen.HTML {
		t.Errorf("the frame: %d %.200s", r.StatusCode, html)
	}
	policy := r.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'self'") || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "allow-scripts") {
		t.Errorf("the frame's policy is %q", policy)
	}
	for name, url := range map[string]string{
		"no pass":        "/console/api/templates/order_shipped/html?locale=de",
		"of another":     strings.Replace(seen.URL, "order_shipped", "welcome", 1),
		"other language": strings.Replace(seen.URL, "locale=de", "locale=ru", 1),
		"nonsense":       "/console/api/templates/order_shipped/html?locale=de&pass=zz-00",
	} {
		if r := do(f.h, http.MethodGet, url); r.StatusCode != http.StatusForbidden || !strings.Contains(body(t, r), `"bad_pass"`) {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	for path, want := range map[string]string{
		"templates/nobody": "template_unknown",
		"templates/welcome?locale=" + strings.Repeat("x", 100): "bad_locale",
		"templates/welcome?who=x":                              "unknown_parameter",
	} {
		if code, body := f.ask(http.MethodGet, path, ""); code < 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestPassesOfAnotherNode: where processes share a secret, a frame may ask any of them.
func TestPassesOfAnotherNode(t *testing.T) {
	t.Parallel()
	node := func(secret telemetry.Secret) *fixture {
		return &fixture{t: t, h: newHandler(t, console.Config{Templates: templates(t, nil), Secret: secret})}
	}
	var seen struct {
		URL string `json:"html_url"`
	}
	_, answer := node(secret).ask(http.MethodGet, "templates/welcome", "")
	if err := json.Unmarshal([]byte(answer), &seen); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		secret telemetry.Secret
		want   int
	}{"the same": {secret, http.StatusOK}, "another": {secret + "x", http.StatusForbidden}, "none": {"", http.StatusForbidden}} {
		if r := do(node(c.secret).h, http.MethodGet, seen.URL); r.StatusCode != c.want {
			t.Errorf("%s secret: %d, want %d", name, r.StatusCode, c.want)
		}
	}
}
