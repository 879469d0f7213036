package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// errDependencies says what to do before the first build.
var errDependencies = errors.New("node_modules is missing: run `npm ci` there")

// files maps the names of a built dist directory to their content.
type files map[string][]byte

// build returns everything that belongs into the dist directory of t, and which of it
// is loaded when, if t is split.
func (t target) build(root string) (files, loads, error) {
	web := filepath.Join(root, t.web)
	if _, err := os.Stat(filepath.Join(web, "node_modules")); err != nil {
		return nil, loads{}, fmt.Errorf("%s: %w", t.web, errDependencies)
	}
	out, l, err := t.bundle(web)
	if err != nil {
		return nil, l, err
	}
	for _, name := range t.pages {
		b, err := os.ReadFile(filepath.Join(web, "src", name))
		if err != nil {
			return nil, l, fmt.Errorf("page: %w", err)
		}
		out[name] = b
	}
	for name, b := range out {
		if filepath.Ext(name) == ".html" {
			out[name] = l.preload(t, t.link(b, out))
		}
	}
	if len(t.libraries) > 0 {
		if out["LICENSES.txt"], err = t.licences(web); err != nil {
			return nil, l, err
		}
	}
	return out, l, nil
}

// bundle runs esbuild. It writes nothing.
func (t target) bundle(web string) (files, loads, error) {
	var entries []api.EntryPoint
	for _, output := range slices.Sorted(maps.Keys(t.entries)) {
		entries = append(entries, api.EntryPoint{InputPath: "src/" + t.entries[output], OutputPath: output})
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:       web,
		EntryPointsAdvanced: entries,
		Outdir:              "dist",
		Plugins:             []api.Plugin{t.apart(web), sheets()},
		External:            t.peers,
		Alias:               t.alias(web),
		Splitting:           t.parts != nil,
		ChunkNames:          "[name]-[hash]",
		Metafile:            t.parts != nil,
		Bundle:              true,
		Format:              api.FormatESModule,
		Target:              api.ES2022,
		JSX:                 api.JSXAutomatic,
		JSXImportSource:     "preact",
		MinifyWhitespace:    true,
		MinifyIdentifiers:   true,
		MinifySyntax:        true,
		Charset:             api.CharsetUTF8,
		LegalComments:       api.LegalCommentsNone, // LICENSES.txt has the whole texts
		LogLevel:            api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return nil, loads{}, fmt.Errorf("esbuild: %d errors in %s", len(result.Errors), t.web)
	}
	out := files{}
	for _, f := range result.OutputFiles {
		out[filepath.Base(f.Path)] = f.Contents
	}
	if t.parts == nil {
		return out, loads{}, nil
	}
	l, err := t.readLoads(result.Metafile)
	return out, l, err
}

// alias says where the sources of packages are that npm does not know.
func (t target) alias(web string) map[string]string {
	all := map[string]string{}
	for name, source := range t.sources {
		all[name] = filepath.Join(web, source)
	}
	return all
}

// apart makes the dynamic import of another entry, and any import of the package by
// its own name, an import of the bundle, which lies in the same directory.
func (t target) apart(web string) api.Plugin {
	bundles := map[string]string{}
	for output, source := range t.entries {
		bundles[filepath.Join(web, "src", source)] = "./" + output + ".js"
	}
	return api.Plugin{Name: "apart", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^\.`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			bundle, ok := bundles[filepath.Join(a.ResolveDir, a.Path)]
			if !ok || a.Kind != api.ResolveJSDynamicImport {
				return api.OnResolveResult{}, nil
			}
			return api.OnResolveResult{Path: bundle, External: true}, nil
		})
		if t.self == "" {
			return
		}
		b.OnResolve(api.OnResolveOptions{Filter: "^" + regexp.QuoteMeta(t.self) + "$"}, func(api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: "./" + t.core, External: true}, nil
		})
	}}
}

// link adds "?v=<hash of the content>" to each link from a page to an asset: the
// server lets browsers keep what is asked for by its hash for ever.
func (t target) link(page []byte, out files) []byte {
	var pairs []string
	for name, b := range out {
		if filepath.Ext(name) != ".html" {
			sum := sha256.Sum256(b)
			address := `"` + t.assets + name
			pairs = append(pairs, address+`"`, address+"?v="+hex.EncodeToString(sum[:8])+`"`)
		}
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(page)))
}

// licences returns the licence texts of the libraries in the bundle.
func (t target) licences(web string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("The console contains these libraries.\n")
	for _, name := range t.libraries {
		text, err := os.ReadFile(filepath.Join(web, "node_modules", name, "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("licence: %w", err)
		}
		fmt.Fprintf(&b, "\n== %s ==\n\n%s\n", name, bytes.TrimSpace(text))
	}
	return b.Bytes(), nil
}

// download returns what a browser downloads of f: its length after gzip, if it
// is part of the budget.
func download(name string, b []byte) (int, bool) {
	if ext := filepath.Ext(name); ext != ".js" && ext != ".css" {
		return 0, false
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil { // unreachable: the level is legal
		return len(b), true
	}
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Close()
	return zipped.Len(), true
}
