package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// target is one bundle of the repository.
type target struct {
	// name is what the report calls it.
	name string
	// web is the directory of the sources, relative to the repository's root.
	web string
	// dist is the directory of the output, relative to the repository's root.
	dist string
	// entries maps the base names of the bundles, without extension, to their first
	// sources, seen from web/src. A source that is imported dynamically and is an entry
	// too stays a bundle of its own, loaded when it is needed.
	entries map[string]string
	// self is the name of the npm package whose core this builds: where one of its
	// bundles imports it by that name, it shares core with the page. None if empty.
	self string
	// peers are npm packages that stay outside of the bundles: the page brings its own.
	peers []string
	// pages are files below web/src that are copied; in .html ones, links to
	// assets get the hash of their content.
	pages []string
	// assets is the address below which the server serves dist.
	assets string
	// libraries are the npm packages inside the bundle, whose licences go with it.
	libraries []string
	// budget bounds the gzipped sum of JavaScript and CSS in bytes.
	budget int
	// core is the one bundle that every page loads, and coreBudget its bound; none if
	// empty.
	core       string
	coreBudget int
	// flags are those of node for the tests.
	flags []string
}

// targets lists everything this command builds.
func targets() []target {
	return []target{{
		name:      "console",
		web:       "services/console/web",
		dist:      "services/console/dist",
		entries:   map[string]string{"app": "main.tsx"},
		pages:     []string{"index.html", "favicon.svg"},
		assets:    "/console/assets/",
		libraries: []string{"preact", "uplot"},
		// An operator opens the page over a bad line on a bad day: 60 kB is half a
		// second at 1 Mbit/s.
		budget: 60_000,
	}, {
		name: "client",
		web:  "shared/client",
		dist: "shared/client/dist",
		entries: map[string]string{
			"client":  "index.ts",
			"more":    "more.ts",
			"share":   "share/share.ts",
			"worker":  "share/entry.ts",
			"react":   "../react/index.ts",
			"element": "../element/index.ts",
		},
		self:  "@tidings/client",
		peers: []string{"react"},
		// What other people's pages load must be small; the parts besides the core are
		// loaded by the pages that need them.
		core:       "client.js",
		coreBudget: 6_000,
		budget:     21_000,
		flags:      []string{"--experimental-websocket", "--no-warnings"},
	}}
}

// findRoot returns the repository's root: the nearest directory above that holds
// the sources of every target.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	for {
		missing := slices.ContainsFunc(targets(), func(t target) bool {
			_, err := os.Stat(filepath.Join(dir, t.web, "package.json"))
			return err != nil
		})
		if !missing {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no directory above the working directory holds %s", targets()[0].web)
		}
		dir = parent
	}
}
