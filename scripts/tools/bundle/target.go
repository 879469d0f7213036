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
	// parts are the modules that are loaded when they are needed, by the names of their
	// sources without extension, with how many gzipped bytes each may add to what the
	// page begins with; firstBudget bounds that. Without parts the bundle is not split.
	parts       map[string]int
	firstBudget int
	// sources are where imports by a package's name lead, seen from web.
	sources map[string]string
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
		// second at 1 Mbit/s. Views that are not the first to be seen come when they are.
		firstBudget: 60_000,
		parts: map[string]int{
			"connections": 4_000, "topics": 4_000, "streams": 3_000, "try": 5_000,
			"notifications": 12_000, "mailbox": 12_500, "dead": 9_000, "templates": 8_000,
			// The bell: its store is loaded with it, its panel by whoever comes near.
			"bell": 8_000, "inbox": 7_000, "panel": 10_500, "form": 7_000,
		},
		budget:  120_000,
		sources: map[string]string{"@tidings/client": "src/client.ts"},
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
			"inbox":   "inbox/index.ts",
			"bell":    "bell/index.ts",
			"panel":   "bell/panel.ts",
			"form":    "bell/form.ts",
		},
		self: "@tidings/client",
		// The hooks' users have a bundler, which finds the store by its name.
		peers: []string{"react", "@tidings/client/inbox"},
		// What other people's pages load must be small; the parts besides the core are
		// loaded by the pages that need them.
		core:       "client.js",
		coreBudget: 6_000,
		budget:     37_500,
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
