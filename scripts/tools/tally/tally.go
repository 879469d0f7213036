package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds one line of input. go test cuts a test's output into lines; a
// longer one is a test that prints a megabyte without a break.
const maxLine = 16 << 20

// event is one line of `go test -json`, as documented by `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string
	Output     string
}

// tally counts tests and keeps the output of those that run until it is known
// whether anybody needs to read it.
type tally struct {
	out            io.Writer
	passed, failed int

	kept   map[testName]*strings.Builder
	broken map[string]bool // packages in which a test has failed
}

// testName names a test, or a package where test is "".
type testName struct{ pkg, test string }

func newTally(out io.Writer) *tally {
	return &tally{out: out, kept: map[testName]*strings.Builder{}, broken: map[string]bool{}}
}

// read retells the whole input.
func (t *tally) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(t.out, lines.Text())
			continue
		}
		t.take(e)
	}
	// A run that was cut off has not said what became of these.
	for name, text := range t.kept {
		if name.test != "" {
			t.failed++
		}
		fmt.Fprint(t.out, text)
	}
	return lines.Err()
}

// take retells one event.
func (t *tally) take(e event) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "run", "start":
		t.kept[name] = &strings.Builder{}
	case "output":
		t.keep(name, e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "skip":
		t.end(name, e.Action == "pass")
	case "fail":
		t.fail(name)
	}
}

// keep adds to the output of a test. What belongs to no test, and the closing
// line of a package, is printed at once.
func (t *tally) keep(name testName, text string) {
	kept := t.kept[name]
	switch {
	case strings.HasPrefix(text, "=== "): // of -v, which -json implies
	case kept == nil || name.test == "" && closing(text):
		fmt.Fprint(t.out, text)
	default:
		kept.WriteString(text)
	}
}

// closing says whether go test closes a package with the line.
func closing(line string) bool {
	for _, word := range []string{"ok  \t", "FAIL\t", "?   \t", "panic:"} {
		if strings.HasPrefix(line, word) {
			return true
		}
	}
	return false
}

// end forgets a test or package that has passed or was skipped.
func (t *tally) end(name testName, passed bool) {
	delete(t.kept, name)
	if passed && name.test != "" {
		t.passed++
	}
}

// fail tells what a test or package has printed. A package without a failed test
// failed by itself: it did not build, or its process died.
func (t *tally) fail(name testName) {
	if text := t.kept[name]; text != nil {
		fmt.Fprint(t.out, text)
	}
	delete(t.kept, name)
	if name.test != "" || !t.broken[name.pkg] {
		t.failed++
	}
	t.broken[name.pkg] = true
}
