package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/evanw/esbuild/pkg/api"
)

// errStale is what -check is for.
var errStale = errors.New("the committed bundle is not what the sources give: run `go run -C scripts/tools ./bundle` and commit")

func main() {
	check := flag.Bool("check", false, "build in memory and fail if the committed bundles differ")
	test := flag.Bool("test", false, "run the tests in node (20 or newer)")
	only := flag.String("only", "", "do it for the target of this name alone")
	pages := flag.String("examples", "", "build the browser package's example pages into this directory, and nothing else")
	flag.Parse()
	if err := run(*check, *test, *only, *pages, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// run does what the flags ask for each target, or only for the one named; or it
// builds the examples into the directory pages.
func run(check, test bool, only, pages string, w io.Writer) error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	if pages != "" {
		return examples(root, pages)
	}
	all := targets()
	if only != "" {
		all = slices.DeleteFunc(all, func(t target) bool { return t.name != only })
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no target %q", only)
	}
	for _, t := range all {
		if test {
			err = t.test(root)
		} else {
			err = t.make(root, check, w)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// make builds t, reports its sizes to w, and writes or compares dist.
func (t target) make(root string, check bool, w io.Writer) error {
	out, when, err := t.build(root)
	if err != nil {
		return err
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if n, ok := download(name, out[name]); ok {
			total += n
			fmt.Fprintf(w, "%-8s %-26s %7d bytes, gzip %6d\n", t.name, name, len(out[name]), n)
		}
	}
	fmt.Fprintf(w, "%-8s gzip %d of %d bytes\n", t.name, total, t.budget)
	if total > t.budget {
		return fmt.Errorf("the bundle has %d bytes after gzip, %d over its budget", total, total-t.budget)
	}
	if t.parts != nil {
		if err := when.judge(t, out, w); err != nil {
			return err
		}
	}
	if core, _ := download(t.core, out[t.core]); core > t.coreBudget {
		return fmt.Errorf("%s has %d bytes after gzip, %d over its budget", t.core, core, core-t.coreBudget)
	}
	dist := filepath.Join(root, t.dist)
	if check {
		return compare(dist, out)
	}
	return write(dist, out)
}

// compare reports whether dir holds exactly want.
func compare(dir string, want files) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w (%w)", errStale, err)
	}
	if len(entries) != len(want) {
		return fmt.Errorf("%w (%d files instead of %d)", errStale, len(entries), len(want))
	}
	for name, b := range want {
		if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(have, b) {
			return fmt.Errorf("%w (%s)", errStale, name)
		}
	}
	return nil
}

// write makes dir hold exactly out.
func write(dir string, out files) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("dist: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("dist: %w", err)
	}
	for _, e := range entries {
		if _, ok := out[e.Name()]; ok {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("dist: %w", err)
		}
	}
	for name, b := range out {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("dist: %w", err)
		}
	}
	return nil
}

// test bundles web/test/*.test.ts and hands the result to node's test runner.
func (t target) test(root string) error {
	web := filepath.Join(root, t.web)
	sources, err := filepath.Glob(filepath.Join(web, "test", "*.test.ts"))
	if err != nil || len(sources) == 0 {
		return fmt.Errorf("no tests in %s/test", t.web)
	}
	dir, err := os.MkdirTemp("", "bundle-test-")
	if err != nil {
		return fmt.Errorf("temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: web, EntryPoints: sources, Outdir: dir, Write: true,
		Bundle: true, Platform: api.PlatformNode, Format: api.FormatESModule, Target: api.ES2022,
		OutExtension: map[string]string{".js": ".mjs"}, Sourcemap: api.SourceMapInline, LogLevel: api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return fmt.Errorf("esbuild: %d errors in %s/test", len(result.Errors), t.web)
	}
	args := append([]string{"--enable-source-maps"}, t.flags...)
	args = append(args, "--test")
	for _, f := range result.OutputFiles {
		args = append(args, f.Path)
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = web
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("node --test: %w", err)
	}
	return nil
}
