package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// loads says which files of a split bundle are loaded when. All are names in dist.
type loads struct {
	// first are those that the page begins with, its style sheet among them.
	first []string
	// parts are those that each part needs beside them, by the part's name.
	parts map[string][]string
}

// metafile is what esbuild says about its output.
type metafile struct {
	Outputs map[string]struct {
		EntryPoint string `json:"entryPoint"`
		CSSBundle  string `json:"cssBundle"`
		Imports    []struct {
			Path, Kind string
			External   bool
		} `json:"imports"`
	} `json:"outputs"`
}

// readLoads follows the imports of a split bundle.
func (t target) readLoads(text string) (loads, error) {
	var meta metafile
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return loads{}, fmt.Errorf("metafile: %w", err)
	}
	l := loads{parts: map[string][]string{}}
	for _, path := range meta.with(t.entryPoints()) {
		l.first = append(l.first, filepath.Base(path))
	}
	for path, out := range meta.Outputs {
		if out.EntryPoint == "" || slices.Contains(l.first, filepath.Base(path)) {
			continue
		}
		name := partName(out.EntryPoint)
		for _, path := range meta.with([]string{out.EntryPoint}) {
			if base := filepath.Base(path); !slices.Contains(l.first, base) {
				l.parts[name] = append(l.parts[name], base)
			}
		}
	}
	return l, nil
}

// partName is what a part is called: its source, or the directory whose index that is.
func partName(source string) string {
	name := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
	if name == "index" {
		return filepath.Base(filepath.Dir(source))
	}
	return name
}

// entryPoints are the sources of the entries as esbuild names them.
func (t target) entryPoints() []string {
	var list []string
	for _, source := range t.entries {
		list = append(list, "src/"+source)
	}
	return list
}

// with returns the outputs of entry points and whatever they import statically, in the
// order of their names.
func (m metafile) with(entryPoints []string) []string {
	seen := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		out := m.Outputs[path]
		if out.CSSBundle != "" {
			seen[out.CSSBundle] = true
		}
		for _, i := range out.Imports {
			if i.Kind == "import-statement" && !i.External {
				follow(i.Path)
			}
		}
	}
	for path, out := range m.Outputs {
		if slices.Contains(entryPoints, out.EntryPoint) {
			follow(path)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// preload has the page ask for everything it begins with at once: a browser learns of
// what a script imports only when it has read the script.
func (l loads) preload(t target, page []byte) []byte {
	const script = `<script type="module"`
	var links strings.Builder
	for _, name := range l.first {
		_, entry := t.entries[strings.TrimSuffix(name, ".js")]
		if filepath.Ext(name) == ".js" && !entry {
			fmt.Fprintf(&links, "<link rel=\"modulepreload\" href=%q>\n", t.assets+name)
		}
	}
	return []byte(strings.Replace(string(page), script, links.String()+script, 1))
}

// judge compares what is loaded with the budgets, and reports it to w.
func (l loads) judge(t target, out files, w io.Writer) error {
	sum := func(names []string) (total int) {
		for _, name := range names {
			n, _ := download(name, out[name])
			total += n
		}
		return total
	}
	first := sum(l.first)
	fmt.Fprintf(w, "%-8s begins with gzip %d of %d bytes\n", t.name, first, t.firstBudget)
	if first > t.firstBudget {
		return fmt.Errorf("the page begins with %d bytes after gzip, %d over its budget", first, first-t.firstBudget)
	}
	for _, name := range slices.Sorted(maps.Keys(l.parts)) {
		n, budget := sum(l.parts[name]), t.parts[name]
		fmt.Fprintf(w, "%-8s %-13s adds gzip %6d of %d bytes\n", t.name, name, n, budget)
		if n > budget {
			return fmt.Errorf("the part %s adds %d bytes after gzip, %d over its budget", name, n, n-budget)
		}
	}
	for name := range t.parts {
		if l.parts[name] == nil {
			return fmt.Errorf("there is a budget for %s, which is no part", name)
		}
	}
	return nil
}

// sheets makes the import of a file *.sheet.css its text, minified: a part brings its
// style along and puts it into a sheet made by script, which no policy minds.
func sheets() api.Plugin {
	return api.Plugin{Name: "sheets", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: `\.sheet\.css$`}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := os.ReadFile(a.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			small := api.Transform(string(text), api.TransformOptions{
				Loader: api.LoaderCSS, Target: api.ES2022, MinifyWhitespace: true, MinifySyntax: true, Charset: api.CharsetUTF8,
			})
			if len(small.Errors) > 0 {
				return api.OnLoadResult{Errors: small.Errors}, nil
			}
			contents := strings.TrimSpace(string(small.Code))
			return api.OnLoadResult{Contents: &contents, Loader: api.LoaderText}, nil
		})
	}}
}
