package template_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"tidings/shared/template"
)

// layer makes a layer of files.
func layer(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// load loads the built-in templates with others over them.
func load(t testing.TB, files map[string]string) *template.Set {
	t.Helper()
	s, err := template.Load(template.Builtin(), layer(files))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// least returns the built-in templates that every set needs, for tests that load often.
func least(t testing.TB) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	for _, pattern := range []string{"base/*", "default/*"} {
		names, err := fs.Glob(template.Builtin(), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := fs.ReadFile(template.Builtin(), name)
			if err != nil {
				t.Fatal(err)
			}
			m[name] = &fstest.MapFile{Data: b}
		}
	}
	return m
}

// faults returns what is wrong with files, as "path: reason".
func faults(t testing.TB, layers ...fs.FS) []string {
	t.Helper()
	_, err := template.Load(layers...)
	var f *template.FaultsError
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a FaultsError", err)
	}
	var list []string
	for _, one := range f.Faults {
		list = append(list, one.Path+": "+one.Reason)
	}
	return list
}

func contains(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(s, part) {
			t.Errorf("%q isn't in:\n%s", part, s)
		}
	}
}

func lacks(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(s, part) {
			t.Errorf("%q is in:\n%s", part, s)
		}
	}
}

func mail(t testing.TB, s *template.Set, name string, in template.Input) template.Mail {
	t.Helper()
	m, err := s.Mail(name, in)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
