package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun feeds recorded events and looks at what is told, counted and returned.
func TestRun(t *testing.T) {
	t.Parallel()
	const (
		start = `{"Action":"start","Package":"p"}` + "\n"
		pass  = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"a is quiet\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
		fail = `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"b is loud\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
`
		passed = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
		failed = `{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
		build = `{"ImportPath":"p","Action":"build-output","Output":"x.go:1: no\n"}
{"ImportPath":"p","Action":"build-fail"}
`
	)
	for _, c := range []struct{ name, in, out, counts string }{
		{"all passed", start + pass + passed, "ok  \tp\t0.1s\n", "1 0\n"},
		{"one failed", start + pass + fail + failed, "b is loud\nFAIL\tp\t0.1s\nFAIL\n", "1 1\n"},
		{"cut off", start + strings.TrimSuffix(fail, `{"Action":"fail","Package":"p","Test":"TestB"}`+"\n"), "b is loud\n", "0 1\n"},
		{"did not build", build + start + failed, "x.go:1: no\nFAIL\tp\t0.1s\nFAIL\n", "0 1\n"},
		{"no test", start + passed, "ok  \tp\t0.1s\n", "0 0\n"},
		{"not JSON", "go: a warning\n{}\n" + start + pass + passed, "go: a warning\n{}\nok  \tp\t0.1s\n", "1 0\n"},
		{"nothing", "", "", "0 0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "counts")
			var out strings.Builder
			err := run([]string{"-counts", file}, strings.NewReader(c.in), &out)
			if wantErr := c.counts != "1 0\n"; errors.Is(err, errFailed) != wantErr {
				t.Errorf("error %v, want one: %v", err, wantErr)
			}
			if out.String() != c.out {
				t.Errorf("told %q, want %q", out.String(), c.out)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != c.counts {
				t.Errorf("counted %q, %v, want %q", got, err, c.counts)
			}
		})
	}
}
